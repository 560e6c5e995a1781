"""What is measured at one layer: pure functions of tensors, one value for each picture of the batch.

A `region`, (1 or B, 1, H, W) in [0, 1] with something in it, says how much each position counts; None: all alike.
"""

from __future__ import annotations

from typing import Literal

from torch import Tensor

ContentNormalization = Literal["initial", "relative", "mean", "sum", "half-sum"]


def gram(features: Tensor, region: Tensor | None = None) -> Tensor:
    """The Gram matrix F F^T / (H W) (Gatys 2016, eq. 3) of features (B, C, H, W): (B, C, C), float32 or float64.

    Departure from the paper: it is divided by the number of positions, so that pictures of different sizes compare.
    The features are scaled before the product, not after it, so that no sum overflows in half precision. With a region
    it is the guided Gram matrix of Gatys 2017 (arXiv 1611.07865, section 5.1), sum_k w_k f_k f_k^T over the region's
    weights w, which sum to 1.
    """
    flat = _single(features).flatten(2)
    flat = flat * (flat.shape[2] ** -0.5 if region is None else _weights(region, flat).sqrt())
    return flat @ flat.transpose(1, 2)


def mean_features(features: Tensor, region: Tensor | None = None) -> Tensor:
    """The mean feature vector of (B, C, H, W) over the positions: (B, C), float32 or float64."""
    flat = _single(features).flatten(2)
    return flat.mean(2) if region is None else (flat * _weights(region, flat)).sum(2)


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


def _weights(region: Tensor, flat: Tensor) -> Tensor:
    weights = region.flatten(2).to(flat.dtype)
    return weights / weights.sum(2, keepdim=True)
