"""Style losses of moments: a style is described by statistics, whose mixture is that of the styles.

Notation: f_k is the feature vector at position k, of C channels; w_k the weight of the position, summing to 1;
mu = sum_k w_k f_k; G = sum_k w_k f_k f_k^T; S = G - mu mu^T. Letters with a prime are the style's.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import ClassVar, Self

import torch
from torch import Tensor

from stylefarm.worker.engine.losses.matrix_sqrt import matrix_sqrt, trace_sqrt
from stylefarm.worker.engine.losses.moments import MomentKind, Moments, PositionWeights, compute_moments
from stylefarm.worker.engine.losses.options import StyleOptions

Statistics = tuple[Tensor, ...]

# Added to the diagonal of a covariance, which is singular where there are fewer positions than channels.
RIDGE = 1e-4

# The least size of a covariance, or a mean, that an error is divided by, as a share of the second moment's.
MIN_RATIO = 1e-4


@dataclass(frozen=True)
class MomentLoss:
    """A style loss that needs only moments, so that an image may be read in strips. The base class of such losses.

    A subclass sets `moments`, and defines `statistics`, `distance_from` and `magnitude`.

    Args:
        target: The statistics of the style, or of the mixture of styles, each (1 or B, ...).
        options: Parameters of style losses.

    Attributes:
        moments: The moments that are computed of features.
        precise: Whether moments must not be rounded to the precision of the features.
    """

    target: Statistics
    options: StyleOptions = field(default_factory=StyleOptions)

    moments: ClassVar[frozenset[MomentKind]]
    precise: ClassVar[bool] = False

    @classmethod
    def for_styles(cls, sources: Sequence[tuple[float, Moments]], options: StyleOptions) -> Self:
        """Return the loss for a mixture of styles.

        Args:
            sources: The share of each style, which sum to 1, and its moments.
            options: Parameters of style losses.
        """
        parts = [tuple(share * statistic for statistic in cls.statistics(moments)) for share, moments in sources]
        return cls(tuple(torch.stack(kind).sum(0) for kind in zip(*parts, strict=True)), options)

    def distance(self, features: Tensor, region: Tensor | None, seed: int = 0) -> Tensor:
        """Return the loss of features (B, C, H, W), over a region (1 or B, 1, H, W) or all of them: (B,).

        Args:
            features: (B, C, H, W), any float dtype.
            region: Weights of the positions, (1 or B, 1, H, W); None: all alike.
            seed: Not used by losses of moments.
        """
        weights = PositionWeights.over(features.shape[2], features.shape[3], region)
        return self.distance_from(compute_moments(features, self.moments, weights, slice(None)))

    @staticmethod
    def statistics(moments: Moments) -> Statistics:
        """Return what is compared, and mixed where styles are, each (B, ...)."""
        raise NotImplementedError

    def distance_from(self, moments: Moments) -> Tensor:
        """Return the loss of an image with these moments: (B,), differentiable by autograd."""
        raise NotImplementedError

    def distance_and_grad(self, moments: Moments) -> tuple[Tensor, Moments]:
        """Return the loss (B,) and its gradient for each of the moments, by autograd.

        Args:
            moments: Those of the whole image.
        """
        leaves = {kind: getattr(moments, kind).detach().requires_grad_() for kind in sorted(self.moments)}
        with torch.enable_grad():
            distance = self.distance_from(Moments(moments.share, **leaves))
            # No image's loss depends on another image, so the gradient of their sum holds each one's own.
            gradients = torch.autograd.grad(distance.sum(), list(leaves.values()))
        return distance.detach(), Moments(moments.share, **dict(zip(leaves, gradients, strict=True)))

    def magnitude(self) -> Tensor:
        """Return the unit of the loss, about its value for features of zero: (1,) or (B,)."""
        raise NotImplementedError


def require(moment: Tensor | None) -> Tensor:
    """Return the moment. Raises TypeError if it is not among the loss's `moments`.

    Example:
        >>> require(torch.ones(1)).item()
        1.0
    """
    if moment is None:
        raise TypeError("this moment is not among those that the loss asks for")
    return moment


def _second(moments: Moments) -> Statistics:
    return (require(moments.second),)


def _mean(moments: Moments) -> Statistics:
    return (require(moments.mean),)


def _second_and_mean(moments: Moments) -> Statistics:
    return require(moments.second), require(moments.mean)


def _mean_and_std(moments: Moments) -> Statistics:
    # The bound keeps the square root's gradient finite where a channel is constant.
    return require(moments.mean), require(moments.variance).clamp_min(1e-12).sqrt()


class Gram(MomentLoss):
    """The distance of Gram matrices: (1 / C^2) sum_ij (G_ij - G'_ij)^2.

    It is the squared maximum mean discrepancy with the kernel (x.y)^2, over C^2.

    Source:
        Gatys, Ecker and Bethge 2016, eq. 4; Li et al. 2017, eq. 6.

    Example:
        >>> style = Moments(torch.ones(1), second=torch.eye(2)[None])
        >>> loss = Gram.for_styles([(1.0, style)], StyleOptions())
        >>> loss.distance_from(Moments(torch.ones(1), second=3 * torch.eye(2)[None])).item()
        2.0
    """

    moments = frozenset({"second"})
    statistics = staticmethod(_second)

    def distance_from(self, moments: Moments) -> Tensor:
        """Return (1 / C^2) |G - G'|^2: (B,)."""
        return (require(moments.second) - self.target[0]).square().mean((1, 2))

    def distance_and_grad(self, moments: Moments) -> tuple[Tensor, Moments]:
        """Return the distance (B,) and its gradient (2 / C^2) (G - G')."""
        difference = require(moments.second) - self.target[0]
        count = difference.shape[1] * difference.shape[2]
        distance = torch.linalg.vector_norm(difference, dim=(1, 2)).square() / count
        return distance, Moments(moments.share, second=difference.mul_(2 / count))

    def magnitude(self) -> Tensor:
        """Return (1 / C^2) |G'|^2."""
        return self.target[0].square().mean((1, 2))


@dataclass(frozen=True)
class Covariance(MomentLoss):
    """The relative distances of covariances and of means: (|S - S'|^2 / |S'|^2 + |mu - mu'|^2 / |mu'|^2) / 2.

    A Gram matrix mixes the two: where it is right, a mean may be too large and a covariance too small, which shows as
    specks of colors that neither image has. It costs what `Gram` costs.

    Source:
        Li et al. 2017, section 3: the Gram matrix of centered features, and their mean. Departure: each is divided by
        the style's own, so that they count alike at all layers.

    Example:
        >>> features = torch.tensor([[[[1.0, 3.0]]]])  # mean 2, variance 1
        >>> moments = compute_moments(features, Covariance.moments, PositionWeights(2), slice(None))
        >>> loss = Covariance.for_styles([(1.0, moments)], StyleOptions())
        >>> round(loss.distance(features + 2, None).item(), 3)
        0.5
    """

    covariance: Tensor = field(init=False)
    units: tuple[Tensor, Tensor] = field(init=False)

    moments = frozenset({"second", "mean"})
    statistics = staticmethod(_second_and_mean)

    def __post_init__(self) -> None:
        """Compute S' and the sizes of both once."""
        second, mean = self.target
        object.__setattr__(self, "covariance", _centered(second, mean))
        # A share of the second moment bounds the error from a style of a single color, which has no covariance.
        covariance = self.covariance.square().sum((1, 2)) + MIN_RATIO * second.square().sum((1, 2))
        size = mean.square().sum(1) + MIN_RATIO * _trace(second)
        object.__setattr__(self, "units", (covariance.clamp_min(1e-30), size.clamp_min(1e-30)))

    def distance_from(self, moments: Moments) -> Tensor:
        """Return the mean of both relative distances: (B,)."""
        second, mean = _second_and_mean(moments)
        of_covariance = (_centered(second, mean) - self.covariance).square().sum((1, 2)) / self.units[0]
        return (of_covariance + (mean - self.target[1]).square().sum(1) / self.units[1]) / 2

    def distance_and_grad(self, moments: Moments) -> tuple[Tensor, Moments]:
        """Return the distance (B,) and its gradient, written out, in few passes over C x C values.

        With D = S - S' it is D / |S'|^2 for S, and (mu - mu') / |mu'|^2 - 2 D mu / |S'|^2 for mu.
        """
        second, mean = _second_and_mean(moments)
        difference = torch.baddbmm(second, mean[:, :, None], mean[:, None, :], alpha=-1).sub_(self.covariance)
        apart = mean - self.target[1]
        squares = torch.linalg.vector_norm(difference, dim=(1, 2)).square()
        distance = (squares / self.units[0] + apart.square().sum(1) / self.units[1]) / 2
        of_second = difference.div_(self.units[0][:, None, None])
        of_mean = apart / self.units[1][:, None] - 2 * (of_second @ mean[:, :, None])[:, :, 0]
        return distance, Moments(moments.share, mean=of_mean, second=of_second)

    def magnitude(self) -> Tensor:
        """Return 1: the distances are relative."""
        return torch.ones_like(self.units[0])


class MeanStd(MomentLoss):
    """The distance of means and standard deviations: (1 / C) sum_c (mu_c - mu'_c)^2 + (sigma_c - sigma'_c)^2.

    Source:
        Li et al. 2017, eq. 10, where they are called batch normalization statistics.

    Example:
        >>> features = torch.ones(1, 2, 3, 3)
        >>> moments = compute_moments(features, MeanStd.moments, PositionWeights(9), slice(None))
        >>> loss = MeanStd.for_styles([(1.0, moments)], StyleOptions())
        >>> loss.distance(2 * features, None).item()
        1.0
    """

    moments = frozenset({"mean", "variance"})
    statistics = staticmethod(_mean_and_std)

    def distance_from(self, moments: Moments) -> Tensor:
        """Return (1 / C) (|mu - mu'|^2 + |sigma - sigma'|^2): (B,)."""
        mean, std = _mean_and_std(moments)
        return (mean - self.target[0]).square().mean(1) + (std - self.target[1]).square().mean(1)

    def magnitude(self) -> Tensor:
        """Return (1 / C) (|mu'|^2 + |sigma'|^2)."""
        return self.target[0].square().mean(1) + self.target[1].square().mean(1)


class MmdLinear(MomentLoss):
    """The squared maximum mean discrepancy with the kernel x.y: |mu - mu'|^2.

    Source:
        Li et al. 2017, eq. 7 and 8.

    Example:
        >>> features = torch.ones(1, 2, 3, 3)
        >>> moments = compute_moments(features, MmdLinear.moments, PositionWeights(9), slice(None))
        >>> loss = MmdLinear.for_styles([(1.0, moments)], StyleOptions())
        >>> loss.distance(2 * features, None).item()
        2.0
    """

    moments = frozenset({"mean"})
    statistics = staticmethod(_mean)

    def distance_from(self, moments: Moments) -> Tensor:
        """Return |mu - mu'|^2: (B,)."""
        return (require(moments.mean) - self.target[0]).square().sum(1)

    def magnitude(self) -> Tensor:
        """Return |mu'|^2."""
        return self.target[0].square().sum(1)


class MmdPoly(MomentLoss):
    """The squared maximum mean discrepancy with the kernel (x.y + c)^2: |G - G'|^2 + 2 c |mu - mu'|^2.

    The kernel is (x.y)^2 + 2 c x.y + c^2, whose constant drops out; c is `options.offset`.

    Source:
        Li et al. 2017, eq. 7 and 8.

    Example:
        >>> features = torch.ones(1, 2, 3, 3)
        >>> moments = compute_moments(features, MmdPoly.moments, PositionWeights(9), slice(None))
        >>> loss = MmdPoly.for_styles([(1.0, moments)], StyleOptions())
        >>> loss.distance(2 * features, None).item()  # |3 x ones(2, 2)|^2 + 2 |ones(2)|^2
        40.0
    """

    moments = frozenset({"second", "mean"})
    statistics = staticmethod(_second_and_mean)

    def distance_from(self, moments: Moments) -> Tensor:
        """Return |G - G'|^2 + 2 c |mu - mu'|^2: (B,)."""
        second, mean = _second_and_mean(moments)
        first = (mean - self.target[1]).square().sum(1)
        return (second - self.target[0]).square().sum((1, 2)) + 2 * self.options.offset * first

    def magnitude(self) -> Tensor:
        """Return |G'|^2 + 2 c |mu'|^2."""
        return self.target[0].square().sum((1, 2)) + 2 * self.options.offset * self.target[1].square().sum(1)


@dataclass(frozen=True)
class Wasserstein(MomentLoss):
    """The squared 2-Wasserstein distance of two Gaussians, over C.

    (1 / C) (|mu - mu'|^2 + tr(S + S' - 2 (S'^1/2 S S'^1/2)^1/2)), with a ridge on both covariances.

    Its gradient holds the inverse square root of a covariance that is nearly singular. In bfloat16 the rounding of a
    second moment, or of a product with that root, is many times as large as the smallest eigenvalues, and the
    optimization diverges; hence `precise`.

    Source:
        Dowson and Landau 1982, "The Fréchet distance between multivariate normal distributions".

    Example:
        >>> features = torch.ones(1, 2, 3, 3)
        >>> moments = compute_moments(features, Wasserstein.moments, PositionWeights(9), slice(None))
        >>> loss = Wasserstein.for_styles([(1.0, moments)], StyleOptions())
        >>> loss.distance(2 * features, None).item()
        1.0...
    """

    covariance: Tensor = field(init=False)
    root: Tensor = field(init=False)

    moments = frozenset({"second", "mean"})
    precise = True
    statistics = staticmethod(_second_and_mean)

    def __post_init__(self) -> None:
        """Compute S' and its square root once."""
        covariance = _covariance(*self.target)
        object.__setattr__(self, "covariance", covariance)
        object.__setattr__(self, "root", matrix_sqrt(covariance))

    def distance_from(self, moments: Moments) -> Tensor:
        """Return the distance: (B,)."""
        second, mean = _second_and_mean(moments)
        covariance = _covariance(second, mean)
        both = trace_sqrt(self.root @ covariance @ self.root)
        traces = _trace(covariance) + _trace(self.covariance) - 2 * both
        return (mean - self.target[1]).square().mean(1) + (traces / mean.shape[1]).to(mean.dtype)

    def magnitude(self) -> Tensor:
        """Return (1 / C) (|mu'|^2 + tr S')."""
        mean = self.target[1]
        return mean.square().mean(1) + (_trace(self.covariance) / mean.shape[1]).to(mean.dtype)


def _covariance(second: Tensor, mean: Tensor) -> Tensor:
    """Return the covariance with its ridge, in float64 on a CPU.

    The square root of a rounding error of float32 is not small beside the root of the ridge, and there are as many of
    them as channels. On a GPU the Newton-Schulz iteration ends before it resolves such eigenvalues.
    """
    if mean.device.type == "cpu":
        second, mean = second.double(), mean.double()
    return _centered(second, mean) + RIDGE * torch.eye(mean.shape[1], dtype=mean.dtype, device=mean.device)


def _centered(second: Tensor, mean: Tensor) -> Tensor:
    """Return the covariance of a second moment and a mean: G - mu mu^T."""
    return second - mean[:, :, None] * mean[:, None, :]


def _trace(matrix: Tensor) -> Tensor:
    return matrix.diagonal(dim1=1, dim2=2).sum(1)
