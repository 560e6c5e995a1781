"""What a program that waits does for its farm: it renders, or requeues what dead workers have left."""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import suppress
from typing import TYPE_CHECKING

from stylefarm.producer.views.status import Status
from stylefarm.shared.db.states import State
from stylefarm.shared.errors import ServiceUnavailable
from stylefarm.shared.services import Services

if TYPE_CHECKING:
    from stylefarm.producer.backends.embedded import EmbeddedWorker


class DatabaseWaitTasks:
    """Does what a farm needs while a program waits for jobs.

    In an embedded farm, those of the jobs that are queued are rendered here. In one on servers, a program that
    waits also requeues the jobs of workers that died, as long as no worker runs to do it, so that they are announced
    when one starts.

    Args:
        services: the farm's.
        ids: whole ids of the jobs that are waited for.
        worker: renders queued jobs, in an embedded farm; None on servers.

    Example:
        tasks = DatabaseWaitTasks(services, [job.id for job in jobs], worker=None)
        tasks.before_poll()
    """

    def __init__(self, services: Services, ids: Sequence[str], worker: EmbeddedWorker | None) -> None:
        self.services = services
        self.ids = ids
        self.worker = worker
        self.renders = worker is not None
        self._emptied = 0
        self._was_emptied = False
        self._queued: Sequence[str] | None = None
        self._in_vain = False
        self._maintained_at = float("-inf")
        self._before: Sequence[str] | None = None

    def before_poll(self) -> None:
        """Requeue what dead workers have left, if that is due."""
        if self.worker is not None:
            before, self._emptied = self._emptied, self.worker.times_emptied
            self._was_emptied = self._emptied != before
        now = time.monotonic()
        if now - self._maintained_at >= self.services.settings.reconcile_seconds:
            self._maintain()
            self._maintained_at = now

    def after_poll(self, statuses: Sequence[Status]) -> None:
        """Render what is queued; call webhooks once all have ended."""
        if all(status.state.final for status in statuses):
            self._call()
        elif self.worker is not None:
            waiting = any(status.state is State.WAITING for status in statuses)
            if self._before is None or (waiting and not self._before):
                # An embedded farm renders only the jobs that are waited for, and those that these depend on. What was
                # done may be tried again.
                self._before = self.services.queries.ancestors(self.ids)
            before = [Status.of(row) for row in self.services.queries.jobs(self._before)]
            self._before = [status.id for status in before if not status.state.final]
            queued = [status for status in (*statuses, *before) if status.state is State.QUEUED]
            ordered = [status.id for status in sorted(queued, key=lambda status: -status.priority)]
            # All of it was tried, and none could be claimed: their sweep has no room until another program's job ends.
            self._in_vain = self._was_emptied and ordered == self._queued
            self._queued = ordered
            self.worker.add(ordered)

    def rest(self, seconds: float) -> None:
        """Wait so long, or until all that can be rendered here is."""
        if self.worker is None or self._in_vain:
            time.sleep(seconds)
        else:
            self.worker.wait_until_emptied(self._emptied, seconds)

    def close(self) -> None:
        """Let others requeue what died: a worker that starts now does it at once."""
        if self.services.reconciler is not None:
            with suppress(ServiceUnavailable):
                self.services.reconciler.resign()

    def _maintain(self) -> None:
        if self.services.reconciler is None:
            self.services.store.maintenance.requeue_expired(lease=self.services.settings.lease_seconds)
        else:
            self.services.reconciler.run()
        self._call()

    def _call(self) -> None:
        # On servers, the workers call webhooks.
        if self.services.reconciler is None:
            self.services.webhook_caller.run()
