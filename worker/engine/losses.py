"""What is measured at one layer: pure functions of tensors, one value for each picture of the batch."""

from __future__ import annotations

from typing import Literal

from torch import Tensor

ContentNormalization = Literal["initial", "relative", "mean", "sum", "half-sum"]


def squared_error(value: Tensor, target: Tensor) -> Tensor:
    """mean((value - target)^2) of each of the B pictures: (B,)."""
    return (_single(value) - _single(target)).square().flatten(1).mean(1)


def content_factor(normalization: Literal["mean", "sum", "half-sum"], target: Tensor) -> float:
    """What makes of the mean squared error of features (B, C, H, W) the loss; half-sum is Gatys 2016, eq. 1."""
    count = target[0].numel()
    return {"mean": 1.0, "sum": float(count), "half-sum": count / 2}[normalization]


def _single(x: Tensor) -> Tensor:
    """Half precision in float32, which sums need; float32 and float64 as they are."""
    return x if x.itemsize >= 4 else x.float()
