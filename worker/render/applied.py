"""From a spec that names a trained model to the rendered picture."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path

import torch
from torch import Tensor

from stylefarm.shared.db.states import ArtifactRole
from stylefarm.shared.errors import NotFound
from stylefarm.shared.services import Services
from stylefarm.shared.spec.models import JOB, MODEL_METHODS
from stylefarm.shared.spec.registry import load_target
from stylefarm.shared.spec.spec import BLOB, JobSpec
from stylefarm.shared.store.library import Models
from stylefarm.worker.engine.feedforward.applier import Applier, ApplyOptions, StyleIndex
from stylefarm.worker.engine.feedforward.model import Model, read_model
from stylefarm.worker.engine.hardware.device import ComputePath
from stylefarm.worker.engine.losses.targets import StyleImage
from stylefarm.worker.render.cache import style_key
from stylefarm.worker.render.inputs import JobImages, ScaledImages
from stylefarm.worker.render.stored_files import cached_file


def model_hash(address: str, services: Services) -> str:
    """Return the SHA-256 of the model that a resolved spec names.

    Args:
        address: "sha256:..." or, of a training job that is done by now, "job:...".
        services: the farm's.

    Raises:
        NotFound: the training job, or its model, was deleted.
    """
    if not address.startswith(JOB):
        return address.removeprefix(BLOB)
    job_id = address.removeprefix(JOB)
    found = services.queries.artifacts(job_id, ArtifactRole.MODEL)
    if not found:
        raise NotFound(f"job {job_id[:8]}, which was to train the model, has none: train it again")
    return found[-1].sha256


def load_model(address: str, services: Services, cache: Path) -> Model:
    """Return the model that a resolved spec names.

    Args:
        address: as in `model_hash`.
        services: the farm's.
        cache: a folder of this machine that keeps its file.

    Raises:
        NotFound: it was deleted.
        InvalidRequest: it is damaged, or of a later release.
        ServiceUnavailable: a service does not answer.
    """
    sha256 = model_hash(address, services)
    try:
        file = cached_file(Models.folder, sha256, services.blobs, cache)
    except NotFound:
        raise NotFound(
            f"the model {sha256[:12]} is gone from the object store: import it, or train it, again"
        ) from None
    return _read(file)


def load_applier(model: Model, path: ComputePath) -> Applier:
    """Return a model ready to render on a device.

    Args:
        model: as it was read from its file.
        path: the device and the precision.
    """
    applier: Applier = load_target(MODEL_METHODS[model.method].applier)(model, path)
    return applier


def apply_options(spec: JobSpec) -> ApplyOptions:
    """Return how a spec asks for a model to be applied."""
    return ApplyOptions(
        strength=1.0 if spec.strength == "auto" else spec.strength,
        transform=None if spec.transform == "auto" else spec.transform,
        levels=spec.levels,
        direction=spec.direction,
    )


def chosen_styles(inputs: JobImages, sized: ScaledImages, method: str) -> Sequence[StyleImage | StyleIndex]:
    """Return the styles of a job as its model takes them.

    Args:
        inputs: the pictures of the job.
        sized: the same, in the size of the result.
        method: the model's.
    """
    takes = MODEL_METHODS[method].takes
    if takes == "pictures":
        return [style.named(style_key(inputs.spec, index)) for index, style in enumerate(sized.styles)]
    spec = inputs.spec
    indices = spec.style_index or ((0,) if takes == "indices" or spec.content_masks else ())
    shares = spec.style_weights or (1.0,) * len(indices)
    _, _, height, width = sized.content.shape
    masks = [inputs.content_mask(place, (width, height), sized.content.device) for place in range(len(indices))]
    return [
        StyleIndex(index, share / sum(shares), mask) for index, share, mask in zip(indices, shares, masks, strict=True)
    ]


def apply_to(
    applier: Applier, method: str, batch: Sequence[JobImages], sized: Sequence[ScaledImages], memory: int
) -> Tensor:
    """Return the rendered pictures of jobs that differ in their contents alone, (B, 3, H, W).

    Args:
        applier: the model.
        method: its method.
        batch: the pictures of each job.
        sized: the same, in the size of the result.
        memory: bytes that may be used.
    """
    content = torch.cat([each.content for each in sized])
    styles = chosen_styles(batch[0], sized[0], method)
    return applier.apply(content, styles, apply_options(batch[0].spec), memory)


@lru_cache(maxsize=2)
def _read(file: Path) -> Model:
    """Kept between the jobs of a worker, whose sweeps use one model."""
    return read_model(file)
