"""Several pictures that are optimized together, each with an objective of its own."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from stylefarm.worker.engine.methods.objective import Objective, ObjectiveFunction


def together(objectives: Sequence[Objective], *, at_once: bool) -> ObjectiveFunction:
    """The objective of a batch; `at_once`, its pictures go through the network together, where they can."""
    if len(objectives) == 1:
        return objectives[0]
    return (Objective.joined(objectives) if at_once else None) or SequentialObjectives(objectives)


class SequentialObjectives:
    """Objectives of one picture each, (1, 3, H, W), all of one size and in one space, as one of (B, 3, H, W).

    On a CPU a batch of pictures gains nothing over one after the other, which needs less memory and gives each picture
    the very bits that it has alone.
    """

    def __init__(self, objectives: Sequence[ObjectiveFunction]) -> None:
        self.objectives = objectives
        self.space = objectives[0].space

    def losses(self, image: Tensor, iteration: int = 0) -> Tensor:
        """The losses (B, 4) of the pictures."""
        return torch.cat([o.losses(x, iteration) for o, x in self._each(image)])

    def gradient(self, image: Tensor, iteration: int = 0) -> tuple[Tensor, Tensor]:
        """The losses (B, 4) and the gradients (B, 3, H, W)."""
        losses, gradients = zip(*(o.gradient(x, iteration) for o, x in self._each(image)), strict=True)
        return torch.cat(losses), torch.cat(gradients)

    def _each(self, image: Tensor) -> zip[tuple[ObjectiveFunction, Tensor]]:
        return zip(self.objectives, image.split(1), strict=True)
