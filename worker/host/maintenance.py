"""The reconciler as a thread of the worker's first process, the supervisor.

It is there and not in the slots, since a slot's process forks the one that renders, and a fork inherits whatever locks
and connections another thread has at that moment. The supervisor starts its children as programs of their own, has one
reconciler for all its slots, and imports no torch.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Self

import structlog

from stylefarm.shared.dispatch.reconcile import Reconciler
from stylefarm.shared.errors import ServiceUnavailable
from stylefarm.shared.webhooks.caller import WebhookCaller

log = structlog.get_logger("stylefarm.worker")

# How often the leader checks whether a long queue needs more hints, so that no slot waits for the next period.
LOOK_SECONDS = 0.25
LEAVING_SECONDS = 5.0
# How often to check whether an hour has passed.
SWEEP_LOOK_SECONDS = 60.0


class MaintenanceThreads:
    """Runs these once a period while its `with` block runs.

    Args:
        reconciler: whose period it is.
        register: what reports that this worker is alive.
        caller: the caller of webhooks, if there is one.
        look: what looks after the slots.
    """

    def __init__(
        self,
        reconciler: Reconciler,
        register: Callable[[], None] = lambda: None,
        caller: WebhookCaller | None = None,
        look: Callable[[], None] = lambda: None,
    ) -> None:
        self.reconciler = reconciler
        self.register = register
        self.caller = caller
        self.look = look
        self._over = threading.Event()
        # By themselves, since a large bucket takes its time to list, and so do those who are called to answer: lost
        # jobs must not wait for either.
        works = {"reconciler": self._work, "orphans": self._sweep, "webhooks": self._call, "slots": self._look}
        self._threads = [threading.Thread(target=work, name=name, daemon=True) for name, work in works.items()]

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self._over.set()
        # A call whose answer is not written down would be made again. But the threads are daemons: one that hangs in
        # a service that is away keeps no worker from ending.
        deadline = time.monotonic() + LEAVING_SECONDS
        for thread in self._threads:
            thread.join(max(0.0, deadline - time.monotonic()))

    def _work(self) -> None:
        leads = False
        while not self._over.is_set():
            leads = self._run()
            due = time.monotonic() + self.reconciler.period
            while not self._over.wait(min(LOOK_SECONDS, self.reconciler.period)) and time.monotonic() < due:
                if leads and self._runs_low():
                    break
        if leads:
            self._resign()

    def _sweep(self) -> None:
        while not self._over.wait(SWEEP_LOOK_SECONDS):
            try:
                count = self.reconciler.delete_orphans()
            except Exception as error:  # noqa: BLE001 - whatever it is, the next hour's sweep finds the rest
                log.warning("objects not swept", reason=str(error))
            else:
                if count:
                    log.info("swept objects that nobody names", objects=count)

    def _call(self) -> None:
        caller = self.caller
        if caller is not None:
            self._repeat(lambda: caller.run(self._over), "webhooks not called")

    def _look(self) -> None:
        self._repeat(self.look, "slots not looked after")

    def _repeat(self, work: Callable[[], object], failure: str) -> None:
        while not self._over.wait(self.reconciler.period):
            try:
                work()
            except ServiceUnavailable as error:
                log.warning(failure, reason=str(error))
            except Exception:
                # A bug here must not end the thread.
                log.exception(failure)

    def _run(self) -> bool:
        try:
            self.register()
            return self.reconciler.run()
        except ServiceUnavailable as error:
            log.warning("not reconciled", reason=str(error))
        except Exception:
            # A bug here must not end the thread that requeues lost jobs.
            log.exception("not reconciled")
        return False

    def _runs_low(self) -> bool:
        try:
            return self.reconciler.announcer.runs_low()
        except ServiceUnavailable:
            pass  # the next period says so
        except Exception:
            # As above: logged as an error, and the thread goes on.
            log.exception("not known whether hints run low")
        return False

    def _resign(self) -> None:
        try:
            self.reconciler.resign()
        except ServiceUnavailable as error:
            log.warning("another worker leads a little later", reason=str(error))
        except Exception:
            log.exception("another worker leads a little later")
