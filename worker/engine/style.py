"""What a style is at one layer, and how far a picture is from it: seven losses over a layer's feature vectors.

Gatys' Gram matrix, and the losses that Li, Wang, Liu and Hou 2017 ("Demystifying Neural Style Transfer", arXiv
1701.01036) put beside it once it is seen as the distance of two distributions of feature vectors; the Wasserstein
distance of two Gaussians; and the sliced Wasserstein distance (Heitz, Vanhoey, Chambon and Belcour 2021, arXiv
2006.07229).

Losses of moments describe a style by numbers whose mixture is that of the styles; losses of samples keep its feature
vectors, and draw anew at each evaluation, by a seed of its own, so that the same iteration draws the same.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Literal, Protocol

import torch
from torch import Tensor
from torch.nn import functional

from worker.engine.losses import gram, mean_features
from worker.engine.roots import sqrt_matrix, trace_sqrt

StyleLossName = Literal["gram", "mean-std", "mmd-linear", "mmd-poly", "mmd-gaussian", "wasserstein", "sliced"]
Moments = tuple[Tensor, ...]

# Added to a covariance, which has no full rank where there are fewer positions than channels.
RIDGE = 1e-4


@dataclass(frozen=True)
class Source:
    """The features of one style at one layer, (1 or B, C, H, W), its region, and its share, which sum to 1."""

    features: Tensor
    region: Tensor | None = None
    share: float = 1.0


class StyleTarget(Protocol):
    """A style at one layer, ready to be compared with."""

    def distance(self, features: Tensor, region: Tensor | None, seed: int) -> Tensor:
        """How far features (B, C, H, W) are from it, over `region`: (B,). Nothing but samples depends on `seed`."""
        ...

    def magnitude(self) -> Tensor:
        """The distance's unit: about its value for features of zero. (1,) or (B,)."""
        ...


@dataclass(frozen=True)
class StyleOptions:
    """What some of the losses need: the constant of the polynomial kernel, and the number of random projections."""

    offset: float = 1.0
    projections: int = 128


def style_target(name: StyleLossName, sources: Sequence[Source], options: StyleOptions | None = None) -> StyleTarget:
    """The target that `name` makes of one style or a mixture of several."""
    options = options or StyleOptions()
    if name == "sliced":
        return _Sliced(_samples(sources), options.projections)
    if name == "mmd-gaussian":
        return _Gaussian(_samples(sources))
    moments = _MOMENTS[name]
    described = [moments(source.features, source.region) for source in sources]
    shares = [source.share for source in sources]
    mixed = tuple(sum(s * d for s, d in zip(shares, kind, strict=True)) for kind in zip(*described, strict=True))
    return _TARGETS[name](mixed, options)


def mean_and_deviation(features: Tensor, region: Tensor | None = None) -> Moments:
    """Mean and deviation of each channel of (B, C, H, W): two of (B, C)."""
    mean = mean_features(features, region)
    square = mean_features((features - mean[:, :, None, None]).square(), region)
    # The bound keeps the root's gradient finite where a channel is constant.
    return mean, square.clamp_min(1e-12).sqrt()


@dataclass(frozen=True)
class _Gram:
    """mean((G - A)^2): the squared maximum mean discrepancy with the kernel (x.y)^2, over C^2."""

    moments: Moments
    options: StyleOptions

    def distance(self, features: Tensor, region: Tensor | None, seed: int) -> Tensor:
        return (gram(features, region) - self.moments[0]).square().mean((1, 2))

    def magnitude(self) -> Tensor:
        return self.moments[0].square().mean((1, 2))


@dataclass(frozen=True)
class _MeanStd:
    """(1 / C) sum((mu - mu')^2 + (sigma - sigma')^2), what Li et al. call the batch normalisation statistics."""

    moments: Moments
    options: StyleOptions

    def distance(self, features: Tensor, region: Tensor | None, seed: int) -> Tensor:
        found = mean_and_deviation(features, region)
        return sum((a - b).square().mean(1) for a, b in zip(found, self.moments, strict=True))  # type: ignore[return-value]

    def magnitude(self) -> Tensor:
        return sum(m.square().mean(1) for m in self.moments)  # type: ignore[return-value]


@dataclass(frozen=True)
class _MmdLinear:
    """The squared distance of the mean feature vectors: the kernel x.y."""

    moments: Moments
    options: StyleOptions

    def distance(self, features: Tensor, region: Tensor | None, seed: int) -> Tensor:
        return (mean_features(features, region) - self.moments[0]).square().sum(1)

    def magnitude(self) -> Tensor:
        return self.moments[0].square().sum(1)


@dataclass(frozen=True)
class _MmdPoly:
    """The kernel (x.y + c)^2 = (x.y)^2 + 2 c x.y + c^2, so: |G - A|^2 + 2 c |mu - mu'|^2."""

    moments: Moments
    options: StyleOptions

    def distance(self, features: Tensor, region: Tensor | None, seed: int) -> Tensor:
        second = (gram(features, region) - self.moments[0]).square().sum((1, 2))
        first = (mean_features(features, region) - self.moments[1]).square().sum(1)
        return second + 2 * self.options.offset * first

    def magnitude(self) -> Tensor:
        second, first = self.moments[0].square().sum((1, 2)), self.moments[1].square().sum(1)
        return second + 2 * self.options.offset * first


@dataclass(frozen=True)
class _Wasserstein:
    """The squared 2-Wasserstein distance of two Gaussians, over C (Dowson and Landau 1982)."""

    moments: Moments
    options: StyleOptions
    covariance: Tensor = field(init=False)
    root: Tensor = field(init=False)

    def __post_init__(self) -> None:
        covariance = _covariance(self.moments[0], self.moments[1])
        object.__setattr__(self, "covariance", covariance)
        object.__setattr__(self, "root", sqrt_matrix(covariance))

    def distance(self, features: Tensor, region: Tensor | None, seed: int) -> Tensor:
        mean = mean_features(features, region)
        covariance = _covariance(gram(features, region), mean)
        both = trace_sqrt(self.root @ covariance @ self.root)
        traces = _trace(covariance) + _trace(self.covariance) - 2 * both
        return (mean - self.moments[1]).square().mean(1) + (traces / mean.shape[1]).to(mean.dtype)

    def magnitude(self) -> Tensor:
        mean = self.moments[1]
        return mean.square().mean(1) + (_trace(self.covariance) / mean.shape[1]).to(mean.dtype)


def _covariance(second: Tensor, mean: Tensor) -> Tensor:
    """The covariance with its ridge, in float64 on a CPU.

    The root of a rounding error of float32 is no small thing beside the root of the ridge, and there are as many of
    them as channels. On a GPU the Newton-Schulz steps end before they come to such eigenvalues.
    """
    if mean.device.type == "cpu":
        second, mean = second.double(), mean.double()
    ridge = RIDGE * torch.eye(mean.shape[1], dtype=mean.dtype, device=mean.device)
    return second - mean[:, :, None] * mean[:, None, :] + ridge


def _trace(matrix: Tensor) -> Tensor:
    return matrix.diagonal(dim1=1, dim2=2).sum(1)


@dataclass(frozen=True)
class _Sliced:
    """The mean squared distance of sorted random projections of both sets of feature vectors (Heitz 2021, eq. 2)."""

    samples: Sequence[tuple[float, Tensor]]
    projections: int

    def distance(self, features: Tensor, region: Tensor | None, seed: int) -> Tensor:
        x = _selected(features, region)
        directions = _directions(x, self.projections, seed)
        sorted_x = (directions @ x).sort(2).values
        total = x.new_zeros(x.shape[0])
        for share, y in self.samples:
            sorted_y = (directions @ y).sort(2).values
            if sorted_y.shape[2] != sorted_x.shape[2]:
                sorted_y = functional.interpolate(sorted_y, sorted_x.shape[2], mode="linear", align_corners=False)
            total = total + share * (sorted_x - sorted_y).square().mean((1, 2))
        return total

    def magnitude(self) -> Tensor:
        return torch.stack([share * y.square().mean((1, 2)) for share, y in self.samples]).sum(0)


def _directions(x: Tensor, count: int, seed: int) -> Tensor:
    """`count` random unit vectors, (count, C), drawn on the CPU so that a seed gives the same on every device."""
    generator = torch.Generator().manual_seed(seed)
    drawn = torch.randn(count, x.shape[1], generator=generator, dtype=torch.float32)
    return functional.normalize(drawn, dim=1).to(device=x.device, dtype=x.dtype)


@dataclass(frozen=True)
class _Gaussian:
    """The unbiased MMD in linear time (Gretton et al. 2012, lemma 14), kernel exp(-|x - y|^2 / (2 s^2)).

    Positions are paired at random, anew at each evaluation; s^2 is the mean squared distance of the style's own pairs.
    It can fall below zero, as an unbiased estimate of zero must.
    """

    samples: Sequence[tuple[float, Tensor]]
    bandwidths: Sequence[Tensor] = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "bandwidths", [_mean_pair_distance(y) for _, y in self.samples])

    def distance(self, features: Tensor, region: Tensor | None, seed: int) -> Tensor:
        x = _selected(features, region)
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


def _samples(sources: Sequence[Source]) -> list[tuple[float, Tensor]]:
    return [(source.share, _selected(source.features, source.region)) for source in sources]


def _selected(features: Tensor, region: Tensor | None) -> Tensor:
    """The feature vectors (B, C, N) in the region, which samples take at its half; all of them without a region."""
    flat = features.flatten(2)
    flat = flat if flat.itemsize >= 4 else flat.float()
    if region is None:
        return flat
    inside = region[0].flatten()
    # Of a region so soft that it never reaches its half, the strongest part is taken.
    return flat[:, :, inside >= min(0.5, float(inside.max()))]


_MOMENTS: dict[StyleLossName, Callable[[Tensor, Tensor | None], Moments]] = {
    "gram": lambda features, region: (gram(features, region),),
    "mean-std": mean_and_deviation,
    "mmd-linear": lambda features, region: (mean_features(features, region),),
    "mmd-poly": lambda features, region: (gram(features, region), mean_features(features, region)),
    "wasserstein": lambda features, region: (gram(features, region), mean_features(features, region)),
}
_TARGETS: dict[StyleLossName, Callable[[Moments, StyleOptions], StyleTarget]] = {
    "gram": _Gram,
    "mean-std": _MeanStd,
    "mmd-linear": _MmdLinear,
    "mmd-poly": _MmdPoly,
    "wasserstein": _Wasserstein,
}
