"""Waiting for jobs, by looking; what a dead worker has left is put right meanwhile."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Sequence
from concurrent.futures import ALL_COMPLETED, FIRST_COMPLETED, FIRST_EXCEPTION
from contextlib import closing, suppress

from stylefarm.producer.views.status import Status
from stylefarm.shared.db.states import State
from stylefarm.shared.errors import InvalidRequest, NotFound, ServiceUnavailable, StillPending
from stylefarm.shared.services import Services

# How often is looked, while little is waited for; a look at many jobs takes longer, and is taken less often.
POLL_SECONDS = 0.25
POLL_SHARE = 0.05


class Waiting:
    """Looks at jobs, one time after the other with a pause between, until they have ended; then it is to be closed.

    In an embedded farm, `paint` is told of those of `ids` that are queued. In one on servers, whoever waits puts right
    what workers that died have left, as long as no worker does; so the jobs are announced when one starts.
    """

    def __init__(
        self,
        services: Services,
        ids: Sequence[str],
        timeout: float | None,
        paint: Callable[[Sequence[str]], None] | None,
    ) -> None:
        self.services = services
        self.ids = ids
        self.paint = paint
        self.pending = len(ids)
        self._deadline = None if timeout is None else time.monotonic() + timeout
        self._maintained_at = float("-inf")
        self._polled_at = time.monotonic()
        self._ended: dict[str, Status] = {}
        self._before: Sequence[str] | None = None

    def poll_once(self) -> list[Status]:
        """The statuses of all of them, in the order of their ids. Raises NotFound."""
        self._polled_at = time.monotonic()
        if self._polled_at - self._maintained_at >= self.services.settings.reconcile_seconds:
            self._maintain()
            self._maintained_at = self._polled_at
        now = self._statuses(self.ids)
        self.pending = sum(not status.state.final for status in now)
        if not self.pending:
            self._call()
        if self.paint is not None and self.pending:
            if self._before is None:
                # An embedded farm paints only what is waited for; what that waits for, too.
                self._before = self.services.queries.ancestors(self.ids)
            queued = [status for status in (*now, *self._statuses(self._before)) if status.state is State.QUEUED]
            self.paint([status.id for status in sorted(queued, key=lambda status: -status.priority)])
        return now

    def pause(self) -> float:
        """Seconds until the next look. Raises StillPending when the time is over."""
        pause = max(POLL_SECONDS, (time.monotonic() - self._polled_at) / POLL_SHARE)
        if self._deadline is None:
            return pause
        left = self._deadline - time.monotonic()
        if left <= 0:
            stops = self.paint is not None
            what = "they are painted only while a program waits for them" if stops else "the workers go on"
            raise StillPending(f"{self.pending} of {len(self.ids)} jobs have not ended in the time given; {what}")
        return min(pause, left)

    def close(self) -> None:
        """Leaves putting right what died to others: a worker that starts now does it at once."""
        if self.services.reconciler is not None:
            with suppress(ServiceUnavailable):
                self.services.reconciler.resign()

    def _maintain(self) -> None:
        if self.services.reconciler is None:
            self.services.store.maintenance.requeue_expired()
        else:
            self.services.reconciler.run()
        self._call()

    def _call(self) -> None:
        # Where there are workers, they do it.
        if self.services.reconciler is None:
            self.services.webhook_caller.run()

    def _statuses(self, ids: Sequence[str]) -> list[Status]:
        """The statuses of `ids`; of those that have ended, what was seen then."""
        seen = statuses_of(self.services, [job_id for job_id in ids if job_id not in self._ended])
        self._ended.update((job_id, status) for job_id, status in seen.items() if status.state.final)
        return [self._ended.get(job_id) or seen[job_id] for job_id in ids]


def poll(waiting: Waiting) -> Generator[list[Status]]:
    """What each look finds, the last of them that all have ended. Raises StillPending and NotFound."""
    with closing(waiting):
        while True:
            yield waiting.poll_once()
            if not waiting.pending:
                return
            time.sleep(waiting.pause())


def is_over(now: Sequence[Status], return_when: str) -> bool:
    """Whether a wait ends here, in the words of concurrent.futures. Raises InvalidRequest if it is none of them."""
    if return_when not in (ALL_COMPLETED, FIRST_COMPLETED, FIRST_EXCEPTION):
        known = f"{ALL_COMPLETED}, {FIRST_COMPLETED} or {FIRST_EXCEPTION}"
        raise InvalidRequest(f"return_when = {return_when!r}: it is {known}, as in concurrent.futures")
    if return_when == FIRST_COMPLETED and any(status.state.final for status in now):
        return True
    if return_when == FIRST_EXCEPTION and any(status.state in {State.FAILED, State.CANCELLED} for status in now):
        return True
    return all(status.state.final for status in now)


def newly_ended(now: Sequence[Status], told: set[str]) -> list[Status]:
    """Those that have ended and were not told before, in the order of their ends; they are told then."""
    ended = {status.id: status for status in now if status.state.final and status.id not in told}
    told.update(ended)
    return sorted(ended.values(), key=lambda status: status.finished_at or status.created_at)


def statuses_of(services: Services, ids: Sequence[str]) -> dict[str, Status]:
    """Where the jobs of these ids stand, by id. Raises NotFound for the first that there is not."""
    seen = {row.id: Status.of(row) for row in services.queries.jobs(ids)}
    for job_id in ids:
        if job_id not in seen:
            raise NotFound(f"there is no job {job_id}")
    return seen
