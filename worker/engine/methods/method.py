"""The Protocol of a method of style transfer, and the registered ones.

A method is registered by an entry in `stylefarm.shared.spec.builtin`, or by another package's entry point in the group
`stylefarm.methods`, which names a class that is made without arguments.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from torch import Tensor

from stylefarm.shared.errors import InvalidSpec
from stylefarm.shared.spec.builtin import METHODS
from stylefarm.shared.spec.spec import JobSpec
from stylefarm.worker.engine.methods.objective import ObjectiveFunction
from stylefarm.worker.engine.networks.memory_plan import Workload
from stylefarm.worker.engine.optim.optimizer import Optimizer
from stylefarm.worker.engine.optim.state import EngineState


@dataclass(frozen=True)
class Progress:
    """The images after `iteration` of at most `iterations` steps, and their losses.

    Args:
        iteration: Steps made so far.
        iterations: All steps of the run.
        image: (B, 3, H, W) float32, in [0, 1] but for overshoot, on the engine's device; not changed any more.
        losses: (B, number of terms) float32, in the order of the method's `terms`, each term already weighted.
        state: Returns what the run can be continued from, if it is called before the next Progress is asked for; None
            after the last step.

    Example:
        >>> import torch
        >>> progress = Progress(3, 10, torch.zeros(2, 3, 4, 4), torch.ones(2, 4))
        >>> tuple(progress.of(1).image.shape)
        (1, 3, 4, 4)
    """

    iteration: int
    iterations: int
    image: Tensor
    losses: Tensor
    state: Callable[[], EngineState] | None = None

    def of(self, index: int) -> Progress:
        """Return the progress of one image of the batch.

        Args:
            index: Its place in the batch, from 0.
        """
        if self.image.shape[0] == 1:
            return self
        which, state = slice(index, index + 1), self.state
        own = None if state is None else lambda: state().of(index)
        return Progress(self.iteration, self.iterations, self.image[which], self.losses[which], own)


@dataclass(frozen=True)
class Scale:
    """One size of the image.

    Args:
        iterations: Steps at this size.
        prepare: Returns the start, (B, 3, H, W) in the objective's coordinates, of which later scales use the size
            alone, and the objective. It is called when the scale begins, so that one scale's targets are in memory at
            a time.

    Example:
        scales = [Scale(200, lambda: (small_start, small_objective)), Scale(100, lambda: (start, objective))]
    """

    iterations: int
    prepare: Callable[[], tuple[Tensor, ObjectiveFunction]]


@dataclass(frozen=True)
class UpdateRules:
    """What happens to the image after a step.

    Args:
        clamp: Whether every pixel is brought back into [0, 1].
        average: Decay of the averaged iterate, which is what is shown and carried on; 0 for none.
        stop_change: An image whose relative change |new - old| / |new| is less is not moved any more.
        stop_loss_change: Nor is one whose total loss has fallen by a smaller share than this over `stop_loss_steps`
            steps of a scale; 0: however little it falls.
        stop_loss_steps: Those steps.

    Example:
        >>> UpdateRules(clamp=True).average
        0.0
    """

    clamp: bool = False
    average: float = 0.0
    stop_change: float = 0.0
    stop_loss_change: float = 0.0
    stop_loss_steps: int = 20

    @classmethod
    def of(cls, spec: JobSpec) -> UpdateRules:
        """Return the rules that a spec asks for.

        Args:
            spec: A resolved spec.
        """
        return cls(spec.clamp, spec.average, spec.stop_change, spec.stop_loss_change, spec.stop_loss_steps)

    @property
    def stops(self) -> bool:
        """Whether a scale may end before its iterations are over."""
        return bool(self.stop_change or self.stop_loss_change)


@dataclass(frozen=True)
class RunRequest:
    """What a method gets to run.

    Args:
        scales: The sizes, coarse to fine, each with its start and its objective.
        optimizer: The optimizer of the spec.
        rules: What happens after each step.
        state: What an earlier run of the same scales is continued from; None to begin.

    Example:
        request = RunRequest([Scale(500, prepare)], LBFGS(LearningRate(1.0)), UpdateRules(clamp=True))
    """

    scales: Sequence[Scale]
    optimizer: Optimizer
    rules: UpdateRules = field(default_factory=UpdateRules)
    state: EngineState | None = None


class Method(Protocol):
    """One way of rendering.

    Example:
        method = load_method("gatys")
        for progress in method.run(RunRequest([Scale(500, prepare)], optimizer)):
            print(progress.iteration, progress.losses[:, method.terms.index("style")])
    """

    @property
    def terms(self) -> tuple[str, ...]:
        """Names of the losses that its Progress holds, the total first."""
        ...

    def workload(self, spec: JobSpec, height: int, width: int) -> Workload:
        """Return what an image of that size asks of the memory, for a resolved spec.

        Args:
            spec: A resolved spec.
            height: Pixels.
            width: Pixels.
        """
        ...

    def run(self, request: RunRequest) -> Iterator[Progress]:
        """Yield the images and losses before the first step and after each.

        Args:
            request: The sizes, the optimizer, and what to continue from.

        Raises:
            KeyError: The state is not one of this method.
        """
        ...


def load_method(name: str) -> Method:
    """Return the method of a name, built in or of another package.

    Args:
        name: As `METHODS` and the entry points name it.

    Raises:
        InvalidSpec: Nobody provides it, or its package cannot be used.

    Example:
        >>> load_method("gatys").terms
        ('total', 'content', 'style', 'tv')
    """
    found = METHODS.load(name)
    if not all(hasattr(found, attribute) for attribute in ("terms", "workload", "run")):
        raise InvalidSpec(f"the method {name!r} cannot be used: {found!r} lacks terms, workload or run")
    try:
        method: Method = found()
    # The class is somebody else's, and can fail in any way, also by ending the program.
    except (Exception, SystemExit) as error:
        raise InvalidSpec(f"the method {name!r} cannot be made ({type(error).__name__}: {error})") from error
    _check_terms(name, method.terms)
    return method


def _check_terms(name: str, terms: object) -> None:
    named = isinstance(terms, tuple) and all(isinstance(term, str) for term in terms)
    if not (isinstance(terms, tuple) and named and terms[:1] == ("total",) and len(set(terms)) == len(terms)):
        raise InvalidSpec(
            f"the method {name!r} cannot be used: its terms are {terms!r}, not distinct names, total first"
        )
    if "iteration" in terms:
        raise InvalidSpec(f"the method {name!r} cannot be used: no term may be called iteration")
