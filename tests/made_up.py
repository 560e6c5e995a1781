"""A sweep whose results were never rendered: written straight into the store and the object store of a farm."""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Callable, Mapping, Sequence
from io import BytesIO
from typing import Any

import numpy as np
from PIL import Image

from stylefarm import Farm, State, Sweep
from stylefarm.shared.blobs.storage import store_object
from stylefarm.shared.db.records import Fence, JobSelector, LossPoint, NewJob
from stylefarm.shared.errors import InvalidImage
from stylefarm.shared.spec.spec import BLOB, parse_spec

METRICS = ("gram", "sliced", "self_similarity", "ssim", "clipped", "seconds")
STEPS = 10

Outcome = Callable[[Mapping[str, Any]], State]


def texture(seed: int, size: tuple[int, int] = (48, 36)) -> Image.Image:
    """A picture with detail at several scales, which compresses about as badly as a painting; one for each seed."""
    generator = np.random.default_rng(seed)
    layers = np.zeros((size[1], size[0], 3))
    for cells, weight in ((4, 1.0), (16, 0.7), (64, 0.5), (256, 0.4)):
        rough = generator.integers(0, 256, (max(1, cells * size[1] // size[0]), cells, 3), dtype=np.uint8)
        layers += weight * np.asarray(Image.fromarray(rough).resize(size, Image.Resampling.BICUBIC), dtype=float)
    return Image.fromarray((layers / 2.6).clip(0, 255).astype(np.uint8))


def png(image: Image.Image) -> bytes:
    """The bytes of a PNG."""
    file = BytesIO()
    image.save(file, "PNG")
    return file.getvalue()


def made_up(
    farm: Farm,
    axes: Mapping[str, Sequence[Any]],
    *,
    name: str = "made up",
    outcome: Outcome = lambda _: State.DONE,
    snapshots: int = 0,
    size: tuple[int, int] = (48, 36),
    variants: int | None = None,
    cells: Sequence[Mapping[str, Any]] | None = None,
) -> Sweep:
    """A sweep of these axes, whose pictures are made from their names; `outcome` says what becomes of each cell.

    It has every combination of values, or those of `cells`.

    Its numbers follow from the places of the cells: the n-th has an ssim of n / 1000 and took n seconds. Results are
    `variants` different pictures, or each its own. A job that runs has made half of its steps. As in any farm, a cell
    that another sweep, or another cell, has asked for is shared with it, and stays as it is.
    """
    if cells is None:
        cells = [dict(zip(axes, values, strict=True)) for values in itertools.product(*axes.values())]
    files = [png(texture(number, size)) for number in range(variants or len(cells))]
    jobs = [new_job(farm, cell) for cell in cells]
    stored = farm.services.store.submissions.submit_sweep(name, axes, jobs)
    new = set(stored.queued)
    for number, (job_id, cell) in enumerate(zip(stored.ids, cells, strict=True)):
        if job_id in new:
            new.remove(job_id)
            _bring(farm, job_id, number, outcome(cell), files, snapshots)
    return farm.find_sweep(stored.sweep_id)


def new_job(farm: Farm, cell: Mapping[str, Any]) -> NewJob:
    """A job that is to be submitted for a cell of a made-up sweep."""
    names = {axis: cell.get(axis, f"{axis}.png") for axis in ("content", "style")}
    fields = {
        "size": 48,
        **{axis: value for axis, value in cell.items() if axis not in names},
        **{axis: _uploaded(farm, value) for axis, value in names.items()},
        "iterations": cell.get("iterations", STEPS),
    }
    shown_names = {axis: " + ".join([value] if isinstance(value, str) else value) for axis, value in names.items()}
    return NewJob(parse_spec(fields), shown_names["content"], shown_names["style"], cell=cell)


def _uploaded(farm: Farm, names: str | Sequence[str]) -> str | list[str]:
    if not isinstance(names, str):
        return [str(_uploaded(farm, name)) for name in names]
    data = png(texture(int(hashlib.sha256(names.encode()).hexdigest()[:8], 16)))
    address = hashlib.sha256(data).hexdigest()
    farm.services.blobs.put(f"inputs/{address}", data, "image/png")
    return BLOB + address


def _bring(farm: Farm, job_id: str, number: int, state: State, files: Sequence[bytes], snapshots: int) -> None:
    """Take a queued job to the state."""
    store, blobs = farm.services.store, farm.services.blobs
    if state is State.QUEUED:
        return
    if state in {State.CANCELLED, State.PAUSED}:
        (store.commands.cancel if state is State.CANCELLED else store.commands.pause)(JobSelector(job=job_id))
        return
    job = store.attempts.claim(job_id, "made up", lease=3600)
    assert job is not None
    fence = Fence(job_id, job.attempt)
    if state is State.FAILED:
        store.attempts.fail(
            fence, InvalidImage("a.png cannot be decoded (cut short): export it again as PNG or JPEG"), {}
        )
        return
    steps = job.iterations if state is State.DONE else job.iterations // 2
    store.attempts.record_losses(
        fence, [LossPoint(step, tuple(1000.0 / (step + 1) + part for part in range(4))) for step in range(steps + 1)]
    )
    for shot in range(snapshots):
        key = f"jobs/{job_id}/{job.attempt}/snapshots/{shot}.png"
        stored = store_object(blobs, key, files[(number + shot + 1) % len(files)], "image/png")
        store.attempts.add_snapshot(fence, (shot + 1) * steps // snapshots, stored)
    if state is State.DONE:
        result = store_object(blobs, f"jobs/{job_id}/{job.attempt}/result.png", files[number % len(files)], "image/png")
        metrics = dict.fromkeys(METRICS, number / 1000) | {"seconds": float(number)}
        assert store.attempts.finish(fence, result, {}, metrics)
