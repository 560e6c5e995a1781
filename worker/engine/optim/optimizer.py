"""The Protocol of an optimizer over images, its settings, and the registered ones."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

import torch
from torch import Tensor

from stylefarm.shared.errors import InvalidSpec
from stylefarm.shared.spec.builtin import OPTIMIZERS
from stylefarm.shared.spec.registry import load_target
from stylefarm.worker.engine.optim.state import EngineState


class Optimizer(Protocol):
    """Turns a batch of images and their gradients into the next images.

    Example:
        >>> from stylefarm.worker.engine.optim.first_order import Sgd
        >>> optimizer: Optimizer = Sgd(LearningRate(0.25), momentum=0.0)
        >>> optimizer.step(torch.ones(1, 3, 1, 1), gradient=torch.full((1, 3, 1, 1), 2.0)).flatten().tolist()
        [0.5, 0.5, 0.5]
    """

    def step(self, image: Tensor, gradient: Tensor) -> Tensor:
        """Return the next images, (B, 3, H, W), shaped as `image` and `gradient`.

        Args:
            image: (B, 3, H, W) float32.
            gradient: That of each image's total loss, shaped as `image`.
        """
        ...

    def resize(self, height: int, width: int) -> None:
        """Adapt the state to images of another size, at the beginning of another scale.

        Args:
            height: Pixels.
            width: Pixels.
        """
        ...

    def state(self) -> EngineState:
        """Return what the next step depends on; the next step may change these tensors in place."""
        ...

    def restore(self, state: EngineState, device: torch.device) -> None:
        """Continue on `device` from a state that `state` gave.

        Args:
            state: What `state` returned.
            device: Where to continue.

        Raises:
            KeyError: Something is missing in it.
        """
        ...


@dataclass(frozen=True)
class LearningRate:
    """A step length that decays in steps.

    Args:
        start: The first one.
        decay: The factor after each `every` steps.
        every: Steps between two decays; 0 for a constant rate.

    Example:
        >>> LearningRate(1.0, 0.5, 10).at(25)
        0.25
    """

    start: float
    decay: float = 1.0
    every: int = 0

    def at(self, iteration: int) -> float:
        """Return the rate of one step.

        Args:
            iteration: The step, counted from 0.
        """
        return self.start * self.decay ** (iteration // self.every) if self.every else self.start


@dataclass(frozen=True)
class OptimizerSettings:
    """All parameters of all optimizers; each reads its own.

    Args:
        rate: The step length.
        history_size: Pairs of vectors that L-BFGS keeps.
        beta1: Decay of Adam's mean.
        beta2: Decay of Adam's mean square.
        momentum: Decay of SGD's velocity.
        weight_decay: Pull of SGD towards zero.
        unit: The way from black to white, in the coordinates that are optimized.

    Example:
        >>> OptimizerSettings(LearningRate(1.0)).history_size
        20
    """

    rate: LearningRate
    history_size: int = 20
    beta1: float = 0.9
    beta2: float = 0.999
    momentum: float = 0.9
    weight_decay: float = 0.0
    unit: float = 1.0


class OptimizerClass(Protocol):
    """What a registered class has beside the optimizer itself.

    Example:
        >>> adam = load_optimizer("adam").from_settings(OptimizerSettings(LearningRate(0.1)))
        >>> type(adam).__name__, dict(adam.state().numbers)
        ('Adam', {'iteration': 0})
    """

    def from_settings(self, settings: OptimizerSettings) -> Optimizer:
        """Return the optimizer with these settings.

        Args:
            settings: Those of all optimizers, of which it reads its own.
        """
        ...

    def state_vectors(self, settings: OptimizerSettings, iterations: int) -> int:
        """Return how many float32 tensors of the image's size it holds in a run of so many iterations.

        Args:
            settings: Its parameters.
            iterations: The length of the run.
        """
        ...


def load_optimizer(name: str) -> OptimizerClass:
    """Return the class of a registered optimizer.

    Args:
        name: As `OPTIMIZERS` names it.

    Raises:
        InvalidSpec: There is no optimizer of that name.

    Example:
        >>> settings = OptimizerSettings(LearningRate(1.0), history_size=20)
        >>> load_optimizer("lbfgs").state_vectors(settings, iterations=5)
        12
    """
    if name not in OPTIMIZERS:
        raise InvalidSpec(f"no optimizer {name!r}")
    found: Any = load_target(OPTIMIZERS[name].target)
    chosen: OptimizerClass = found
    return chosen
