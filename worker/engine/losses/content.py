"""The content loss: the mean squared error of features."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor

# Values of half precision, of one image, that are cast to float32 at a time: few enough to stay in the cache.
CAST_CHUNK = 1 << 19

ContentNormalization = Literal["initial", "relative", "mean", "sum", "half-sum"]


def mse_per_image(value: Tensor, target: Tensor) -> Tensor:
    """Return the mean squared error of each image; of half precision it is summed in float32.

    Args:
        value: (B, C, H, W).
        target: (1 or B, C, H, W), or broadcastable to `value`.

    Returns:
        (B,).

    Example:
        >>> mse_per_image(torch.ones(2, 1, 2, 2), torch.zeros(1, 1, 2, 2)).tolist()
        [1.0, 1.0]
    """
    if value.itemsize >= 4:
        # Not flattened first, which would copy what is channels-last.
        return (value - target).square_().mean(tuple(range(1, value.ndim)))
    target, at_once = target.expand_as(value), max(1, CAST_CHUNK // value[0, :, 0].numel())
    parts = zip(value.split(at_once, 2), target.split(at_once, 2), strict=True)
    sums = [(v.float() - t.float()).square_().sum(tuple(range(1, v.ndim))) for v, t in parts]
    return torch.stack(sums).sum(0) / value[0].numel()


def content_factor(normalization: Literal["mean", "sum", "half-sum"], target: Tensor) -> float:
    """Return the factor from the mean squared error of features (B, C, H, W) to a normalized content loss.

    Args:
        normalization: What the error is divided by.
        target: Features of the content, (B, C, H, W).

    Source:
        "half-sum" is Gatys 2016, eq. 1: 1/2 sum (F - P)^2.

    Example:
        >>> content_factor("half-sum", torch.zeros(1, 2, 3, 4))
        12.0
    """
    count = target[0].numel()
    return {"mean": 1.0, "sum": float(count), "half-sum": count / 2}[normalization]
