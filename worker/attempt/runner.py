"""The way of jobs through a worker: claim -> paint -> a move of each job that says how it went."""

from __future__ import annotations

import platform
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from enum import Enum
from functools import partial
from typing import Any

import structlog
import torch
from structlog.contextvars import bound_contextvars

from stylefarm.shared.db.records import Fence, StoredObject
from stylefarm.shared.db.states import State
from stylefarm.shared.db.tables import JobRow
from stylefarm.shared.errors import DeviceFailed, FarmError, ServiceUnavailable
from stylefarm.shared.queue.routes import LOWEST
from stylefarm.shared.services import Services
from stylefarm.worker.attempt.attempt import Piece
from stylefarm.worker.attempt.batch import Painting
from stylefarm.worker.attempt.lease import CancelRequested, Interrupted, Lease, LeaseLost, PauseRequested
from stylefarm.worker.host.retry import patiently
from stylefarm.worker.monitoring import metrics
from stylefarm.worker.render.cache import Workshop

log = structlog.get_logger("stylefarm.worker")


class Outcome(Enum):
    """What became of a hint."""

    NOT_OURS = "not ours"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"
    RELEASED = "released"
    LOST = "lost"
    BARRED = "barred"


# So many small pictures keep a GPU's units busy; more of them gain little, and delay the first.
BATCH_ON_GPU = 8
# So that they are served as 0 before the first of them.
for _outcome in Outcome:
    if _outcome not in {Outcome.NOT_OURS, Outcome.BARRED}:
        metrics.ATTEMPTS.labels(_outcome.value)

# The move that ends an attempt.
Ending = Callable[[], Outcome]


@dataclass(frozen=True)
class Worker:
    """A worker: what it stands on, the name it claims by, and the sign that it is being stopped."""

    services: Services
    name: str
    interrupted: threading.Event
    broken: threading.Event = field(default_factory=threading.Event)
    """Set when this process can paint no more, since CUDA in it has failed."""
    workshop: Workshop = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "workshop", Workshop(self.services.settings.target_cache))

    def run(self, job_id: str, priority: int = LOWEST) -> Mapping[str, Outcome]:
        """Claims the job, and others that are painted together with it; paints them, and leaves each in a state.

        `priority` is that of the hint for it. Returns what became of each job, of `job_id` at least. Raises
        ServiceUnavailable.
        """
        with bound_contextvars(job=job_id):
            claim = partial(
                self.services.store.attempts.claim_batch, job_id, self.name, priority=priority, most=self._most()
            )
            jobs = patiently(lambda: claim(lease=self.services.settings.lease_seconds))
            if not jobs:
                may = patiently(lambda: self.services.workers.takes_jobs(self.name))
                return {job_id: Outcome.NOT_OURS if may else Outcome.BARRED}
        outcomes = {}
        with ExitStack() as leases:
            pieces = [self._piece(job, leases) for job in jobs]
            for piece in Painting(self.services, self.workshop, pieces).paint():
                with piece.named():
                    outcomes[piece.job.id] = self._concluded(piece, alone=len(pieces) == 1)
        return outcomes

    def _most(self) -> int:
        """How many jobs are painted together: on a CPU they gain nothing by it."""
        return self.services.settings.batch or (BATCH_ON_GPU if torch.cuda.is_available() else 1)

    def _piece(self, job: JobRow, leases: ExitStack) -> Piece:
        with bound_contextvars(job=job.id, attempt=job.attempt):
            piece = Piece(self.services, job, leases.enter_context(self._lease(job)), _record())
            log.info("claimed")
        return piece

    def _concluded(self, piece: Piece, *, alone: bool) -> Outcome:
        seconds = time.monotonic() - piece.began_at
        piece.record["seconds"] = round(seconds, 3)
        try:
            outcome = patiently(self._ending(piece, alone=alone))
        except ServiceUnavailable as error:
            log.error("left to its lease", reason=str(error))
            raise
        log.info("ended", outcome=outcome.value)
        _count(outcome, seconds)
        return outcome

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

    def _ending(self, piece: Piece, *, alone: bool) -> Ending:
        """The move for the way in which it ended."""
        store, fence, record = self.services.store, piece.fence, piece.record
        match piece.outcome:
            case StoredObject() as result:
                return partial(self._finish, piece, result)
            case CancelRequested():
                return partial(_if_ours, Outcome.CANCELLED, partial(store.attempts.confirm_cancel, fence, record))
            case PauseRequested():
                # The store knows of the request, and takes it back if the user has resumed the job meanwhile.
                return partial(
                    _if_ours, Outcome.RELEASED, partial(store.attempts.release, fence, "let go to be paused", record)
                )
            case Interrupted():
                released = partial(store.attempts.release, fence, "its worker was stopped", record)
                return partial(_if_ours, Outcome.RELEASED, released)
            case FarmError() as error:
                return partial(self._fail, fence, error, record)
            case torch.AcceleratorError() if self.broken.is_set() and not alone:
                # One misfortune, and counted already: three of them would bench the worker.
                released = partial(
                    store.attempts.release, fence, "the GPU failed under another job of its batch", record
                )
                return partial(_if_ours, Outcome.RELEASED, released)
            case torch.AcceleratorError() as error:
                # After such an error every further call into CUDA fails, until the process ends.
                self.broken.set()
                log.error("the GPU failed", exc_info=error)
                return partial(self._fail, fence, DeviceFailed(f"the GPU failed ({_first_line(error)})"), record)
            case LeaseLost():
                return lambda: Outcome.LOST
            case error:
                # A bug must end in a state too; its traceback is in the log.
                log.error("internal error", exc_info=error)
                told = f"internal error ({type(error).__name__}: {error}): the worker's log has the rest"
                return partial(self._fail, fence, FarmError(told), record)

    def _finish(self, piece: Piece, result: StoredObject) -> Outcome:
        if not self.services.store.attempts.finish(piece.fence, result, piece.record, piece.metrics):
            return Outcome.LOST
        piece.shelf.clear()
        return Outcome.DONE

    def _fail(self, fence: Fence, error: FarmError, record: dict[str, Any]) -> Outcome:
        state = self.services.store.attempts.fail(fence, error, record)
        if state is None:
            return Outcome.LOST
        return Outcome.FAILED if state == State.FAILED else Outcome.RELEASED


def _record() -> dict[str, Any]:
    return {"host": platform.node(), "torch": torch.__version__}


def _count(outcome: Outcome, seconds: float) -> None:
    metrics.ATTEMPTS.labels(outcome.value).inc()
    if outcome is Outcome.DONE:
        metrics.JOB_SECONDS.observe(seconds)
    elif outcome is Outcome.LOST:
        metrics.LEASE_LOSSES.inc()


def _if_ours(outcome: Outcome, move: Callable[[], bool]) -> Outcome:
    return outcome if move() else Outcome.LOST


def _first_line(error: Exception) -> str:
    return next(iter(str(error).splitlines()), type(error).__name__)
