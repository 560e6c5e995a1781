"""Style losses over samples: they keep a style's feature vectors, and draw at random in each evaluation, by a seed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Self

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from stylefarm.worker.engine.losses.options import StyleOptions


@dataclass(frozen=True)
class SampleLoss:
    """A style loss that needs all feature vectors of a layer at once. The base class of such losses.

    A subclass defines `distance` and `magnitude`; the gradient at its layer is autograd's.

    Args:
        samples: The share of each style, which sum to 1, and its feature vectors (1 or B, C, N), float32 or float64.
        options: Parameters of style losses.
    """

    samples: Sequence[tuple[float, Tensor]]
    options: StyleOptions = field(default_factory=StyleOptions)

    @classmethod
    def for_styles(cls, sources: Sequence[tuple[float, Tensor]], options: StyleOptions) -> Self:
        """Return the loss for a mixture of styles, by shares and feature vectors.

        Args:
            sources: The share of each style, which sum to 1, and its feature vectors, (1, C, N).
            options: Parameters of style losses.
        """
        return cls(sources, options)

    def distance(self, features: Tensor, region: Tensor | None, seed: int) -> Tensor:
        """Return the loss of features (B, C, H, W), differentiable by autograd: (B,).

        Args:
            features: (B, C, H, W).
            region: The part that counts, (1 or B, 1, H, W) in [0, 1]; None for all of it.
            seed: Determines what is drawn at random.
        """
        raise NotImplementedError

    def magnitude(self) -> Tensor:
        """Return the unit of the loss, about its value for features of zero: (1,) or (B,)."""
        raise NotImplementedError


class SlicedWasserstein(SampleLoss):
    """The mean squared distance of sorted random projections of both sets of feature vectors.

    (1 / V) sum_v (1 / N) |sort(v.f) - sort(v.f')|^2 over V = `options.projections` random unit vectors v.

    Source:
        Heitz et al. 2021 (arXiv 2006.07229), eq. 2.

    Example:
        >>> loss = SlicedWasserstein([(1.0, torch.tensor([[[1.0, 3.0]]]))])
        >>> loss.distance(torch.tensor([[[[3.0, 1.0]]]]), None, seed=0).item()
        0.0
    """

    def distance(self, features: Tensor, region: Tensor | None, seed: int) -> Tensor:
        """Return the distance to the mixture: (B,)."""
        projections = self.options.projections
        x = sorted_projections(select_positions(features, region), projections, seed)
        total = x.new_zeros(x.shape[0])
        for share, y in self.samples:
            total = total + share * sorted_distance(x, sorted_projections(y, projections, seed))
        return total

    def magnitude(self) -> Tensor:
        """Return the mean square of the style's features."""
        return torch.stack([share * y.square().mean((1, 2)) for share, y in self.samples]).sum(0)


def sorted_projections(x: Tensor, count: int, seed: int) -> Tensor:
    """Return projections of feature vectors on random directions, sorted along each.

    Args:
        x: Feature vectors, (B, C, N).
        count: Number of directions.
        seed: Determines the directions.

    Returns:
        (B, count, N).

    Example:
        >>> tuple(sorted_projections(torch.rand(1, 3, 10), count=4, seed=0).shape)
        (1, 4, 10)
    """
    projected = _directions(x, count, seed) @ x
    if projected.device.type == "cpu" and not projected.requires_grad:
        # NumPy's sort takes a seventh of torch's time, and gives the same.
        return torch.from_numpy(np.sort(projected.numpy(), axis=2))
    return projected.sort(2).values


def sorted_distance(x: Tensor, y: Tensor) -> Tensor:
    """Return the mean squared distance of sorted projections (B, V, N) and (1 or B, V, M): (B,).

    `y` is interpolated to the number of `x`, if they differ.

    Args:
        x: Sorted projections, (B, V, N).
        y: Sorted projections, (1 or B, V, M).

    Example:
        >>> sorted_distance(torch.zeros(1, 2, 3), torch.ones(1, 2, 6)).item()
        1.0
    """
    if y.shape[2] != x.shape[2]:
        y = functional.interpolate(y, x.shape[2], mode="linear", align_corners=False)
    return (x - y).square().mean((1, 2))


def _directions(x: Tensor, count: int, seed: int) -> Tensor:
    """Return random unit vectors, (count, C), drawn on the CPU so that a seed gives the same on every device."""
    generator = torch.Generator().manual_seed(seed)
    drawn = torch.randn(count, x.shape[1], generator=generator, dtype=torch.float32)
    return functional.normalize(drawn, dim=1).to(device=x.device, dtype=x.dtype)


@dataclass(frozen=True)
class MmdGaussian(SampleLoss):
    """The squared maximum mean discrepancy with the kernel k(x, y) = exp(-|x - y|^2 / (2 s^2)), in linear time.

    The mean of k(x1, x2) + k(y1, y2) - k(x1, y2) - k(x2, y1) over random pairs of positions, drawn in each evaluation;
    s^2 is the mean squared distance of the style's own pairs. Being unbiased, it can be negative.

    Source:
        Gretton et al. 2012, "A Kernel Two-Sample Test", lemma 14.

    Example:
        >>> loss = MmdGaussian([(1.0, torch.tensor([[[1.0, 1.0]]]))])
        >>> loss.distance(torch.ones(1, 1, 1, 2), None, seed=0).item()
        0.0
    """

    bandwidths: Sequence[Tensor] = field(init=False)

    def __post_init__(self) -> None:
        """Compute each style's squared bandwidth once."""
        object.__setattr__(self, "bandwidths", [_mean_pair_distance(y) for _, y in self.samples])

    def distance(self, features: Tensor, region: Tensor | None, seed: int) -> Tensor:
        """Return the estimate: (B,)."""
        x = select_positions(features, region)
        total = x.new_zeros(x.shape[0])
        for (share, y), bandwidth in zip(self.samples, self.bandwidths, strict=True):
            # A single position makes no pair, and is taken twice.
            count = max(1, min(x.shape[2], y.shape[2]) // 2)
            x1, x2 = _pairs(x, count, seed)
            y1, y2 = _pairs(y, count, seed + 1)
            within = _kernel(x1, x2, bandwidth) + _kernel(y1, y2, bandwidth)
            across = _kernel(x1, y2, bandwidth) + _kernel(x2, y1, bandwidth)
            total = total + share * (within - across).mean(1)
        return total

    def magnitude(self) -> Tensor:
        """Return 1: a kernel's values have no unit."""
        return torch.ones_like(self.bandwidths[0])


def _kernel(a: Tensor, b: Tensor, bandwidth: Tensor) -> Tensor:
    return torch.exp(-(a - b).square().sum(1) / (2 * bandwidth[:, None]))


def _pairs(x: Tensor, count: int, seed: int) -> tuple[Tensor, Tensor]:
    """Return two disjoint draws of `count` of the vectors of (B, C, N), without repetition."""
    order = torch.randperm(x.shape[2], generator=torch.Generator().manual_seed(seed))[: 2 * count].to(x.device)
    drawn = x.index_select(2, order)
    return drawn[:, :, :count], drawn[:, :, -count:]


def _mean_pair_distance(y: Tensor) -> Tensor:
    """Return the mean squared distance of all pairs of vectors of (B, C, N): 2 (mean |y|^2 - |mean y|^2). (B,)."""
    return 2 * (y.square().sum(1).mean(1) - y.mean(2).square().sum(1)).clamp_min(1e-12)


def select_positions(features: Tensor, region: Tensor | None) -> Tensor:
    """Return the feature vectors in a region, as float32 or float64.

    Args:
        features: (B, C, H, W).
        region: (1, 1, H, W) in [0, 1]; positions of at least 0.5 are in it; None for all.

    Returns:
        (B, C, N).

    Example:
        >>> select_positions(torch.tensor([[[[1.0, 2.0]]]]), torch.tensor([[[[0.0, 1.0]]]])).tolist()
        [[[2.0]]]
    """
    flat = features.flatten(2)
    flat = flat if flat.itemsize >= 4 else flat.float()
    if region is None:
        return flat
    inside = region[0].flatten()
    # Of a region so soft that it never reaches 0.5, the strongest part is taken.
    return flat[:, :, inside >= min(0.5, float(inside.max()))]
