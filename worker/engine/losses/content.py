"""What is measured at one layer: pure functions of tensors, one value for each picture of the batch."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor

# Values of half precision that are widened to float32 at a time: few enough that their room is used again.
WIDENED = 1 << 22

ContentNormalization = Literal["initial", "relative", "mean", "sum", "half-sum"]


def mse_per_image(value: Tensor, target: Tensor) -> Tensor:
    """mean((value - target)^2) of each of the B pictures: (B,); of half precision it is summed in float32."""
    if value.itemsize >= 4:
        return (value - target).square().flatten(1).mean(1)
    target, at_once = target.expand_as(value), max(1, WIDENED // value[:, :, 0].numel())
    parts = zip(value.split(at_once, 2), target.split(at_once, 2), strict=True)
    sums = [(v.float() - t.float()).square_().flatten(1).sum(1) for v, t in parts]
    return torch.stack(sums).sum(0) / value[0].numel()


def content_factor(normalization: Literal["mean", "sum", "half-sum"], target: Tensor) -> float:
    """What makes of the mean squared error of features (B, C, H, W) the loss; half-sum is Gatys 2016, eq. 1."""
    count = target[0].numel()
    return {"mean": 1.0, "sum": float(count), "half-sum": count / 2}[normalization]
