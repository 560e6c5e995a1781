"""Style transfer by optimizing the pixels (Gatys, Ecker and Bethge 2016, "Image Style Transfer Using CNNs")."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from functools import partial

import torch
from torch import Tensor
from torch.nn import functional

from stylefarm.worker.engine.methods.objective import ObjectiveFunction
from stylefarm.worker.engine.optim.first_order import Optimizer
from stylefarm.worker.engine.optim.state import EngineState
from stylefarm.worker.engine.space import clamp, to_pixels

# What the names of their parts in a state begin with.
CANVAS, OPTIMIZER = "canvas.", "optimiser."


@dataclass(frozen=True)
class Progress:
    """The picture after `iteration` of at most `iterations` steps, and its losses.

    `image` is (B, 3, H, W) float32, [0, 1] but for overshoot; `losses` is (B, 4) float32 in the order of
    `objective.TERMS`, each term already weighted. Both live on the engine's device; the engine does not
    change them any more. `state` gives what to go on from, if it is asked before the next Progress is; after the last
    step there is none.
    """

    iteration: int
    iterations: int
    image: Tensor
    losses: Tensor
    state: Callable[[], EngineState] | None = None

    def of(self, picture: int) -> Progress:
        """That of one picture of a batch."""
        which, state = slice(picture, picture + 1), self.state
        own = None if state is None else lambda: state().of(picture)
        return Progress(self.iteration, self.iterations, self.image[which], self.losses[which], own)


@dataclass(frozen=True)
class Scale:
    """One size of the picture: how many steps are made at it, and the maker of its start and its objective.

    `prepare` is called when the scale begins, so that one scale's targets are in memory at a time; it returns the
    start, (B, 3, H, W) in the objective's coordinates, of which later scales take the size alone.
    """

    iterations: int
    prepare: Callable[[], tuple[Tensor, ObjectiveFunction]]


@dataclass(frozen=True)
class UpdateRules:
    """What happens to the picture after a step.

    `clamp` brings every pixel back into [0, 1]; `average` is the decay of the averaged iterate (0: none), which is what
    is shown and handed on; a picture whose relative change |new - old| / |new| is below `stop_change` stands still.
    """

    clamp: bool = False
    average: float = 0.0
    stop_change: float = 0.0


def optimize(
    scales: Sequence[Scale], optimizer: Optimizer, rules: UpdateRules | None = None, state: EngineState | None = None
) -> Iterator[Progress]:
    """Yields the picture and its losses before the first step and after each, over all scales, coarse to fine.

    With a `state` that a Progress of the same scales gave, it begins with that Progress once more and goes on from
    there, as if it had never stopped: on a CPU in float32 with the same bytes. Scales before that are not prepared.

    Whoever iterates may stop at any time. Nothing waits for the device, unless `stop_change` asks; reading the tensors
    does. Raises KeyError or ValueError for a state of something else.
    """
    rules = rules or UpdateRules()
    iterations = sum(scale.iterations for scale in scales)
    at = _Place() if state is None else _Place.of(state)
    image: Tensor | None = None
    for number in range(at.scale, len(scales)):
        at.scale, scale = number, scales[number]
        start, objective = scale.prepare()
        if state is not None:
            iterate = _Iterate.restored(state.part(CANVAS), start, objective, rules)
            optimizer.restore(state.part(OPTIMIZER), start.device)
            state = None
        else:
            image = start if image is None else _carried_up(image, start, objective, optimizer, rules)
            iterate = _Iterate(image, objective, rules)
        while at.step < scale.iterations and not iterate.stands_still():
            losses, gradient = objective.gradient(iterate.image, at.done)
            yield Progress(at.done, iterations, iterate.shown(), losses, partial(_state, at, iterate, optimizer))
            iterate.move(optimizer.step(iterate.image, gradient))
            at.step, at.done = at.step + 1, at.done + 1
        image, at.step = iterate.average(), 0
    if image is not None:
        yield Progress(at.done, iterations, iterate.shown(), objective.losses(iterate.image, at.done))


@dataclass
class _Place:
    """The scale at work, the steps made at it, and all steps made."""

    scale: int = 0
    step: int = 0
    done: int = 0

    @classmethod
    def of(cls, state: EngineState) -> _Place:
        return cls(*(int(state.numbers[name]) for name in ("scale", "step", "done")))


def _state(at: _Place, iterate: _Iterate, optimizer: Optimizer) -> EngineState:
    place = EngineState({}, asdict(at))
    return place.joined(iterate.state().named(CANVAS)).joined(optimizer.state().named(OPTIMIZER))


def _carried_up(
    image: Tensor, start: Tensor, objective: ObjectiveFunction, optimizer: Optimizer, rules: UpdateRules
) -> Tensor:
    height, width = start.shape[2:]
    optimizer.resize(height, width)
    larger = functional.interpolate(image, (height, width), mode="bicubic")
    return clamp(objective.space, larger) if rules.clamp else larger


class _Iterate:
    """The picture under work at one scale, its average, and which pictures of the batch still move."""

    def __init__(self, image: Tensor, objective: ObjectiveFunction, rules: UpdateRules) -> None:
        self.image = image
        self.space = objective.space
        self.rules = rules
        self.moving = torch.ones(image.shape[0], dtype=torch.bool, device=image.device)
        self._sum = torch.zeros_like(image)
        self._left = 1.0
        self._update_average(image)

    @classmethod
    def restored(cls, state: EngineState, start: Tensor, objective: ObjectiveFunction, rules: UpdateRules) -> _Iterate:
        """The canvas that `state` was given of; `start` says where it lies, and its shape."""
        image, moving = (state.tensors[name].to(start.device) for name in ("image", "moving"))
        if image.shape != start.shape:
            raise ValueError(f"a state of pictures {tuple(image.shape)} is none of pictures {tuple(start.shape)}")
        iterate = cls(image, objective, rules)
        iterate.moving, iterate._left = moving, state.numbers["left"]
        if rules.average:
            iterate._sum = state.tensors["sum"].to(start.device)
        return iterate

    def state(self) -> EngineState:
        tensors = {"image": self.image, "moving": self.moving}
        # Without an averaged iterate the sum is zero all over, and not worth its room.
        averaged = {"sum": self._sum} if self.rules.average else {}
        return EngineState({**tensors, **averaged}, {"left": self._left})

    def move(self, image: Tensor) -> None:
        if self.rules.clamp:
            image = clamp(self.space, image)
        if self.rules.stop_change:
            moving = self.moving
            change = (image - self.image).flatten(1).norm(dim=1) / image.flatten(1).norm(dim=1).clamp_min(1e-30)
            image = torch.where(moving.view(-1, 1, 1, 1), image, self.image)
            self.moving = moving & (change >= self.rules.stop_change)
        self.image = image
        self._update_average(image)

    def stands_still(self) -> bool:
        return bool(self.rules.stop_change) and not bool(self.moving.any())

    def average(self) -> Tensor:
        """The averaged iterate, with the start's bias taken out as Adam does (Kingma and Ba 2015, section 3)."""
        return self._sum / (1 - self._left) if self.rules.average else self.image

    def shown(self) -> Tensor:
        return to_pixels(self.space, self.average())

    def _update_average(self, image: Tensor) -> None:
        decay = self.rules.average
        if decay:
            self._left *= decay
            self._sum = decay * self._sum + (1 - decay) * image
