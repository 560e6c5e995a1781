"""The metrics of a result, measured and stored with it, to compare methods by."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from functools import partial
from statistics import fmean

import structlog
import torch
from PIL import Image
from torch import Tensor
from torch.nn import functional

from stylefarm.shared.images.decode import long_edge_size
from stylefarm.worker.engine.hardware.memory import is_out_of_memory
from stylefarm.worker.engine.losses.targets import TargetCache
from stylefarm.worker.engine.metrics import StyleFeatures, clipped, compare, read_content, read_style
from stylefarm.worker.render.inputs import JobImages
from stylefarm.worker.render.pictures import to_tensor

log = structlog.get_logger("stylefarm.worker")

# Pictures are compared at this long edge at most: the metrics are as good, and cost a job 1 % of its time.
EDGE = 256
# At a smaller side, the deepest layer is empty, or the window of the structural similarity does not fit.
SMALLEST = 16
# An optimization whose loss has grown that many times over has diverged.
DIVERGED = 10


def measure_result(
    inputs: JobImages,
    rendered: Tensor,
    picture: Tensor,
    cache: TargetCache,
    styles: Sequence[tuple[str, Image.Image]],
) -> dict[str, float]:
    """Return the metrics of a result by name, as `engine.metrics` defines them.

    Of several styles the distances to each count by its share. Some metrics are missing where there is no style, where
    a picture is too small, or where memory runs out: a job must not fail for them.

    Args:
        inputs: the content, and the shares of the styles.
        rendered: what the engine rendered, (3, H, W), not clamped.
        picture: the finished picture, (3, H, W), in [0, 1].
        cache: keeps what is read of contents and styles, which the jobs of a sweep share.
        styles: the pictures of the styles, also of those that a model has learned, each with its address.
    """
    share = {"clipped": clipped(rendered)}
    size = long_edge_size((picture.shape[2], picture.shape[1]), min(EDGE, max(picture.shape[1:])))
    if min(size) < SMALLEST:
        return share
    try:
        return {**share, **_compared(inputs, picture.to(rendered.device)[None], size, cache, styles)}
    except (RuntimeError, MemoryError) as error:
        if not is_out_of_memory(error):
            raise
        log.warning("not measured", reason="out of memory")
        return share


def divergence(first: float | None, last: float) -> dict[str, float]:
    """Return how many times as high as at the start the total loss is at the end, where it should have become less.

    Args:
        first: the total loss before the first step; None if it is not known, as after a checkpoint.
        last: that after the last step.

    Returns:
        `loss_ratio`, if the optimization has diverged, and nothing else.

    Example:
        >>> divergence(2.0, 5e7), divergence(2.0, 0.5)
        ({'loss_ratio': 25000000.0}, {})
    """
    if first is None or not first > 0 or last <= DIVERGED * first:
        return {}
    return {"loss_ratio": last / first}


def _compared(
    inputs: JobImages,
    picture: Tensor,
    size: tuple[int, int],
    cache: TargetCache,
    styles: Sequence[tuple[str, Image.Image]],
) -> dict[str, float]:
    small = functional.interpolate(picture, (size[1], size[0]), mode="bilinear", antialias=True)
    spec, device = inputs.spec, small.device
    content = cache.get(
        ("content as measured", spec.content, size, device),
        lambda: read_content(to_tensor(inputs.content, size, device)),
    )
    read = [
        cache.get(("style as measured", address, device), partial(_read, style, device)) for address, style in styles
    ]
    if not read:
        found = compare(small, content, read_style(content.image))
        return {"self_similarity": found.self_similarity, "ssim": found.ssim}
    weights = spec.style_weights or (1.0,) * len(read)
    each = [asdict(compare(small, content, style)) for style in read]
    return {name: fmean((found[name] for found in each), weights) for name in each[0] if name != "clipped"}


def _read(style: Image.Image, device: torch.device) -> StyleFeatures:
    width, height = long_edge_size(style.size, min(EDGE, max(style.size)))
    return read_style(to_tensor(style, (max(width, SMALLEST), max(height, SMALLEST)), device))
