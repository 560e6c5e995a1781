"""One attempt at one job: its inputs, the sinks that take its progress, its result, and how it ended."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import torch
from structlog.contextvars import bound_contextvars

from stylefarm.shared.db.records import Fence
from stylefarm.shared.db.tables import JobRow
from stylefarm.shared.services import Services
from stylefarm.shared.spec.kinds import AnySpec, load_any_spec
from stylefarm.shared.spec.spec import JobSpec
from stylefarm.worker.attempt.attempt_sinks import AttemptSinks
from stylefarm.worker.attempt.checkpoint import CheckpointStore
from stylefarm.worker.attempt.lease import Interrupted, Lease, LeaseLost, PauseRequested
from stylefarm.worker.attempt.metrics import divergence
from stylefarm.worker.attempt.model_product import ModelProduct
from stylefarm.worker.attempt.outcome import Outcome, outcome_of
from stylefarm.worker.attempt.picture_product import PictureProduct
from stylefarm.worker.attempt.product import Product
from stylefarm.worker.engine.hardware.device import ComputePath
from stylefarm.worker.engine.hardware.memory import is_out_of_memory
from stylefarm.worker.engine.losses.targets import TargetCache
from stylefarm.worker.engine.methods.iterative import Progress
from stylefarm.worker.host.retry import retry_transient


@dataclass
class Attempt:
    """One attempt at one job, alone or in a batch: prepare, start, on_progress for each step, finish.

    `record` collects what it is computed with, as JSON values.
    """

    services: Services
    job: JobRow
    lease: Lease
    record: dict[str, Any] = field(default_factory=dict)
    began_at: float = field(default_factory=time.monotonic)
    _outcome: Outcome | None = None
    _sinks: AttemptSinks | None = None
    _first_loss: float | None = None

    @cached_property
    def spec(self) -> AnySpec:
        """What is asked for. Raises InvalidSpec for a job that another release has submitted."""
        return load_any_spec(self.job.spec)

    @cached_property
    def product(self) -> Product:
        """What is made of it."""
        if isinstance(self.spec, JobSpec):
            return PictureProduct(self.services, self.spec)
        return ModelProduct(self.services, self.job.id, self.spec)

    @property
    def fence(self) -> Fence:
        """The attempt's right to write."""
        return self.lease.fence

    @property
    def has_ended(self) -> bool:
        """Whether its outcome is known."""
        return self._outcome is not None

    @property
    def outcome(self) -> Outcome:
        """How it ended. Raises TypeError if it has not."""
        if self._outcome is None:
            raise TypeError("the attempt has not ended yet")
        return self._outcome

    @cached_property
    def checkpoint_store(self) -> CheckpointStore:
        """Where the attempt's checkpoints are."""
        return CheckpointStore(self.services, self.spec, self.fence, self.record)

    @property
    def picture(self) -> PictureProduct:
        """What is made, of a stylization. Raises TypeError for another kind of job."""
        if not isinstance(self.product, PictureProduct):
            raise TypeError(f"a job of the kind {self.spec.kind} renders no picture")
        return self.product

    @property
    def model(self) -> ModelProduct:
        """What is made, of a training. Raises TypeError for another kind of job."""
        if not isinstance(self.product, ModelProduct):
            raise TypeError(f"a job of the kind {self.spec.kind} trains no model")
        return self.product

    def log_context(self) -> AbstractContextManager[Any]:
        """Name the job and the attempt in what is logged in the `with` block."""
        return bound_contextvars(job=self.job.id, attempt=self.job.attempt)

    @contextmanager
    def ends_on_error(self) -> Iterator[None]:
        """Let an exception in the `with` block end this attempt, and no other of its batch.

        Raises:
            Exception: memory ran out while it is rendered, which is a matter of the whole batch.
        """
        with self.log_context():
            try:
                yield
            except Exception as error:
                if self._sinks is not None and is_out_of_memory(error):
                    raise
                self._outcome = outcome_of(error)
                self.close()

    def prepare(self, path: ComputePath) -> None:
        """Fetch the pictures, and record what the job is computed with. Raises what is wrong with them."""
        self.record.update(device=path.device_name, precision=path.precision, threads=torch.get_num_threads())
        self.record.update(self.product.prepare(path))

    def start(self, terms: Sequence[str], memory_left: Callable[[], int]) -> None:
        """Open the sinks.

        Args:
            terms: the names of the losses that each Progress holds, the total first.
            memory_left: how many bytes a copy of the engine's state may take.

        Raises:
            LeaseLost: the job belongs to another attempt.
        """
        settings, store = self.services.settings, self.services.store
        if list(terms) != self.job.loss_terms and not retry_transient(
            lambda: store.attempts.set_loss_terms(self.fence, terms)
        ):
            raise LeaseLost
        self._sinks = AttemptSinks.opened(
            self.services,
            self.lease,
            self.product.encoder,
            self.checkpoint_store,
            terms=terms,
            snapshot_every=self.product.snapshot_every,
            checkpoint_seconds=settings.checkpoint_seconds,
            memory_left=memory_left,
        )

    def on_progress(self, progress: Progress) -> None:
        """Hand one step of the engine to the sinks. Raises what ends the attempt."""
        sinks = self._open_sinks()
        try:
            self.lease.check()
        except (Interrupted, PauseRequested):
            # The checkpoint that another worker continues from is stored first.
            sinks.checkpoints.store_last(progress)
            raise
        if progress.iteration == 0 and progress.losses.shape[1]:
            self._first_loss = float(progress.losses[0, 0])
        sinks.on_progress(progress)

    def finish(self, progress: Progress, cache: TargetCache) -> None:
        """Store what was made, which is the result, and measure it.

        Args:
            progress: the last step.
            cache: keeps what was read of contents and styles for the metrics of the next jobs.
        """
        self._open_sinks().finish()
        rendered = self.product.finish(progress, f"jobs/{self.job.id}/{self.fence.attempt}", cache)
        self.close()
        seconds = time.monotonic() - self.began_at
        metrics = {**rendered.metrics, "seconds": round(seconds, 3)}
        if progress.losses.shape[1]:
            metrics |= divergence(self._first_loss, float(progress.losses[0, 0]))
        self._outcome = replace(rendered, metrics=metrics)

    def close(self) -> None:
        """Close the sinks: nothing more is handed over."""
        if self._sinks is not None:
            self._sinks.close()
            self._sinks = None

    def _open_sinks(self) -> AttemptSinks:
        if self._sinks is None:
            raise TypeError("the attempt was not started, or has ended")
        return self._sinks
