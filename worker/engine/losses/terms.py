"""The terms of an objective: one loss at one layer each, accumulated by rows, and its gradient for the features."""

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

AddTermGrad = Callable[[Tensor | None, Tensor, slice, float | Tensor], Tensor]
"""Adds the gradient of one term: (gradient so far, features, their rows, factor: a number or (B,)) -> gradient."""


class Accumulator(Protocol):
    """One term in one evaluation: it gets the layer's rows in turn, and then knows its error."""

    def update(self, features: Tensor, rows: slice) -> None:
        """Add rows of the layer, (B, C, N rows, W).

        Args:
            features: (B, C, N rows, W).
            rows: Which rows of the layer they are.
        """
        ...

    def error(self) -> Tensor:
        """Return the error (B,) of all rows."""
        ...

    def error_and_grad(self) -> tuple[Tensor, AddTermGrad]:
        """Return the error (B,), and what adds its gradient."""
        ...


class LossTarget(Protocol):
    """What a term compares an image's features with."""

    def accumulator(self, seed: int) -> Accumulator:
        """Begin an evaluation; what is drawn at random depends on `seed`."""
        ...

    def magnitude(self) -> Tensor:
        """Return the unit of the error, about its value for features of zero: (1,) or (B,)."""
        ...


@dataclass(frozen=True)
class ContentTarget:
    """The features of the content, (1 or B, C, H, W): the error is the mean squared difference.

    Example:
        >>> accumulator = ContentTarget(torch.zeros(1, 1, 2, 2)).accumulator(seed=0)
        >>> accumulator.update(torch.ones(1, 1, 2, 2), slice(None))
        >>> accumulator.error().item()
        1.0
    """

    target: Tensor

    def accumulator(self, seed: int) -> Accumulator:
        """Begin an evaluation; nothing is drawn at random."""
        return _ContentAccumulator(self.target)

    def magnitude(self) -> Tensor:
        """Return the mean square of the target."""
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
        return self.error(), self._add_grad

    def _add_grad(self, grad: Tensor | None, features: Tensor, rows: slice, scale: float | Tensor) -> Tensor:
        difference = features - self.target[:, :, rows]
        factor = scale * (2 / self.target[0].numel())
        if isinstance(factor, Tensor):
            difference = difference.mul_(factor.to(difference.dtype).view(-1, 1, 1, 1))
            return difference if grad is None else grad.add_(difference)
        return difference.mul_(factor) if grad is None else grad.add_(difference, alpha=factor)


@dataclass(frozen=True)
class MomentTarget:
    """A loss of moments, over weighted positions of the layer."""

    loss: MomentLoss
    weights: PositionWeights

    def accumulator(self, seed: int) -> Accumulator:
        """Begin an evaluation; nothing is drawn at random."""
        return _MomentAccumulator(self.loss, self.weights)

    def magnitude(self) -> Tensor:
        """Return that of the loss."""
        return self.loss.magnitude()


class _MomentAccumulator:
    def __init__(self, loss: MomentLoss, weights: PositionWeights) -> None:
        self.loss = loss
        self.weights = weights
        self.found: Moments | None = None

    def update(self, features: Tensor, rows: slice) -> None:
        part = compute_moments(features, self.loss.moments, self.weights, rows, precise=self.loss.precise)
        self.found = part if self.found is None else self.found.merged(part)

    def error(self) -> Tensor:
        return self.loss.distance_from(self._moments())

    def error_and_grad(self) -> tuple[Tensor, AddTermGrad]:
        found = self._moments()
        error, gradient = self.loss.distance_and_grad(found)
        moment_grad = MomentGrad.of(found, gradient, self.weights, precise=self.loss.precise)
        return error, lambda g, features, rows, scale: moment_grad.scaled(scale).add_to(g, features, rows)

    def _moments(self) -> Moments:
        if self.found is None:
            raise TypeError("the accumulator has no rows yet")
        return self.found


@dataclass(frozen=True)
class SampleTarget:
    """A loss over samples, in a region (1 or B, 1, H, W) of the layer; None for all of it."""

    loss: SampleLoss
    region: Tensor | None

    def accumulator(self, seed: int) -> Accumulator:
        """Begin an evaluation; what is drawn at random depends on `seed`."""
        return _SampleAccumulator(self.loss, self.region, seed)

    def magnitude(self) -> Tensor:
        """Return that of the loss."""
        return self.loss.magnitude()


def batched_target(targets: Sequence[LossTarget]) -> LossTarget | None:
    """Return one target for a batch, of those of its images.

    Args:
        targets: The target of each image, of one kind.

    Returns:
        The target of the batch; None for losses over samples, and in regions, which cannot be batched.

    Example:
        >>> batched = batched_target([ContentTarget(torch.zeros(1, 2, 3, 3)), ContentTarget(torch.ones(1, 2, 3, 3))])
        >>> tuple(batched.target.shape), batched.magnitude().tolist()
        ((2, 2, 3, 3), [0.0, 1.0])
    """
    first = targets[0]
    if isinstance(first, ContentTarget):
        return ContentTarget(torch.cat([m.target for m in targets if isinstance(m, ContentTarget)]))
    moments = [m for m in targets if isinstance(m, MomentTarget) and m.weights.region is None]
    if not isinstance(first, MomentTarget) or len(moments) < len(targets):
        return None
    target = tuple(torch.cat(vectors) for vectors in zip(*(m.loss.target for m in moments), strict=True))
    return MomentTarget(type(first.loss)(target, first.loss.options), first.weights)


class _SampleAccumulator:
    """Its gradient is autograd's, at the layer alone: sorting has no shorter one."""

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

        def add_grad(grad: Tensor | None, features: Tensor, rows: slice, scale: float | Tensor) -> Tensor:
            part = own * (scale.view(-1, 1, 1, 1) if isinstance(scale, Tensor) else scale)
            part = part.to(features.dtype)
            return part if grad is None else grad.add_(part)

        return error.detach(), add_grad

    def _all(self) -> Tensor:
        if self.features is None:
            raise TypeError("the accumulator has no rows yet")
        return self.features
