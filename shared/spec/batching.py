"""Which jobs may run in one batch: those with the same shapes and steps, whatever their pictures."""

from __future__ import annotations

import hashlib
from functools import lru_cache

from stylefarm.shared.images.decode import long_edge_size
from stylefarm.shared.spec.parameters import OutputParameters
from stylefarm.shared.spec.spec import ENGINE_VERSION, JobSpec
from stylefarm.shared.spec.terms import Terms

# Each picture of a batch has its own of these. Networks that are calibrated on a job's pictures are its own, too.
OWN = {"seed", "content_weight", "style_weight", *OutputParameters.model_fields}
OWN_AND_PICTURES = {*OWN, "content", "style"}

OWN_OF_APPLIED = {*OutputParameters.model_fields, "content"}


def batch_key(spec: JobSpec, size: tuple[int, int], terms: Terms) -> str | None:
    """Return the key that jobs which can run in one batch share, 32 hex digits; None for a job that runs alone.

    `spec` is resolved, `size` its content's width and height. Alone goes what may stop before the others, by
    `stop_change` or `stop_loss_change`, and what must not wait for them, with a `time_limit`.
    """
    if spec.is_applied and spec.color != "style":
        return None  # Its style takes on the colors of its own content.
    if spec.stop_change or spec.stop_loss_change or terms.time_limit is not None:
        return None
    # One application of a trained model has the styles of all pictures in common.
    own = OWN_OF_APPLIED if spec.is_applied else OWN if spec.is_calibrated else OWN_AND_PICTURES
    place = (ENGINE_VERSION, _shapes(size, spec.sizes), terms.device, terms.label)
    return hashlib.sha256(f"{place}{spec.model_dump_json(exclude=own)}".encode()).hexdigest()[:32]


@lru_cache(maxsize=1024)
def _shapes(size: tuple[int, int], edges: tuple[int, ...]) -> list[tuple[int, int]]:
    return [long_edge_size(size, edge) for edge in edges]
