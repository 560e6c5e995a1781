"""Attempts that are rendered together, most often one alone: the engine, and the memory that it gets."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import structlog

from stylefarm.shared.db.records import Checkpoint
from stylefarm.shared.errors import FarmError, OutOfMemory
from stylefarm.shared.services import Services
from stylefarm.shared.spec.spec import JobSpec
from stylefarm.worker.attempt.applied_run import AppliedRun
from stylefarm.worker.attempt.attempt import Attempt
from stylefarm.worker.attempt.engine_run import EngineRun, MemoryBudget, RunContext
from stylefarm.worker.attempt.iterative_run import IterativeRun
from stylefarm.worker.attempt.resume import resume_state
from stylefarm.worker.attempt.training_run import TrainingRun
from stylefarm.worker.engine.hardware.device import choose
from stylefarm.worker.engine.hardware.memory import available_memory, is_out_of_memory, release_memory
from stylefarm.worker.engine.methods.method import Progress, load_method
from stylefarm.worker.engine.optim.state import EngineState
from stylefarm.worker.monitoring import metrics
from stylefarm.worker.render.cache import ModelCache

log = structlog.get_logger("stylefarm.worker")

# The share of the free memory that is planned with after an attempt that ran out of memory.
RETRY_SHARE = 0.6


@dataclass(frozen=True)
class BatchRun:
    """Attempts at jobs that are rendered together, most often one alone: they have one `batch_key`."""

    services: Services
    cache: ModelCache
    attempts: Sequence[Attempt]

    def render(self) -> Iterator[Attempt]:
        """Yield each attempt once, as soon as it has ended, its outcome in it.

        What cannot be rendered together is rendered one after the other. An attempt alone goes on from the checkpoint
        of an earlier one, if there is one that can be used, and is tried once more with less memory if that runs out.
        """
        for attempt in self.attempts:
            with attempt.ends_on_error():
                attempt.prepare(choose(attempt.spec.precision))
            if attempt.has_ended:
                yield attempt
        together = [attempt for attempt in self.attempts if not attempt.has_ended]
        if len(together) > 1:
            yield from self._render_together(together)
        for attempt in together:
            if not attempt.has_ended:
                yield from self._render_alone(attempt)

    def _render_together(self, attempts: Sequence[Attempt]) -> Iterator[Attempt]:
        for attempt in attempts:
            attempt.record["batch"] = len(attempts)
        try:
            yield from self._rendered(attempts, self._budget(attempts[0], 1.0), None)
        except Exception as error:
            # An error of one job must not affect the others.
            if is_out_of_memory(error):
                metrics.OUT_OF_MEMORY.inc()
            reason = str(error) or type(error).__name__
            log.warning("not rendered together", attempts=len(attempts), reason=reason, exc_info=not _is_known(error))
        for attempt in attempts:
            if not attempt.has_ended:
                del attempt.record["batch"]

    def _render_alone(self, attempt: Attempt) -> Iterator[Attempt]:
        with attempt.ends_on_error(), resume_state(self.services, attempt.job, attempt.spec, attempt.record) as state:
            attempt.checkpoint_store.named = None if state is None else Checkpoint.of(attempt.job)
            # A job that an earlier attempt found too large begins with less.
            first = RETRY_SHARE if attempt.job.is_to_be_smaller else 1.0
            for share in (first, first * RETRY_SHARE):
                # Outside of the except block, which would keep the tensors of the failed attempt alive.
                release_memory()
                if self._try_render(attempt, share, state):
                    break
            else:
                raise OutOfMemory(attempt.product.too_large)
        yield attempt

    def _try_render(self, attempt: Attempt, share: float, state: EngineState | None) -> bool:
        """Render an attempt alone; return False if memory ran out."""
        budget = self._budget(attempt, share)
        try:
            for _ in self._rendered([attempt], budget, state):
                pass
        except Exception as error:
            if not is_out_of_memory(error):
                raise
            metrics.OUT_OF_MEMORY.inc()
            log.warning("out of memory", available=budget.available)
            return False
        return True

    def _budget(self, attempt: Attempt, share: float) -> MemoryBudget:
        path = choose(attempt.spec.precision)
        return MemoryBudget(path, round(share * available_memory(path.device, self.services.settings.memory)))

    def _rendered(
        self, attempts: Sequence[Attempt], budget: MemoryBudget, state: EngineState | None
    ) -> Iterator[Attempt]:
        """Run the engine to its end, or until no attempt is left; yield those that have ended."""
        run = self._engine_run(attempts[0])
        try:
            for attempt in attempts:
                with attempt.ends_on_error():
                    attempt.start(run.terms, lambda: budget.left() // len(attempts))
            yield from (attempt for attempt in attempts if attempt.has_ended)
            if all(attempt.has_ended for attempt in attempts):
                return
            for progress in run.progress(attempts, budget, state):
                yield from _show_progress(attempts, progress)
                if all(attempt.has_ended for attempt in attempts):
                    return
            for index, attempt in enumerate(attempts):
                if not attempt.has_ended:
                    with attempt.ends_on_error():
                        attempt.finish(progress.of(index), self.cache.targets)
                    yield attempt
        finally:
            for attempt in attempts:
                attempt.close()

    def _engine_run(self, attempt: Attempt) -> EngineRun:
        context = RunContext(self.services, self.cache)
        if not isinstance(attempt.spec, JobSpec):
            return TrainingRun(context, attempt.spec)
        return (
            AppliedRun(context) if attempt.spec.is_applied else IterativeRun(context, load_method(attempt.spec.method))
        )


def _show_progress(attempts: Sequence[Attempt], progress: Progress) -> Iterator[Attempt]:
    """Show each attempt its part of a step; yield those that end by it."""
    running = [(index, attempt) for index, attempt in enumerate(attempts) if not attempt.has_ended]

    def show(numbered: tuple[int, Attempt]) -> None:
        index, attempt = numbered
        with attempt.ends_on_error():
            attempt.on_progress(progress.of(index))

    if len(running) > 1 and running[0][1].lease.interrupted.is_set():
        # Each is about to store its last checkpoint; one after the other, the last would come too late.
        with ThreadPoolExecutor(len(running)) as pool:
            list(pool.map(show, running))
    else:
        for numbered in running:
            show(numbered)
    yield from (attempt for _, attempt in running if attempt.has_ended)


def _is_known(error: Exception) -> bool:
    return isinstance(error, FarmError) or is_out_of_memory(error)
