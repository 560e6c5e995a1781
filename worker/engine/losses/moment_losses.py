"""Losses of moments: they describe a style by numbers, whose mixture is that of the styles."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import ClassVar

import torch
from torch import Tensor

from stylefarm.worker.engine.losses.matrix_sqrt import matrix_sqrt, trace_sqrt
from stylefarm.worker.engine.losses.moments import MomentKind, Moments, PositionWeights, compute_moments

Vectors = tuple[Tensor, ...]

# Added to a covariance, which has no full rank where there are fewer positions than channels.
RIDGE = 1e-4


@dataclass(frozen=True)
class MomentLoss:
    """A style's description and how far another is from it; `offset` is the constant of the polynomial kernel.

    `precise`: whether the moments of a picture must not be rounded to the precision of its features.
    """

    target: Vectors
    offset: float = 1.0

    kinds: ClassVar[frozenset[MomentKind]]
    precise: ClassVar[bool] = False

    @classmethod
    def of(cls, sources: Sequence[tuple[float, Moments]], offset: float) -> MomentLoss:
        """The loss for the mixture of styles by their shares, which sum to 1."""
        described = [tuple(share * vector for vector in cls.statistics(moments)) for share, moments in sources]
        return cls(tuple(torch.stack(kind).sum(0) for kind in zip(*described, strict=True)), offset)

    def distance(self, features: Tensor, region: Tensor | None, seed: int = 0) -> Tensor:
        """How far features (B, C, H, W) are from the style, over `region`, (1 or B, 1, H, W): (B,)."""
        weights = PositionWeights.over(features.shape[2], features.shape[3], region)
        return self.compare(compute_moments(features, self.kinds, weights, slice(None)))

    @staticmethod
    def statistics(moments: Moments) -> Vectors:
        """What of the moments is compared, and mixed where styles are."""
        raise NotImplementedError

    def compare(self, moments: Moments) -> Tensor:
        """How far a picture of these moments is from the style: (B,)."""
        raise NotImplementedError

    def magnitude(self) -> Tensor:
        """The distance's unit: about its value for features of zero. (1,) or (B,)."""
        raise NotImplementedError


def _require(vector: Tensor | None) -> Tensor:
    if vector is None:
        raise TypeError("a moment that was not asked for")
    return vector


def _second(moments: Moments) -> Vectors:
    return (_require(moments.second),)


def _mean(moments: Moments) -> Vectors:
    return (_require(moments.mean),)


def _second_and_mean(moments: Moments) -> Vectors:
    return _require(moments.second), _require(moments.mean)


def _mean_and_deviation(moments: Moments) -> Vectors:
    # The bound keeps the root's gradient finite where a channel is constant.
    return _require(moments.mean), _require(moments.variance).clamp_min(1e-12).sqrt()


class Gram(MomentLoss):
    """mean((G - A)^2): the squared maximum mean discrepancy with the kernel (x.y)^2, over C^2."""

    kinds = frozenset({"second"})
    statistics = staticmethod(_second)

    def compare(self, moments: Moments) -> Tensor:
        return (_require(moments.second) - self.target[0]).square().mean((1, 2))

    def magnitude(self) -> Tensor:
        return self.target[0].square().mean((1, 2))


class MeanStd(MomentLoss):
    """(1 / C) sum((mu - mu')^2 + (sigma - sigma')^2), what Li et al. call the batch normalization statistics."""

    kinds = frozenset({"mean", "variance"})
    statistics = staticmethod(_mean_and_deviation)

    def compare(self, moments: Moments) -> Tensor:
        mean, std = _mean_and_deviation(moments)
        return (mean - self.target[0]).square().mean(1) + (std - self.target[1]).square().mean(1)

    def magnitude(self) -> Tensor:
        return self.target[0].square().mean(1) + self.target[1].square().mean(1)


class MmdLinear(MomentLoss):
    """The squared distance of the mean feature vectors: the kernel x.y."""

    kinds = frozenset({"mean"})
    statistics = staticmethod(_mean)

    def compare(self, moments: Moments) -> Tensor:
        return (_require(moments.mean) - self.target[0]).square().sum(1)

    def magnitude(self) -> Tensor:
        return self.target[0].square().sum(1)


class MmdPoly(MomentLoss):
    """The kernel (x.y + c)^2 = (x.y)^2 + 2 c x.y + c^2, so: |G - A|^2 + 2 c |mu - mu'|^2."""

    kinds = frozenset({"second", "mean"})
    statistics = staticmethod(_second_and_mean)

    def compare(self, moments: Moments) -> Tensor:
        second, mean = _second_and_mean(moments)
        first = (mean - self.target[1]).square().sum(1)
        return (second - self.target[0]).square().sum((1, 2)) + 2 * self.offset * first

    def magnitude(self) -> Tensor:
        return self.target[0].square().sum((1, 2)) + 2 * self.offset * self.target[1].square().sum(1)


@dataclass(frozen=True)
class Wasserstein(MomentLoss):
    """The squared 2-Wasserstein distance of two Gaussians, over C (Dowson and Landau 1982).

    Its gradient holds the inverse root of a covariance that hardly has full rank. In bfloat16 what rounding does to a
    second moment, or to a product with that root, is many times as large as the smallest eigenvalues: it diverges.
    """

    covariance: Tensor = field(init=False)
    root: Tensor = field(init=False)

    kinds = frozenset({"second", "mean"})
    precise = True
    statistics = staticmethod(_second_and_mean)

    def __post_init__(self) -> None:
        covariance = _covariance(*self.target)
        object.__setattr__(self, "covariance", covariance)
        object.__setattr__(self, "root", matrix_sqrt(covariance))

    def compare(self, moments: Moments) -> Tensor:
        second, mean = _second_and_mean(moments)
        covariance = _covariance(second, mean)
        both = trace_sqrt(self.root @ covariance @ self.root)
        traces = _trace(covariance) + _trace(self.covariance) - 2 * both
        return (mean - self.target[1]).square().mean(1) + (traces / mean.shape[1]).to(mean.dtype)

    def magnitude(self) -> Tensor:
        mean = self.target[1]
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
