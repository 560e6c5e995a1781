"""The heartbeat: a thread that renews a job's lease while it is rendered, and learns what the user wants of it."""

from __future__ import annotations

import contextvars
import threading
import time
from typing import Self

import structlog

from stylefarm.shared.db.records import Fence, Heartbeat
from stylefarm.shared.errors import TimeLimitExceeded
from stylefarm.shared.store import Store

log = structlog.get_logger("stylefarm.worker")


class Stop(Exception):
    """The work on a job must stop; the subclass says why."""


class LeaseLost(Stop):
    """The job belongs to another attempt: nothing more may be written."""


class CancelRequested(Stop):
    """The user has cancelled the job."""


class PauseRequested(Stop):
    """The user has paused the job."""


class Interrupted(Stop):
    """This worker is being stopped; the job goes back into the queue."""


class Lease:
    """Keeps the lease of one job while its `with` block runs.

    Args:
        store: renews the lease.
        fence: the attempt.
        interrupted: set when the worker is being stopped.
        seconds: how long a lease lasts.
        heartbeat_seconds: how often it is renewed.
        time_limit: seconds that the attempt may take; None: no limit.
    """

    def __init__(
        self,
        store: Store,
        fence: Fence,
        interrupted: threading.Event,
        *,
        seconds: float,
        heartbeat_seconds: float,
        time_limit: float | None = None,
    ) -> None:
        self.store = store
        self.fence = fence
        self.interrupted = interrupted
        self.seconds = seconds
        self.heartbeat_seconds = heartbeat_seconds
        self._lost = threading.Event()
        self._cancel = threading.Event()
        self._pause = threading.Event()
        self._over = threading.Event()
        self._renewed_at = self._began_at = time.monotonic()
        self.time_limit = time_limit
        # In the log's context, so that messages of this thread name the job and the attempt, too.
        run = contextvars.copy_context().run
        self._thread = threading.Thread(target=run, args=(self._beat,), name=f"lease of {fence.job_id}", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self._over.set()
        self._thread.join()

    def check(self) -> None:
        """Raise the Stop that the last heartbeat brought, if any. It asks no service, and costs nothing.

        Raises:
            Stop: the work must stop.
            TimeLimitExceeded: the attempt has taken longer than it may.
        """
        # By then another worker may have claimed the job, whether or not the database can be reached from here.
        if self._lost.is_set() or time.monotonic() - self._renewed_at > self.seconds:
            raise LeaseLost
        if self._cancel.is_set():
            raise CancelRequested
        if self._pause.is_set():
            raise PauseRequested
        if self.interrupted.is_set():
            raise Interrupted
        if self.time_limit is not None and self._runs_for() > self.time_limit:
            raise TimeLimitExceeded(
                f"it ran for longer than its time_limit of {self.time_limit:g} seconds: allow more, or ask for less"
            )

    def _runs_for(self) -> float:
        return time.monotonic() - self._began_at

    def _beat(self) -> None:
        while not self._over.wait(self.heartbeat_seconds) and not self._lost.is_set():
            self._renew()

    def _renew(self) -> None:
        # A worker that has not stopped by now hangs, and must lose the job.
        if self.time_limit is not None and self._runs_for() > self.time_limit + self.seconds:
            self._lost.set()
            return
        asked_at = time.monotonic()
        try:
            heartbeat = self.store.attempts.renew(self.fence, lease=self.seconds)
        except Exception as error:  # noqa: BLE001 - whatever it is, the next beat asks again, until the lease is over
            log.warning("lease not renewed", reason=str(error))
            return
        self._renewed_at = asked_at
        self.on_heartbeat(heartbeat)

    def on_heartbeat(self, heartbeat: Heartbeat) -> None:
        """Note what the store says of the job."""
        if not heartbeat:
            self._lost.set()
        elif heartbeat.cancel:
            self._cancel.set()
        elif heartbeat.pause:
            self._pause.set()
