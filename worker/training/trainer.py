"""The Protocol of a trainer: it turns a training spec and pictures into a model, step by step."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from torch import Tensor

from stylefarm.shared.spec.models import MODEL_METHODS
from stylefarm.shared.spec.registry import load_target
from stylefarm.shared.spec.training import TrainingSpec
from stylefarm.worker.engine.feedforward.model import Model
from stylefarm.worker.engine.hardware.device import ComputePath
from stylefarm.worker.engine.methods.method import Progress
from stylefarm.worker.engine.networks.weights import WeightsContent
from stylefarm.worker.engine.optim.state import EngineState


class PictureSet(Protocol):
    """A data set on this machine's disk: decoded pictures by number."""

    def __len__(self) -> int:
        """Return how many pictures it has."""
        ...

    def picture(self, index: int) -> Tensor:
        """Return a whole picture, (3, H, W) uint8, RGB."""
        ...


@dataclass(frozen=True)
class TrainingInputs:
    """What a training job gets.

    Args:
        spec: The resolved spec.
        contents: The pictures that it learns to render.
        styles: The pictures of the styles, each (3, H, W) uint8, in the order of their numbers.
        style_set: A data set of styles, for methods that learn from many; None without one.
        weights: Pretrained weights of the loss network or encoder; None: random ones.
        base: The model that training goes on from; None: none.
        path: The device and the precision.
        scratch: A folder of this machine for what is computed once, such as resized pictures.
    """

    spec: TrainingSpec
    contents: PictureSet
    styles: Sequence[Tensor]
    style_set: PictureSet | None
    weights: WeightsContent | None
    base: Model | None
    path: ComputePath
    scratch: Path


class Trainer(Protocol):
    """Trains one model.

    Example:
        trainer = load_trainer(inputs)
        for progress in trainer.run():
            print(progress.iteration, progress.losses[0, 0])
        write_model(path, trainer.model())
    """

    @property
    def terms(self) -> tuple[str, ...]:
        """Names of the losses that each Progress holds, the total first."""
        ...

    def run(self, state: EngineState | None = None) -> Iterator[Progress]:
        """Train, and yield a Progress before the first step and after each.

        The image of a Progress is one picture of samples, (1, 3, H, W) in [0, 1], the same contents each time; its
        losses are those of the last step. With a `state` it goes on as if it had never stopped: on a CPU in float32
        with the same bytes.

        Args:
            state: What a Progress of the same spec gave.

        Raises:
            Diverged: A loss left the finite numbers.
        """
        ...

    def model(self) -> Model:
        """Return the model as it is after the last step; its card says how it was trained."""
        ...

    def bytes(self) -> int:
        """Return about how much memory a step takes at its peak, in bytes."""
        ...


def load_trainer(inputs: TrainingInputs) -> Trainer:
    """Return the trainer of the spec's method.

    Args:
        inputs: The spec and the pictures.
    """
    target = MODEL_METHODS[inputs.spec.method].trainer
    if target is None:
        raise TypeError(f"{inputs.spec.method} has no trainer")
    trainer: Trainer = load_target(target)(inputs)
    return trainer
