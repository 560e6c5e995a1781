"""The terms of an objective: one loss at one layer each, taken part by part, and its gradient for the features."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from stylefarm.worker.engine.losses.content import squared_error
from stylefarm.worker.engine.losses.moment_losses import MomentLoss
from stylefarm.worker.engine.losses.moments import Moments, MomentSlope, Weights, moments_of
from stylefarm.worker.engine.losses.sample_losses import SampleLoss

# The gradient of one term: adds it to a layer's slope, for rows of its features, times a number or (B,).
AddSlope = Callable[[Tensor | None, Tensor, slice, float | Tensor], Tensor]


class Reading(Protocol):
    """One term at one picture: it is shown the layer's rows in turn, and then knows its error."""

    def take(self, features: Tensor, rows: slice) -> None:
        """Looks at rows of the layer."""
        ...

    def error(self) -> Tensor:
        """The error (B,), of the rows that were taken."""
        ...

    def slope(self) -> tuple[Tensor, AddSlope]:
        """The error, and its gradient."""
        ...


class Measure(Protocol):
    """What a term compares a picture's features with."""

    def reading(self, seed: int) -> Reading:
        """Begins to read a picture; samples are drawn by `seed`."""
        ...

    def magnitude(self) -> Tensor:
        """The error's unit: about its value for features of zero. (1,) or (B,)."""
        ...


@dataclass(frozen=True)
class ContentMeasure:
    """The mean squared error to features (1 or B, C, H, W)."""

    target: Tensor

    def reading(self, seed: int) -> Reading:
        return _ContentReading(self.target)

    def magnitude(self) -> Tensor:
        return squared_error(self.target, torch.zeros_like(self.target[:1, :1, :1, :1]))


class _ContentReading:
    def __init__(self, target: Tensor) -> None:
        self.target = target
        self.sum: Tensor | float = 0.0

    def take(self, features: Tensor, rows: slice) -> None:
        target = self.target[:, :, rows]
        share = target.shape[2] / self.target.shape[2]
        self.sum = self.sum + squared_error(features, target) * share

    def error(self) -> Tensor:
        return torch.as_tensor(self.sum)

    def slope(self) -> tuple[Tensor, AddSlope]:
        return self.error(), self._add

    def _add(self, slope: Tensor | None, features: Tensor, rows: slice, scale: float | Tensor) -> Tensor:
        difference = features - self.target[:, :, rows]
        factor = scale * (2 / self.target[0].numel())
        if isinstance(factor, Tensor):
            difference = difference.mul_(factor.to(difference.dtype).view(-1, 1, 1, 1))
            return difference if slope is None else slope.add_(difference)
        return difference.mul_(factor) if slope is None else slope.add_(difference, alpha=factor)


@dataclass(frozen=True)
class MomentMeasure:
    """A style's moments, over the positions that count."""

    loss: MomentLoss
    weights: Weights

    def reading(self, seed: int) -> Reading:
        return _MomentReading(self.loss, self.weights)

    def magnitude(self) -> Tensor:
        return self.loss.magnitude()


class _MomentReading:
    def __init__(self, loss: MomentLoss, weights: Weights) -> None:
        self.loss = loss
        self.weights = weights
        self.found: Moments | None = None

    def take(self, features: Tensor, rows: slice) -> None:
        part = moments_of(features, self.loss.kinds, self.weights, rows, precise=self.loss.precise)
        self.found = part if self.found is None else self.found.joined(part)

    def error(self) -> Tensor:
        return self.loss.compare(self.moments)

    def slope(self) -> tuple[Tensor, AddSlope]:
        found = self.moments
        every = {kind: getattr(found, kind) for kind in sorted(self.loss.kinds)}
        leaves = {kind: value.detach().requires_grad_() for kind, value in every.items()}
        with torch.enable_grad():
            error = self.loss.compare(Moments(found.share, **leaves))
            # No picture's error depends on another picture, so the gradient of their sum holds each one's own.
            gradients = torch.autograd.grad(error.sum(), list(leaves.values()))
        gradient = Moments(found.share, **dict(zip(leaves, gradients, strict=True)))
        slope = MomentSlope.of(found, gradient, self.weights, precise=self.loss.precise)
        return error.detach(), lambda g, features, rows, scale: slope.scaled(scale).add_to(g, features, rows)

    @property
    def moments(self) -> Moments:
        """The moments of what was taken."""
        if self.found is None:
            raise TypeError("nothing was taken")
        return self.found


@dataclass(frozen=True)
class SampleMeasure:
    """A style's feature vectors, against those of a region (1 or B, 1, H, W); None: all."""

    loss: SampleLoss
    region: Tensor | None

    def reading(self, seed: int) -> Reading:
        return _SampleReading(self.loss, self.region, seed)

    def magnitude(self) -> Tensor:
        return self.loss.magnitude()


def joined_measure(measures: Sequence[Measure]) -> Measure | None:
    """What a batch is compared with, of what its pictures are, one each; None for samples, and for regions."""
    first = measures[0]
    if isinstance(first, ContentMeasure):
        return ContentMeasure(torch.cat([m.target for m in measures if isinstance(m, ContentMeasure)]))
    moments = [m for m in measures if isinstance(m, MomentMeasure) and m.weights.region is None]
    if not isinstance(first, MomentMeasure) or len(moments) < len(measures):
        return None
    target = tuple(torch.cat(vectors) for vectors in zip(*(m.loss.target for m in moments), strict=True))
    return MomentMeasure(type(first.loss)(target, first.loss.offset), first.weights)


class _SampleReading:
    """It is known to autograd, at its own layer: sorting has no shorter way back."""

    def __init__(self, loss: SampleLoss, region: Tensor | None, seed: int) -> None:
        self.loss = loss
        self.region = region
        self.seed = seed
        self.features: Tensor | None = None

    def take(self, features: Tensor, rows: slice) -> None:
        if self.features is not None or rows != slice(None):
            raise TypeError("a loss over samples needs all of its layer at once")
        self.features = features

    def error(self) -> Tensor:
        return self.loss.distance(self._all(), self.region, self.seed)

    def slope(self) -> tuple[Tensor, AddSlope]:
        leaf = self._all().detach().requires_grad_()
        with torch.enable_grad():
            error = self.loss.distance(leaf, self.region, self.seed)
            (own,) = torch.autograd.grad(error.sum(), leaf)

        def add(slope: Tensor | None, features: Tensor, rows: slice, scale: float | Tensor) -> Tensor:
            part = own * (scale.view(-1, 1, 1, 1) if isinstance(scale, Tensor) else scale)
            part = part.to(features.dtype)
            return part if slope is None else slope.add_(part)

        return error.detach(), add

    def _all(self) -> Tensor:
        if self.features is None:
            raise TypeError("nothing was taken")
        return self.features
