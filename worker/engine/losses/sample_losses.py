"""Losses over samples: they keep a style's feature vectors, and draw anew at each evaluation, by a seed of its own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional


@dataclass(frozen=True)
class SampleLoss:
    """Styles by their shares, which sum to 1, and their feature vectors (1 or B, C, N), and how much is drawn."""

    samples: Sequence[tuple[float, Tensor]]
    projections: int = 128

    def distance(self, features: Tensor, region: Tensor | None, seed: int) -> Tensor:
        """How far features (B, C, H, W) are from the style, over `region`: (B,). What is drawn depends on `seed`."""
        raise NotImplementedError

    def magnitude(self) -> Tensor:
        """The distance's unit: about its value for features of zero. (1,) or (B,)."""
        raise NotImplementedError


class Sliced(SampleLoss):
    """The mean squared distance of sorted random projections of both sets of feature vectors (Heitz 2021, eq. 2)."""

    def distance(self, features: Tensor, region: Tensor | None, seed: int) -> Tensor:
        x = sorted_projections(select_positions(features, region), self.projections, seed)
        total = x.new_zeros(x.shape[0])
        for share, y in self.samples:
            total = total + share * sliced_distance(x, sorted_projections(y, self.projections, seed))
        return total

    def magnitude(self) -> Tensor:
        return torch.stack([share * y.square().mean((1, 2)) for share, y in self.samples]).sum(0)


def sorted_projections(x: Tensor, count: int, seed: int) -> Tensor:
    """Feature vectors (B, C, N) on `count` directions, which depend on `seed`, in order on each: (B, count, N)."""
    projected = _directions(x, count, seed) @ x
    if projected.device.type == "cpu" and not projected.requires_grad:
        # NumPy's sort takes a seventh of torch's time, and gives the same.
        return torch.from_numpy(np.sort(projected.numpy(), axis=2))
    return projected.sort(2).values


def sliced_distance(x: Tensor, y: Tensor) -> Tensor:
    """The mean squared distance of sorted projections of as many directions, `y` brought to the number of `x`: (B,)."""
    if y.shape[2] != x.shape[2]:
        y = functional.interpolate(y, x.shape[2], mode="linear", align_corners=False)
    return (x - y).square().mean((1, 2))


def _directions(x: Tensor, count: int, seed: int) -> Tensor:
    """`count` random unit vectors, (count, C), drawn on the CPU so that a seed gives the same on every device."""
    generator = torch.Generator().manual_seed(seed)
    drawn = torch.randn(count, x.shape[1], generator=generator, dtype=torch.float32)
    return functional.normalize(drawn, dim=1).to(device=x.device, dtype=x.dtype)


@dataclass(frozen=True)
class MmdGaussian(SampleLoss):
    """The unbiased MMD in linear time (Gretton et al. 2012, lemma 14), kernel exp(-|x - y|^2 / (2 s^2)).

    Positions are paired at random, anew at each evaluation; s^2 is the mean squared distance of the style's own pairs.
    It can fall below zero, as an unbiased estimate of zero must.
    """

    bandwidths: Sequence[Tensor] = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "bandwidths", [_mean_pair_distance(y) for _, y in self.samples])

    def distance(self, features: Tensor, region: Tensor | None, seed: int) -> Tensor:
        x = select_positions(features, region)
        total = x.new_zeros(x.shape[0])
        for (share, y), bandwidth in zip(self.samples, self.bandwidths, strict=True):
            # Of a single position, which makes no pair, it is taken twice.
            count = max(1, min(x.shape[2], y.shape[2]) // 2)
            x1, x2 = _pairs(x, count, seed)
            y1, y2 = _pairs(y, count, seed + 1)
            alike = _kernel(x1, x2, bandwidth) + _kernel(y1, y2, bandwidth)
            across = _kernel(x1, y2, bandwidth) + _kernel(x2, y1, bandwidth)
            total = total + share * (alike - across).mean(1)
        return total

    def magnitude(self) -> Tensor:
        return torch.ones_like(self.bandwidths[0])  # a kernel's values have no unit


def _kernel(a: Tensor, b: Tensor, bandwidth: Tensor) -> Tensor:
    return torch.exp(-(a - b).square().sum(1) / (2 * bandwidth[:, None]))


def _pairs(x: Tensor, count: int, seed: int) -> tuple[Tensor, Tensor]:
    """Two disjoint draws of `count` of the vectors of (B, C, N), without repetition."""
    order = torch.randperm(x.shape[2], generator=torch.Generator().manual_seed(seed))[: 2 * count].to(x.device)
    drawn = x.index_select(2, order)
    return drawn[:, :, :count], drawn[:, :, -count:]


def _mean_pair_distance(y: Tensor) -> Tensor:
    """The mean squared distance of all pairs of vectors of (B, C, N): 2 (mean |y|^2 - |mean y|^2). (B,)."""
    return 2 * (y.square().sum(1).mean(1) - y.mean(2).square().sum(1)).clamp_min(1e-12)


def select_positions(features: Tensor, region: Tensor | None) -> Tensor:
    """The feature vectors (B, C, N) in the region, which samples take at its half; all of them without a region."""
    flat = features.flatten(2)
    flat = flat if flat.itemsize >= 4 else flat.float()
    if region is None:
        return flat
    inside = region[0].flatten()
    # Of a region so soft that it never reaches its half, the strongest part is taken.
    return flat[:, :, inside >= min(0.5, float(inside.max()))]
