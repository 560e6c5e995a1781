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

from shared.errors import FarmError
from shared.services import Services
from shared.spec import load_spec
from shared.store import Fence
from shared.tables import Job
from worker.lease import CancelRequested, Interrupted, Lease, LeaseLost
from worker.painting import Painting
from worker.retry import patiently
from worker.workshop import Workshop

log = structlog.get_logger("stylefarm.worker")

# A job whose services were away is tried so often in all.
MAX_ATTEMPTS = 3


class Outcome(Enum):
    """What became of a hint."""

    NOT_OURS = "not ours"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"
    RELEASED = "released"
    LOST = "lost"


Ending = tuple[Outcome, Callable[[], bool]]


@dataclass(frozen=True)
class Worker:
    """A worker: what it stands on, the name it claims by, and the sign that it is being stopped."""

    services: Services
    name: str
    interrupted: threading.Event
    workshop: Workshop = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "workshop", Workshop(self.services.settings.target_cache))

    def run(self, job_id: str) -> Outcome:
        """Claims the job, paints it, and leaves it in a state that says how it went. Raises ServiceUnavailable."""
        seconds = self.services.settings.lease_seconds
        job = patiently(lambda: self.services.store.claim(job_id, self.name, lease=seconds))
        if job is None:
            return Outcome.NOT_OURS
        with structlog.contextvars.bound_contextvars(job=job.id, attempt=job.attempt), self._lease(job) as lease:
            log.info("claimed")
            outcome = self._conclude(job, lease)
            log.info("ended", outcome=outcome.value)
        return outcome

    def _lease(self, job: Job) -> Lease:
        settings = self.services.settings
        return Lease(
            self.services.store,
            Fence(job.id, job.attempt),
            self.interrupted,
            seconds=settings.lease_seconds,
            heartbeat_seconds=settings.heartbeat_seconds,
        )

    def _conclude(self, job: Job, lease: Lease) -> Outcome:
        record: dict[str, Any] = {"host": platform.node(), "torch": torch.__version__}
        started = time.monotonic()
        outcome, move = self._paint(job, lease, record)
        record["seconds"] = round(time.monotonic() - started, 3)
        return outcome if patiently(move) else Outcome.LOST

    def _paint(self, job: Job, lease: Lease, record: dict[str, Any]) -> Ending:
        """Paints, and names the move for every way in which that can end."""
        store, fence = self.services.store, lease.fence
        try:
            result = Painting(self.services, job, load_spec(job.spec), lease, self.workshop).paint(record)
        except LeaseLost:
            return Outcome.LOST, lambda: False
        except CancelRequested:
            return Outcome.CANCELLED, partial(store.stopped, fence, record)
        except Interrupted:
            return Outcome.RELEASED, partial(store.release, fence, "its worker was stopped", record)
        except FarmError as error:
            if error.failure_class == "infrastructure" and job.attempt < MAX_ATTEMPTS:
                return Outcome.RELEASED, partial(store.release, fence, str(error), record)
            return Outcome.FAILED, partial(store.fail, fence, error, record)
        except Exception as error:
            # A bug must end in a state too; its traceback is in the log.
            log.exception("internal error")
            unforeseen = FarmError(f"internal error ({type(error).__name__}: {error}): the worker's log has the rest")
            return Outcome.FAILED, partial(store.fail, fence, unforeseen, record)
        return Outcome.DONE, partial(store.finish, fence, result, record)
