"""The loop that all trainings share: steps, samples, checkpoints, and losses that are no numbers any more."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Generic, Protocol, TypeVar

import torch
from torch import Tensor, nn

from stylefarm.shared.errors import Diverged
from stylefarm.shared.spec.training import TrainingSpec
from stylefarm.worker.engine.methods.method import Progress
from stylefarm.worker.engine.optim.state import EngineState
from stylefarm.worker.training.trainer import TrainingInputs

# How much of the mean of the losses, which the card shows, the last step is.
SHARE_OF_LAST = 0.05


class TrainingTask(Protocol):
    """What one method does in the loop."""

    @property
    def terms(self) -> tuple[str, ...]:
        """Names of the losses, the total first."""
        ...

    def steps(self, first: int, stop: int) -> Iterator[Tensor]:
        """Make the steps from `first` to `stop`, and yield the losses (terms,) of each.

        Args:
            first: Number of the first step, from 0.
            stop: After the last.
        """
        ...

    def samples(self) -> Tensor:
        """Return one picture of samples, (1, 3, H, W) in [0, 1]."""
        ...

    def state(self) -> EngineState:
        """Return what the next step depends on, beside its number."""
        ...

    def restore(self, state: EngineState) -> None:
        """Go back to a state.

        Args:
            state: What `state` returned.
        """
        ...


class TrainingLoop:
    """Runs a task.

    Args:
        task: The task.
        spec: The steps, and how often there are samples.

    Example:
        loop = TrainingLoop(task, spec)
        for progress in loop.run():
            print(progress.iteration, progress.losses)
        print(loop.losses(), loop.seconds)
    """

    def __init__(self, task: TrainingTask, spec: TrainingSpec) -> None:
        self.task = task
        self.spec = spec
        self.seconds = 0.0
        self.smoothed = torch.zeros(len(task.terms))
        self.steps = 0

    def losses(self) -> dict[str, float]:
        """Return the losses of the last steps, by name."""
        return dict(zip(self.task.terms, self.smoothed.tolist(), strict=True))

    def run(self, state: EngineState | None = None) -> Iterator[Progress]:
        """Yield a Progress before the first step and after each; see `Trainer.run`.

        Args:
            state: What is gone on from.

        Raises:
            Diverged: A loss left the finite numbers.
        """
        total, losses = self.spec.iterations, torch.zeros(len(self.task.terms))
        if state is not None:
            losses = self._restore(state)
        image = self.task.samples()
        yield self._progress(image, losses)
        began = time.monotonic()
        for losses in self.task.steps(self.steps, total):
            check_finite(losses, self.task.terms, self.steps + 1)
            self.steps += 1
            known = losses.detach().to("cpu", torch.float32)
            self.smoothed = known if self.steps == 1 else self.smoothed.lerp(known, SHARE_OF_LAST)
            every = self.spec.sample_every
            if self.steps == total or (every and self.steps % every == 0):
                image = self.task.samples()
            self.seconds += time.monotonic() - began
            yield self._progress(image, losses)
            began = time.monotonic()

    def _progress(self, image: Tensor, losses: Tensor) -> Progress:
        total, shown = self.spec.iterations, losses.detach()[None].float()
        last = self.steps == total
        return Progress(self.steps, total, image, shown, None if last else lambda: self._state(losses))

    def _state(self, losses: Tensor) -> EngineState:
        own = EngineState(
            {"losses": losses.detach(), "smoothed": self.smoothed}, {"done": self.steps, "seconds": self.seconds}
        )
        return own.joined(self.task.state().named("task."))

    def _restore(self, state: EngineState) -> Tensor:
        self.task.restore(state.part("task."))
        self.steps, self.seconds = int(state.numbers["done"]), float(state.numbers["seconds"])
        self.smoothed = state.tensors["smoothed"].to("cpu", copy=True)
        return state.tensors["losses"].clone()


T = TypeVar("T", bound=TrainingTask)


class LoopTrainer(Generic[T]):
    """The part that all trainers have in common: a task, and the loop that runs it.

    Args:
        inputs: The spec and the pictures.
        task: What the method does in the loop.

    Example:
        class PlainTrainer(LoopTrainer[PlainTask]):
            def __init__(self, inputs):
                super().__init__(inputs, PlainTask(inputs))
    """

    def __init__(self, inputs: TrainingInputs, task: T) -> None:
        self.inputs = inputs
        self.task = task
        self.loop = TrainingLoop(task, inputs.spec)

    @property
    def terms(self) -> tuple[str, ...]:
        """Names of the losses that each Progress holds, the total first."""
        return self.task.terms

    def run(self, state: EngineState | None = None) -> Iterator[Progress]:
        """Train, and yield a Progress before the first step and after each."""
        return self.loop.run(state)


def check_finite(losses: Tensor, terms: Sequence[str], step: int) -> None:
    """Refuse losses that are no numbers, before they reach the weights.

    Args:
        losses: (terms,).
        terms: Their names, the total first.
        step: Number of the step, from 1.

    Raises:
        Diverged: It names the first such term.

    Example:
        >>> check_finite(torch.tensor([1.0, 1.0]), ("total", "style"), 1)
    """
    finite = losses.isfinite()
    if bool(finite.all()):
        return
    parts = [term for term, is_finite in zip(terms[1:], finite[1:].tolist(), strict=True) if not is_finite]
    raise Diverged(
        f"the training left the finite numbers in step {step} (the {(parts or ['total'])[0]} loss): a smaller"
        " learning_rate or other weights may help; the last checkpoint before it is kept"
    )


def check_gradient(parameters: Sequence[nn.Parameter], step: int) -> None:
    """Refuse a gradient that is no number, before it reaches the weights.

    Args:
        parameters: The weights, with their gradients.
        step: Number of the step, from 1.

    Raises:
        Diverged: The gradient is not finite.

    Example:
        >>> weight = nn.Parameter(torch.ones(2))
        >>> weight.sum().backward()
        >>> check_gradient([weight], 1)
    """
    gradients = [each.grad for each in parameters if each.grad is not None]
    norms = torch.stack(torch._foreach_norm(gradients)) if gradients else torch.zeros(1)
    if not bool(norms.isfinite().all()):
        raise Diverged(
            f"the training left the finite numbers in step {step} (the gradient of the weights): a smaller"
            " learning_rate or other weights may help; the last checkpoint before it is kept"
        )


def learning_rate(spec: TrainingSpec, step: int) -> float:
    """Return the step size.

    Args:
        spec: How it changes.
        step: Number of the step, from 0.

    Example:
        >>> spec = TrainingSpec(method="johnson", name="a", style="s.png", iterations=10, linear_decay=0.5)
        >>> learning_rate(spec, 4) == spec.learning_rate, learning_rate(spec, 9) < spec.learning_rate / 4
        (True, True)
    """
    rate = spec.learning_rate / (1 + spec.inverse_decay * step)
    if spec.learning_rate_steps:
        rate *= spec.learning_rate_decay ** (step // spec.learning_rate_steps)
    falling = spec.linear_decay * spec.iterations
    return rate * min(1.0, (spec.iterations - step) / falling) if falling else rate


class AdamState:
    """Adam over some weights, and its state by the weights' names.

    Args:
        parameters: The weights by name.
        momentum: Beta 1.

    Example:
        >>> weight = nn.Parameter(torch.ones(2))
        >>> adam = AdamState({"w": weight}, momentum=0.9)
        >>> weight.sum().backward()
        >>> adam.step(0.5)
        >>> [round(value, 4) for value in weight.tolist()], sorted(adam.state().tensors)
        ([0.5, 0.5], ['first.w', 'second.w', 'weight.w'])
    """

    def __init__(self, parameters: Mapping[str, nn.Parameter], momentum: float) -> None:
        self.parameters = dict(parameters)
        self.steps = 0
        self.adam = torch.optim.Adam(list(self.parameters.values()), lr=1.0, betas=(momentum, 0.999))

    def step(self, rate: float) -> None:
        """Change the weights by their gradients, which are then gone.

        Args:
            rate: The step size.
        """
        for group in self.adam.param_groups:
            group["lr"] = rate
        self.adam.step()
        self.adam.zero_grad(set_to_none=True)
        self.steps += 1

    def state(self) -> EngineState:
        """Return the weights and the moments of their gradients."""
        tensors: dict[str, Tensor] = {}
        for name, weight in self.parameters.items():
            tensors[f"weight.{name}"] = weight.detach()
            if self.steps:
                tensors[f"first.{name}"] = self.adam.state[weight]["exp_avg"]
                tensors[f"second.{name}"] = self.adam.state[weight]["exp_avg_sq"]
        return EngineState(tensors, {"steps": self.steps})

    @torch.no_grad()
    def restore(self, state: EngineState) -> None:
        """Go back to a state.

        Args:
            state: What `state` returned.
        """
        self.steps = int(state.numbers["steps"])
        for name, weight in self.parameters.items():
            weight.copy_(state.tensors[f"weight.{name}"])
            if self.steps:
                self.adam.state[weight] = {
                    "step": torch.tensor(float(self.steps)),
                    "exp_avg": state.tensors[f"first.{name}"].to(weight.device, copy=True),
                    "exp_avg_sq": state.tensors[f"second.{name}"].to(weight.device, copy=True),
                }
