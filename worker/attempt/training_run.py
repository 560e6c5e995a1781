"""Attempts that train a model."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from stylefarm.shared.errors import OutOfMemory
from stylefarm.shared.spec.training import TrainingSpec
from stylefarm.worker.attempt.attempt import Attempt
from stylefarm.worker.attempt.engine_run import MemoryBudget, RunContext
from stylefarm.worker.attempt.training_inputs import fetch_training_inputs
from stylefarm.worker.engine.methods.method import Progress
from stylefarm.worker.engine.optim.state import EngineState
from stylefarm.worker.training.trainer import load_trainer


@dataclass(frozen=True)
class TrainingRun:
    """The `EngineRun` of training jobs."""

    context: RunContext
    spec: TrainingSpec

    @property
    def terms(self) -> tuple[str, ...]:
        """Names of the losses that each Progress holds, the total first."""
        return self.spec.loss_terms

    def progress(
        self, attempts: Sequence[Attempt], budget: MemoryBudget, state: EngineState | None
    ) -> Iterator[Progress]:
        """Train, and yield each step; see `EngineRun.progress`.

        Raises:
            OutOfMemory: a step does not fit into the memory.
        """
        (attempt,) = attempts
        services = self.context.services
        trainer = load_trainer(fetch_training_inputs(self.spec, services, self.context.folder, budget.path))
        attempt.model.trainer = trainer
        budget.planned = trainer.bytes()
        attempt.record["path"]["memory"].append({"size": self.spec.image_size, "way": "step", "bytes": budget.planned})
        if budget.planned > budget.available:
            raise OutOfMemory(
                f"a step of {self.spec.batch_size} pictures of {self.spec.image_size} px takes about"
                f" {budget.planned / 1e9:.1f} GB of memory, and {budget.available / 1e9:.1f} GB are left: ask for a"
                " smaller batch_size or image_size, or use another worker"
            )
        yield from trainer.run(state)
