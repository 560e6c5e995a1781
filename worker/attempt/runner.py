"""A job's way through a worker: claim it, render it, record how that ended."""

from __future__ import annotations

import platform
import threading
import time
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import partial

import structlog
import torch
from structlog.contextvars import bound_contextvars

from stylefarm.shared.db.records import Fence
from stylefarm.shared.db.tables import JobRow
from stylefarm.shared.errors import ServiceUnavailable
from stylefarm.shared.queue.routes import LOWEST
from stylefarm.shared.services import Services
from stylefarm.worker.attempt.attempt import Attempt
from stylefarm.worker.attempt.batch import BatchRun
from stylefarm.worker.attempt.lease import Lease
from stylefarm.worker.attempt.outcome import Crashed, DeviceLost, JobMove, Outcome, record_outcome
from stylefarm.worker.host.retry import retry_transient
from stylefarm.worker.monitoring import metrics
from stylefarm.worker.render.cache import ModelCache

log = structlog.get_logger("stylefarm.worker")


# So many small pictures keep a GPU busy; more of them gain little, and delay the first.
BATCH_ON_GPU = 8
# So that these counters are served as 0 from the start.
for _move in JobMove:
    if _move not in {JobMove.NOT_OURS, JobMove.BARRED}:
        metrics.ATTEMPTS.labels(_move.value)


@dataclass(frozen=True)
class Worker:
    """A worker: its services, the name by which it claims jobs, and the event that is set when it is being stopped."""

    services: Services
    name: str
    interrupted: threading.Event
    broken: threading.Event = field(default_factory=threading.Event)
    """Set when this process can render no more, since CUDA in it has failed."""
    cache: ModelCache = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "cache", ModelCache(self.services.settings.target_cache))

    def run(self, job_id: str, priority: int = LOWEST) -> Mapping[str, JobMove]:
        """Claim a job, and others that can be rendered together with it; render them, and leave each in a state.

        Args:
            job_id: the job of the hint.
            priority: that of the hint.

        Returns:
            What became of each job, of `job_id` at least.

        Raises:
            ServiceUnavailable: a service does not answer for a minute; the jobs are left to their leases.
        """
        with bound_contextvars(job=job_id):
            claim = partial(
                self.services.store.attempts.claim_batch, job_id, self.name, priority=priority, most=self._most()
            )
            jobs = retry_transient(lambda: claim(lease=self.services.settings.lease_seconds))
            if not jobs:
                may = retry_transient(lambda: self.services.workers.takes_jobs(self.name))
                return {job_id: JobMove.NOT_OURS if may else JobMove.BARRED}
        moves = {}
        with ExitStack() as leases:
            attempts = [self._attempt(job, leases) for job in jobs]
            for attempt in BatchRun(self.services, self.cache, attempts).render():
                with attempt.log_context():
                    moves[attempt.job.id] = self._conclude(attempt, alone=len(attempts) == 1)
        return moves

    def _most(self) -> int:
        """How many jobs are rendered together: on a CPU they gain nothing by it."""
        return self.services.settings.batch or (BATCH_ON_GPU if torch.cuda.is_available() else 1)

    def _attempt(self, job: JobRow, leases: ExitStack) -> Attempt:
        with bound_contextvars(job=job.id, attempt=job.attempt):
            machine = {"host": platform.node(), "torch": torch.__version__}
            attempt = Attempt(self.services, job, leases.enter_context(self._lease(job)), machine)
            log.info("claimed")
        return attempt

    def _conclude(self, attempt: Attempt, *, alone: bool) -> JobMove:
        """Record how the attempt ended, and count it."""
        outcome = attempt.outcome
        seconds = time.monotonic() - attempt.began_at
        attempt.record["seconds"] = round(seconds, 3)
        counts = alone or not self.broken.is_set()
        self._log_failure(outcome, counts=counts)
        record = partial(record_outcome, self.services.store, attempt.fence, outcome, attempt.record, counts=counts)
        try:
            move = retry_transient(record)
        except ServiceUnavailable as error:
            log.error("left to its lease", reason=str(error))
            raise
        if move is JobMove.DONE:
            # The row does not refer to its checkpoint any more.
            attempt.checkpoint_store.clear()
        log.info("ended", outcome=move.value)
        _count(move, seconds)
        return move

    def _log_failure(self, outcome: Outcome, *, counts: bool) -> None:
        """Log what is wrong with the machine or the program; after a failure of the GPU, take no more jobs."""
        if isinstance(outcome, DeviceLost) and counts:
            self.broken.set()
            log.error("the GPU failed", exc_info=outcome.error)
        elif isinstance(outcome, Crashed):
            log.error("internal error", exc_info=outcome.error)

    def _lease(self, job: JobRow) -> Lease:
        settings = self.services.settings
        return Lease(
            self.services.store,
            Fence(job.id, job.attempt),
            self.interrupted,
            seconds=settings.lease_seconds,
            heartbeat_seconds=settings.heartbeat_seconds,
            time_limit=job.time_limit,
        )


def _count(move: JobMove, seconds: float) -> None:
    metrics.ATTEMPTS.labels(move.value).inc()
    if move is JobMove.DONE:
        metrics.JOB_SECONDS.observe(seconds)
    elif move is JobMove.LOST:
        metrics.LEASE_LOSSES.inc()
