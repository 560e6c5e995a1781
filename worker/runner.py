"""The way of one job through a worker: claim -> paint -> a move of the job that says how it went."""

from __future__ import annotations

import platform
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum
from functools import partial
from typing import Any

import structlog
import torch

from shared.errors import DeviceFailed, FarmError, ServiceUnavailable
from shared.routes import LOWEST
from shared.services import Services
from shared.spec import load_spec
from shared.states import State
from shared.store import Fence, StoredObject
from shared.tables import Job
from worker import metrics
from worker.lease import CancelRequested, Interrupted, Lease, LeaseLost, PauseRequested
from worker.painting import Painting
from worker.retry import patiently
from worker.workshop import Workshop

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

    def run(self, job_id: str, priority: int = LOWEST) -> Outcome:
        """Claims the job, paints it, and leaves it in a state that says how it went.

        `priority` is that of the hint for it. Raises ServiceUnavailable.
        """
        with structlog.contextvars.bound_contextvars(job=job_id):
            seconds = self.services.settings.lease_seconds
            job = patiently(lambda: self.services.store.claim(job_id, self.name, lease=seconds, priority=priority))
            if job is None:
                may = patiently(lambda: self.services.workers.takes_jobs(self.name))
                return Outcome.NOT_OURS if may else Outcome.BARRED
            with structlog.contextvars.bound_contextvars(attempt=job.attempt):
                return self._attempt(job)

    def _attempt(self, job: Job) -> Outcome:
        started = time.monotonic()
        with self._lease(job) as lease:
            log.info("claimed")
            try:
                outcome = self._conclude(job, lease)
            except ServiceUnavailable as error:
                log.error("left to its lease", reason=str(error))
                raise
            log.info("ended", outcome=outcome.value)
        _count(outcome, time.monotonic() - started)
        return outcome

    def _lease(self, job: Job) -> Lease:
        settings = self.services.settings
        return Lease(
            self.services.store,
            Fence(job.id, job.attempt),
            self.interrupted,
            seconds=settings.lease_seconds,
            heartbeat_seconds=settings.heartbeat_seconds,
            time_limit=job.time_limit,
        )

    def _conclude(self, job: Job, lease: Lease) -> Outcome:
        record: dict[str, Any] = {"host": platform.node(), "torch": torch.__version__}
        started = time.monotonic()
        ending = self._paint(job, lease, record)
        record["seconds"] = round(time.monotonic() - started, 3)
        return patiently(ending)

    def _paint(self, job: Job, lease: Lease, record: dict[str, Any]) -> Ending:
        """Paints, and names the move for every way in which that can end."""
        store, fence = self.services.store, lease.fence
        try:
            painting = Painting(self.services, job, load_spec(job.spec), lease, self.workshop, record)
            result = painting.paint()
        except LeaseLost:
            return lambda: Outcome.LOST
        except CancelRequested:
            return partial(_if_ours, Outcome.CANCELLED, partial(store.stopped, fence, record))
        except PauseRequested:
            # The store knows of the request, and takes it back if the user has resumed the job meanwhile.
            return partial(_if_ours, Outcome.RELEASED, partial(store.release, fence, "let go to be paused", record))
        except Interrupted:
            return partial(_if_ours, Outcome.RELEASED, partial(store.release, fence, "its worker was stopped", record))
        except FarmError as error:
            return partial(self._fail, fence, error, record)
        except torch.AcceleratorError as error:
            # After such an error every further call into CUDA fails, until the process ends.
            self.broken.set()
            log.exception("the GPU failed")
            return partial(self._fail, fence, DeviceFailed(f"the GPU failed ({_first_line(error)})"), record)
        except Exception as error:
            # A bug must end in a state too; its traceback is in the log.
            log.exception("internal error")
            unforeseen = FarmError(f"internal error ({type(error).__name__}: {error}): the worker's log has the rest")
            return partial(self._fail, fence, unforeseen, record)
        return partial(self._finish, painting, result)

    def _finish(self, painting: Painting, result: StoredObject) -> Outcome:
        if not self.services.store.finish(painting.fence, result, painting.record):
            return Outcome.LOST
        painting.shelf.clear()
        return Outcome.DONE

    def _fail(self, fence: Fence, error: FarmError, record: dict[str, Any]) -> Outcome:
        state = self.services.store.fail(fence, error, record)
        if state is None:
            return Outcome.LOST
        return Outcome.FAILED if state == State.FAILED else Outcome.RELEASED


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
