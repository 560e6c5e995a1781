"""The terms of an objective: one loss at one layer each, taken part by part, and its gradient for the features."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from stylefarm.worker.engine.losses.content import mse_per_image
from stylefarm.worker.engine.losses.moment_losses import MomentLoss
from stylefarm.worker.engine.losses.moments import MomentGrad, Moments, PositionWeights, compute_moments
from stylefarm.worker.engine.losses.sample_losses import SampleLoss

# The gradient of one term: adds it to a layer's grad, for rows of its features, times a number or (B,).
AddTermGrad = Callable[[Tensor | None, Tensor, slice, float | Tensor], Tensor]


class Accumulator(Protocol):
    """One term at one picture: it is shown the layer's rows in turn, and then knows its error."""

    def update(self, features: Tensor, rows: slice) -> None:
        """Looks at rows of the layer."""
        ...

    def error(self) -> Tensor:
        """The error (B,), of the rows that were taken."""
        ...

    def error_and_grad(self) -> tuple[Tensor, AddTermGrad]:
        """The error, and its gradient."""
        ...


class LossTarget(Protocol):
    """What a term compares a picture's features with."""

    def accumulator(self, seed: int) -> Accumulator:
        """Begins to read a picture; samples are drawn by `seed`."""
        ...

    def magnitude(self) -> Tensor:
        """The error's unit: about its value for features of zero. (1,) or (B,)."""
        ...


@dataclass(frozen=True)
class ContentTarget:
    """The mean squared error to features (1 or B, C, H, W)."""

    target: Tensor

    def accumulator(self, seed: int) -> Accumulator:
        return _ContentAccumulator(self.target)

    def magnitude(self) -> Tensor:
        return mse_per_image(self.target, torch.zeros_like(self.target[:1, :1, :1, :1]))


class _ContentAccumulator:
    def __init__(self, target: Tensor) -> None:
        self.target = target
        self.sum: Tensor | float = 0.0

    def update(self, features: Tensor, rows: slice) -> None:
        target = self.target[:, :, rows]
        share = target.shape[2] / self.target.shape[2]
        self.sum = self.sum + mse_per_image(features, target) * share

    def error(self) -> Tensor:
        return torch.as_tensor(self.sum)

    def error_and_grad(self) -> tuple[Tensor, AddTermGrad]:
        return self.error(), self._add

    def _add(self, grad: Tensor | None, features: Tensor, rows: slice, scale: float | Tensor) -> Tensor:
        difference = features - self.target[:, :, rows]
        factor = scale * (2 / self.target[0].numel())
        if isinstance(factor, Tensor):
            difference = difference.mul_(factor.to(difference.dtype).view(-1, 1, 1, 1))
            return difference if grad is None else grad.add_(difference)
        return difference.mul_(factor) if grad is None else grad.add_(difference, alpha=factor)


@dataclass(frozen=True)
class MomentTarget:
    """A style's moments, over the positions that count."""

    loss: MomentLoss
    weights: PositionWeights

    def accumulator(self, seed: int) -> Accumulator:
        return _MomentAccumulator(self.loss, self.weights)

    def magnitude(self) -> Tensor:
        return self.loss.magnitude()


class _MomentAccumulator:
    def __init__(self, loss: MomentLoss, weights: PositionWeights) -> None:
        self.loss = loss
        self.weights = weights
        self.found: Moments | None = None

    def update(self, features: Tensor, rows: slice) -> None:
        part = compute_moments(features, self.loss.moments, self.weights, rows, precise=self.loss.precise)
        self.found = part if self.found is None else self.found.joined(part)

    def error(self) -> Tensor:
        return self.loss.distance_from(self.moments)

    def error_and_grad(self) -> tuple[Tensor, AddTermGrad]:
        found = self.moments
        every = {kind: getattr(found, kind) for kind in sorted(self.loss.moments)}
        leaves = {kind: value.detach().requires_grad_() for kind, value in every.items()}
        with torch.enable_grad():
            error = self.loss.distance_from(Moments(found.share, **leaves))
            # No picture's error depends on another picture, so the gradient of their sum holds each one's own.
            gradients = torch.autograd.grad(error.sum(), list(leaves.values()))
        gradient = Moments(found.share, **dict(zip(leaves, gradients, strict=True)))
        grad = MomentGrad.of(found, gradient, self.weights, precise=self.loss.precise)
        return error.detach(), lambda g, features, rows, scale: grad.scaled(scale).add_to(g, features, rows)

    @property
    def moments(self) -> Moments:
        """The moments of what was taken."""
        if self.found is None:
            raise TypeError("nothing was taken")
        return self.found


@dataclass(frozen=True)
class SampleTarget:
    """A style's feature vectors, against those of a region (1 or B, 1, H, W); None: all."""

    loss: SampleLoss
    region: Tensor | None

    def accumulator(self, seed: int) -> Accumulator:
        return _SampleAccumulator(self.loss, self.region, seed)

    def magnitude(self) -> Tensor:
        return self.loss.magnitude()


def batched_target(targets: Sequence[LossTarget]) -> LossTarget | None:
    """What a batch is compared with, of what its pictures are, one each; None for samples, and for regions."""
    first = targets[0]
    if isinstance(first, ContentTarget):
        return ContentTarget(torch.cat([m.target for m in targets if isinstance(m, ContentTarget)]))
    moments = [m for m in targets if isinstance(m, MomentTarget) and m.weights.region is None]
    if not isinstance(first, MomentTarget) or len(moments) < len(targets):
        return None
    target = tuple(torch.cat(vectors) for vectors in zip(*(m.loss.target for m in moments), strict=True))
    return MomentTarget(type(first.loss)(target, first.loss.options), first.weights)


class _SampleAccumulator:
    """It is known to autograd, at its own layer: sorting has no shorter way back."""

    def __init__(self, loss: SampleLoss, region: Tensor | None, seed: int) -> None:
        self.loss = loss
        self.region = region
        self.seed = seed
        self.features: Tensor | None = None

    def update(self, features: Tensor, rows: slice) -> None:
        if self.features is not None or rows != slice(None):
            raise TypeError("a loss over samples needs all of its layer at once")
        self.features = features

    def error(self) -> Tensor:
        return self.loss.distance(self._all(), self.region, self.seed)

    def error_and_grad(self) -> tuple[Tensor, AddTermGrad]:
        leaf = self._all().detach().requires_grad_()
        with torch.enable_grad():
            error = self.loss.distance(leaf, self.region, self.seed)
            (own,) = torch.autograd.grad(error.sum(), leaf)

        def add(grad: Tensor | None, features: Tensor, rows: slice, scale: float | Tensor) -> Tensor:
            part = own * (scale.view(-1, 1, 1, 1) if isinstance(scale, Tensor) else scale)
            part = part.to(features.dtype)
            return part if grad is None else grad.add_(part)

        return error.detach(), add

    def _all(self) -> Tensor:
        if self.features is None:
            raise TypeError("nothing was taken")
        return self.features
