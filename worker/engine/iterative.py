"""Style transfer by optimising the pixels (Gatys, Ecker and Bethge 2016, "Image Style Transfer Using CNNs")."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from worker.engine.objective import Gradients
from worker.engine.optimisers import Optimiser
from worker.engine.space import clamp, to_pixels


@dataclass(frozen=True)
class Progress:
    """The picture after `iteration` of at most `iterations` steps, and its losses.

    `image` is (B, 3, H, W) float32, [0, 1] but for overshoot; `losses` is (B, 4) float32 in the order of
    `worker.engine.objective.TERMS`, each term already weighted. Both live on the engine's device; the engine does not
    change them any more.
    """

    iteration: int
    iterations: int
    image: Tensor
    losses: Tensor


@dataclass(frozen=True)
class Scale:
    """One size of the picture: how many steps are made at it, and the maker of its start and its objective.

    `prepare` is called when the scale begins, so that one scale's targets are in memory at a time; it returns the
    start, (B, 3, H, W) in the objective's coordinates, of which later scales take the size alone.
    """

    iterations: int
    prepare: Callable[[], tuple[Tensor, Gradients]]


@dataclass(frozen=True)
class Rules:
    """What happens to the picture after a step.

    `clamp` brings every pixel back into [0, 1]; `average` is the decay of the averaged iterate (0: none), which is what
    is shown and handed on; a picture whose relative change |new - old| / |new| is below `stop_change` stands still.
    """

    clamp: bool = False
    average: float = 0.0
    stop_change: float = 0.0


def optimise(scales: Sequence[Scale], optimiser: Optimiser, rules: Rules | None = None) -> Iterator[Progress]:
    """Yields the picture and its losses before the first step and after each, over all scales, coarse to fine.

    Whoever iterates may stop at any time. Nothing waits for the device, unless `stop_change` asks; reading the tensors
    does.
    """
    rules = rules or Rules()
    iterations = sum(scale.iterations for scale in scales)
    done = 0
    image: Tensor | None = None
    for scale in scales:
        start, objective = scale.prepare()
        image = start if image is None else _carried_up(image, start, objective, optimiser, rules)
        canvas = _Canvas(image, objective, rules)
        for _ in range(scale.iterations):
            losses, gradient = objective.gradient(canvas.image, done)
            yield Progress(done, iterations, canvas.shown(), losses)
            canvas.move(optimiser.step(canvas.image, gradient))
            done += 1
            if canvas.stands_still():
                break
        image = canvas.average()
    if image is not None:
        yield Progress(done, iterations, canvas.shown(), objective.losses(canvas.image, done))


def _carried_up(image: Tensor, start: Tensor, objective: Gradients, optimiser: Optimiser, rules: Rules) -> Tensor:
    height, width = start.shape[2:]
    optimiser.resize(height, width)
    larger = functional.interpolate(image, (height, width), mode="bicubic")
    return clamp(objective.space, larger) if rules.clamp else larger


class _Canvas:
    """The picture under work at one scale, its average, and which pictures of the batch still move."""

    def __init__(self, image: Tensor, objective: Gradients, rules: Rules) -> None:
        self.image = image
        self.space = objective.space
        self.rules = rules
        self.moving = torch.ones(image.shape[0], dtype=torch.bool, device=image.device)
        self._sum = torch.zeros_like(image)
        self._left = 1.0
        self._take(image)

    def move(self, image: Tensor) -> None:
        if self.rules.clamp:
            image = clamp(self.space, image)
        if self.rules.stop_change:
            moving = self.moving
            change = (image - self.image).flatten(1).norm(dim=1) / image.flatten(1).norm(dim=1).clamp_min(1e-30)
            image = torch.where(moving.view(-1, 1, 1, 1), image, self.image)
            self.moving = moving & (change >= self.rules.stop_change)
        self.image = image
        self._take(image)

    def stands_still(self) -> bool:
        return bool(self.rules.stop_change) and not bool(self.moving.any())

    def average(self) -> Tensor:
        """The averaged iterate, with the start's bias taken out as Adam does (Kingma and Ba 2015, section 3)."""
        return self._sum / (1 - self._left) if self.rules.average else self.image

    def shown(self) -> Tensor:
        return to_pixels(self.space, self.average())

    def _take(self, image: Tensor) -> None:
        decay = self.rules.average
        if decay:
            self._left *= decay
            self._sum = decay * self._sum + (1 - decay) * image
