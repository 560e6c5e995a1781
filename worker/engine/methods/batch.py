"""Objectives of several images that are optimized as one batch."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from stylefarm.worker.engine.methods.objective import Objective, ObjectiveFunction


def batch_objectives(objectives: Sequence[Objective], *, at_once: bool) -> ObjectiveFunction:
    """Return the objective of a batch.

    Args:
        objectives: The objective of each image.
        at_once: Whether the images go through the network at once, where they can; otherwise one after the other.

    Example:
        each = [Objective(network, content, styles, settings) for content in contents]
        objective = batch_objectives(each, at_once=True)
        losses, gradient = objective.gradient(torch.cat(contents))
    """
    if len(objectives) == 1:
        return objectives[0]
    return (Objective.batched(objectives) if at_once else None) or SequentialObjectives(objectives)


class SequentialObjectives:
    """The objective of a batch whose images go through the network one after the other.

    On a CPU a batch is no faster than one image after the other, which needs less memory and gives each image the very
    bits that it has alone.

    Args:
        objectives: Objectives of one image each, (1, 3, H, W), of one size and in one space.

    Example:
        >>> from types import SimpleNamespace
        >>> square = SimpleNamespace(space=None, losses=lambda image, _: image.square().sum((1, 2, 3))[:, None])
        >>> SequentialObjectives([square, square]).losses(torch.ones(2, 3, 1, 1)).tolist()
        [[3.0], [3.0]]
    """

    def __init__(self, objectives: Sequence[ObjectiveFunction]) -> None:
        self.objectives = objectives
        self.space = objectives[0].space

    def losses(self, image: Tensor, iteration: int = 0) -> Tensor:
        """Return the losses of images (B, 3, H, W): (B, terms), in the order of `TERMS`."""
        return torch.cat([o.losses(x, iteration) for o, x in self._each(image)])

    def gradient(self, image: Tensor, iteration: int = 0) -> tuple[Tensor, Tensor]:
        """Return the losses (B, terms) and the gradient of each image's total, (B, 3, H, W)."""
        losses, gradients = zip(*(o.gradient(x, iteration) for o, x in self._each(image)), strict=True)
        return torch.cat(losses), torch.cat(gradients)

    def _each(self, image: Tensor) -> zip[tuple[ObjectiveFunction, Tensor]]:
        return zip(self.objectives, image.split(1), strict=True)
