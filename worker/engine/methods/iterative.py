"""Style transfer by optimizing the pixels (Gatys, Ecker and Bethge 2016, "Image Style Transfer Using CNNs")."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from functools import partial

import torch
from torch import Tensor
from torch.nn import functional

from stylefarm.shared.spec.spec import JobSpec
from stylefarm.worker.engine.losses.style import losses_over_samples
from stylefarm.worker.engine.methods.method import Progress, RunRequest, Scale, UpdateRules
from stylefarm.worker.engine.methods.objective import TERMS, ObjectiveFunction
from stylefarm.worker.engine.networks.memory_plan import Workload
from stylefarm.worker.engine.optim.optimizer import LearningRate, Optimizer, OptimizerSettings, load_optimizer
from stylefarm.worker.engine.optim.state import EngineState
from stylefarm.worker.engine.space import clamp, to_pixels

__all__ = ["IterativeMethod", "Progress", "Scale", "UpdateRules", "optimize"]

# Prefixes of the parts of a state. Checkpoints hold them, which an attempt of a later release continues from.
ITERATE, OPTIMIZER = "canvas.", "optimiser."


class IterativeMethod:
    """The method "gatys": the pixels are optimized by the gradient of content, style and total variation losses.

    Example:
        >>> IterativeMethod.terms
        ('total', 'content', 'style', 'tv')
    """

    terms = TERMS

    def workload(self, spec: JobSpec, height: int, width: int) -> Workload:
        """Return what an image of that size asks of the memory, for a resolved spec.

        Raises:
            TypeError: Something in the spec is still "auto".
        """
        if spec.content_layers == "auto":
            raise TypeError("what is auto is resolved when a job is submitted")
        settings = OptimizerSettings(LearningRate(1.0), history_size=spec.corrections)
        vectors = load_optimizer(spec.optimizer).state_vectors(settings, spec.total_iterations)
        return Workload(
            height,
            width,
            frozenset(spec.content_layers) if spec.content_weight else frozenset(),
            vectors + (1 if spec.average else 0),
            needs_whole=bool(losses_over_samples(spec.style_loss)) or spec.normalize_gradients,
        )

    def run(self, request: RunRequest) -> Iterator[Progress]:
        """Yield the images and losses before the first step and after each."""
        return optimize(request.scales, request.optimizer, request.rules, request.state)


def optimize(
    scales: Sequence[Scale], optimizer: Optimizer, rules: UpdateRules | None = None, state: EngineState | None = None
) -> Iterator[Progress]:
    """Optimize images over all scales, coarse to fine.

    Nothing waits for the device, unless a rule of when to stop asks for it; reading the tensors does. The caller may
    stop at any time.

    Args:
        scales: The sizes, each with its start and its objective.
        optimizer: The optimizer, without a history.
        rules: What happens after each step.
        state: What a Progress of the same scales gave. The run begins with that Progress once more and continues as if
            it had never stopped: on a CPU in float32 with the same bytes. Earlier scales are not prepared.

    Yields:
        The images and their losses before the first step and after each.

    Raises:
        KeyError: The state is not one of this run.
        ValueError: The state is of images of another size.

    Example:
        >>> from stylefarm.shared.spec.space import PIXELS
        >>> class Square:  # the objective sum(x^2)
        ...     space = PIXELS
        ...     def losses(self, image, iteration=0):
        ...         return image.square().sum((1, 2, 3))[:, None] * torch.tensor([[1.0, 1.0, 0.0, 0.0]])
        ...     def gradient(self, image, iteration=0):
        ...         return self.losses(image), 2 * image
        >>> from stylefarm.worker.engine.optim.first_order import Sgd
        >>> scale = Scale(3, lambda: (torch.ones(1, 3, 1, 1), Square()))
        >>> sgd = Sgd(LearningRate(0.25), momentum=0.0)
        >>> [round(progress.losses[0, 0].item(), 3) for progress in optimize([scale], sgd)]
        [3.0, 0.75, 0.188, 0.047]
    """
    rules = rules or UpdateRules()
    iterations = sum(scale.iterations for scale in scales)
    at = _Position() if state is None else _Position.of(state)
    image: Tensor | None = None
    for number in range(at.scale, len(scales)):
        at.scale, scale = number, scales[number]
        start, objective = scale.prepare()
        if state is not None:
            iterate = _Iterate.restored(state.part(ITERATE), start, objective, rules)
            optimizer.restore(state.part(OPTIMIZER), start.device)
            state = None
        else:
            image = start if image is None else _upscaled(image, start, objective, optimizer, rules)
            iterate = _Iterate(image, objective, rules)
        # What is not needed is dropped, here and below: of a large picture each is hundreds of megabytes.
        del start, image
        while at.step < scale.iterations and not iterate.has_stopped():
            losses, gradient = objective.gradient(iterate.image, at.done)
            if iterate.is_still(losses[:, 0]):
                break
            yield Progress(at.done, iterations, iterate.pixels(), losses, partial(_state, at, iterate, optimizer))
            iterate.move(optimizer.step(iterate.image, gradient))
            del gradient
            at.step, at.done = at.step + 1, at.done + 1
        image, at.step = iterate.average(), 0
    if image is not None:
        yield Progress(at.done, iterations, iterate.pixels(), objective.losses(iterate.image, at.done))


@dataclass
class _Position:
    """The current scale, the steps made at it, and all steps made."""

    scale: int = 0
    step: int = 0
    done: int = 0

    @classmethod
    def of(cls, state: EngineState) -> _Position:
        return cls(*(int(state.numbers[name]) for name in ("scale", "step", "done")))


def _state(at: _Position, iterate: _Iterate, optimizer: Optimizer) -> EngineState:
    position = EngineState({}, asdict(at))
    return position.joined(iterate.state().named(ITERATE)).joined(optimizer.state().named(OPTIMIZER))


def _upscaled(
    image: Tensor, start: Tensor, objective: ObjectiveFunction, optimizer: Optimizer, rules: UpdateRules
) -> Tensor:
    height, width = start.shape[2:]
    optimizer.resize(height, width)
    larger = functional.interpolate(image, (height, width), mode="bicubic")
    return clamp(objective.space, larger) if rules.clamp else larger


class _Iterate:
    """The images at one scale, their average, and which images of the batch still move."""

    def __init__(self, image: Tensor, objective: ObjectiveFunction, rules: UpdateRules) -> None:
        self.image = image
        self.space = objective.space
        self.rules = rules
        self.moving = torch.ones(image.shape[0], dtype=torch.bool, device=image.device)
        self._sum = torch.zeros_like(image) if rules.average else image.new_zeros(())
        self._left = 1.0
        self._totals = image.new_zeros((image.shape[0], 0))
        self._update_average(image)

    @classmethod
    def restored(cls, state: EngineState, start: Tensor, objective: ObjectiveFunction, rules: UpdateRules) -> _Iterate:
        """Return the iterate that gave `state`, on the device of `start` and of its shape."""
        image, moving = (state.tensors[name].to(start.device) for name in ("image", "moving"))
        if image.shape != start.shape:
            raise ValueError(f"a state of images {tuple(image.shape)} does not fit images {tuple(start.shape)}")
        iterate = cls(image, objective, rules)
        iterate.moving, iterate._left = moving, state.numbers["left"]
        if rules.average:
            iterate._sum = state.tensors["sum"].to(start.device)
        if rules.stop_loss_change:
            iterate._totals = state.tensors["totals"].to(start.device)
        return iterate

    def state(self) -> EngineState:
        tensors = {"image": self.image, "moving": self.moving}
        # Without an averaged iterate the sum is zero, and not worth storing.
        averaged = {"sum": self._sum} if self.rules.average else {}
        # Without the newest: whoever continues computes it again.
        watched = {"totals": self._totals[:, :-1].contiguous()} if self.rules.stop_loss_change else {}
        return EngineState({**tensors, **averaged, **watched}, {"left": self._left})

    def is_still(self, totals: Tensor) -> bool:
        """Hold images whose total loss, (B,), has not fallen enough, and return whether that holds the last of them."""
        if not self.rules.stop_loss_change:
            return False
        steps = self.rules.stop_loss_steps
        self._totals = torch.cat([self._totals[:, -steps:], totals.detach()[:, None]], dim=1)
        if self._totals.shape[1] > steps:
            before, now = self._totals[:, 0], self._totals[:, -1]
            self.moving = self.moving & (before - now >= self.rules.stop_loss_change * before.abs())
        return self.has_stopped()

    def move(self, image: Tensor) -> None:
        if self.rules.clamp:
            image = clamp(self.space, image)
        if self.rules.stops:
            moving = self.moving
            change = (image - self.image).flatten(1).norm(dim=1) / image.flatten(1).norm(dim=1).clamp_min(1e-30)
            image = torch.where(moving.view(-1, 1, 1, 1), image, self.image)
            self.moving = moving & (change >= self.rules.stop_change)
        self.image = image
        self._update_average(image)

    def has_stopped(self) -> bool:
        return self.rules.stops and not bool(self.moving.any())

    def average(self) -> Tensor:
        """Return the averaged iterate, bias-corrected as Adam's moments are (Kingma and Ba 2015, section 3)."""
        return self._sum / (1 - self._left) if self.rules.average else self.image

    def pixels(self) -> Tensor:
        return to_pixels(self.space, self.average())

    def _update_average(self, image: Tensor) -> None:
        decay = self.rules.average
        if decay:
            self._left *= decay
            self._sum = decay * self._sum + (1 - decay) * image
