"""From a spec that names a trained model to the rendered picture."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path

import torch
from torch import Tensor

from stylefarm.shared.db.states import FINAL, ArtifactRole
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

# A content hash; a card may hold anything.
ADDRESS = re.compile(re.escape(BLOB) + "[0-9a-f]{64}")


def model_hash(address: str, services: Services) -> str:
    """Return the SHA-256 of the model that a resolved spec names.

    Args:
        address: "sha256:..." or, of a training job that is done by now, "job:...".
        services: the farm's.

    Raises:
        NotFound: the training job, or its model, was deleted; or it is not done yet.
    """
    if not address.startswith(JOB):
        return address.removeprefix(BLOB)
    job_id = address.removeprefix(JOB)
    found = services.queries.artifacts(job_id, ArtifactRole.MODEL)
    if found:
        return found[-1].sha256
    if _is_on_its_way(job_id, services):
        raise NotFound(f"the model is not there yet: wait for job {job_id[:8]}, which trains it")
    raise NotFound(f"job {job_id[:8]}, which was to train the model, has none: train it again")


def _is_on_its_way(job_id: str, services: Services) -> bool:
    try:
        return services.queries.job(job_id).state not in FINAL
    except NotFound:
        return False


def load_model(sha256: str, services: Services, cache: Path) -> Model:
    """Return a model of the object store.

    Args:
        sha256: its hash, in hex: `model_hash` of what a resolved spec names.
        services: the farm's.
        cache: a folder of this machine that keeps its file.

    Raises:
        NotFound: it was deleted.
        InvalidRequest: it is damaged, or of a later release.
        ServiceUnavailable: a service does not answer.
    """
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


def learned_pictures(model: Model, spec: JobSpec) -> tuple[str, ...]:
    """Return the addresses of the pictures that the styles of a job were learned from.

    Args:
        model: whose card has the spec of its training, where it was trained by a farm.
        spec: which of its styles are asked for.

    Returns:
        As many as there are styles; none where one of them is not known, as of a base, or where there are no such.
    """
    training = model.card.get("spec")
    pictures = training.get("style") if isinstance(training, Mapping) else None
    takes = MODEL_METHODS[model.method].takes
    if takes == "pictures" or not isinstance(pictures, list) or not all(map(_is_address, pictures)):
        return ()
    if takes == "nothing":
        return tuple(pictures)
    # Those of the base, if there is one, come first.
    first = int(model.architecture.get("styles", 1)) - len(pictures)
    places = [index - first for index in spec.style_index or (0,)]
    return tuple(pictures[place] for place in places) if all(0 <= at < len(pictures) for at in places) else ()


def _is_address(value: object) -> bool:
    return isinstance(value, str) and ADDRESS.fullmatch(value) is not None


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
