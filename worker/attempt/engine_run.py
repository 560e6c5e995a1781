"""How the attempts of a batch are run through the engine: by optimization, by a trained model, or by training one."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import torch

from stylefarm.shared.services import Services
from stylefarm.worker.attempt.attempt import Attempt
from stylefarm.worker.engine.hardware.budget import USABLE
from stylefarm.worker.engine.hardware.device import ComputePath
from stylefarm.worker.engine.hardware.memory import available_memory
from stylefarm.worker.engine.methods.method import Progress
from stylefarm.worker.engine.optim.state import EngineState
from stylefarm.worker.render.cache import ModelCache


@dataclass
class MemoryBudget:
    """The memory of a run: the device, the bytes available there, and those that the plan takes."""

    path: ComputePath
    available: int
    planned: int = 0

    def left(self) -> int:
        """How many bytes copies of the engine's state may take: on a CPU what the plan of this scale leaves."""
        if self.path.device.type == "cpu":
            return round(self.available * USABLE) - self.planned
        return round(available_memory(torch.device("cpu")) * USABLE)


@dataclass(frozen=True)
class RunContext:
    """What a run needs of its worker: the farm's services, and what is kept from one job to the next."""

    services: Services
    cache: ModelCache

    @property
    def folder(self) -> Path:
        """A folder of this machine that keeps files of the object store."""
        return self.services.settings.home.expanduser() / "cache"


class EngineRun(Protocol):
    """One way of running attempts through the engine."""

    @property
    def terms(self) -> tuple[str, ...]:
        """Names of the losses that each Progress holds, the total first; none without losses."""
        ...

    def progress(
        self, attempts: Sequence[Attempt], budget: MemoryBudget, state: EngineState | None
    ) -> Iterator[Progress]:
        """Run the engine, and yield each step; the pictures are in the order of the attempts.

        Args:
            attempts: attempts of one `batch_key`, most often one alone.
            budget: the memory that they have together.
            state: what an attempt alone is continued from; None to begin.
        """
        ...
