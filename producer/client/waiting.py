"""Wait for jobs by polling, and do meanwhile what the farm needs."""

from __future__ import annotations

import time
from collections.abc import Generator, Mapping, Sequence
from concurrent.futures import ALL_COMPLETED, FIRST_COMPLETED, FIRST_EXCEPTION
from contextlib import closing
from typing import Any

from stylefarm.producer.backends.protocol import Backend
from stylefarm.producer.views.status import Status
from stylefarm.shared.db.states import State
from stylefarm.shared.errors import InvalidRequest, NotFound, StillPending

# The pause between polls, and the share of the time that polls may take: many jobs are polled less often.
POLL_SECONDS = 0.25
POLL_SHARE = 0.05


class Waiting:
    """Polls jobs, with a pause between, until they have ended; close it then.

    Args:
        backend: the farm's.
        jobs: whole ids of jobs, each with the cell of a sweep that it was found in, or None.
        timeout: seconds to wait at most; None: without end.

    Example:
        waiting = Waiting(farm.backend, [(job.id, None) for job in jobs], timeout=600)
        with closing(waiting):
            while any(not status.state.final for status in waiting.poll_once()):
                waiting.rest()
    """

    def __init__(
        self, backend: Backend, jobs: Sequence[tuple[str, Mapping[str, Any] | None]], timeout: float | None
    ) -> None:
        self.backend = backend
        self.ids = [job_id for job_id, _ in jobs]
        self.cells = [cell for _, cell in jobs]
        self.pending = len(jobs)
        self._tasks = backend.wait_tasks(self.ids)
        self._deadline = None if timeout is None else time.monotonic() + timeout
        self._polled_at = time.monotonic()
        self._ended: dict[str, Status] = {}

    def poll_once(self) -> list[Status]:
        """Return the statuses of all jobs, in the order of their ids.

        Raises:
            NotFound: one of the jobs was deleted.
        """
        self._tasks.before_poll()
        # What is done for the farm is no part of the poll: a webhook that is not answered takes ten seconds.
        self._polled_at = time.monotonic()
        now = self._statuses()
        self.pending = sum(not status.state.final for status in now)
        self._tasks.after_poll(now)
        pairs = zip(now, self.cells, strict=True)
        return [status if cell is None or cell == status.cell else status.at(cell) for status, cell in pairs]

    def pause(self) -> float:
        """Return the seconds until the next poll.

        Raises:
            StillPending: the timeout is over.
        """
        pause = max(POLL_SECONDS, (time.monotonic() - self._polled_at) / POLL_SHARE)
        if self._deadline is None:
            return pause
        left = self._deadline - time.monotonic()
        if left <= 0:
            stops = self._tasks.renders
            what = "they are rendered only while a program waits for them" if stops else "the workers go on"
            raise StillPending(f"{self.pending} of {len(self.ids)} jobs have not ended in the time given; {what}")
        return min(pause, left)

    def rest(self) -> None:
        """Wait until the next poll; not so long where it is known that a job has ended.

        Raises:
            StillPending: the timeout is over.
        """
        self._tasks.rest(self.pause())

    def close(self) -> None:
        """Leave what the farm needs to others."""
        self._tasks.close()

    def _statuses(self) -> list[Status]:
        """Return the statuses of all jobs; of those that have ended, those of the last poll."""
        pending = [job_id for job_id in self.ids if job_id not in self._ended]
        seen = all_of(pending, self.backend.progress(pending))
        self._ended.update((job_id, status) for job_id, status in seen.items() if status.state.final)
        return [self._ended.get(job_id) or seen[job_id] for job_id in self.ids]


def poll(waiting: Waiting) -> Generator[list[Status]]:
    """Yield the statuses of each poll; after the last of them all jobs have ended.

    Args:
        waiting: closed at the end.

    Yields:
        The statuses, in the order of the ids that are waited for.

    Raises:
        StillPending: the timeout is over.
        NotFound: one of the jobs was deleted.

    Example:
        for statuses in poll(Waiting(farm.backend, [("9a41c07d-...", None)], timeout=600)):
            print(sum(status.state.final for status in statuses), "jobs have ended")
    """
    with closing(waiting):
        while True:
            yield waiting.poll_once()
            if not waiting.pending:
                return
            waiting.rest()


def is_over(now: Sequence[Status], return_when: str) -> bool:
    """Return whether a wait ends here.

    Args:
        now: the statuses of all jobs.
        return_when: a constant of concurrent.futures.

    Raises:
        InvalidRequest: `return_when` is none of them.

    Example:
        >>> is_over([], "ALL_COMPLETED")
        True
    """
    if return_when not in (ALL_COMPLETED, FIRST_COMPLETED, FIRST_EXCEPTION):
        known = f"{ALL_COMPLETED}, {FIRST_COMPLETED} or {FIRST_EXCEPTION}"
        raise InvalidRequest(f"return_when = {return_when!r}: it is {known}, as in concurrent.futures")
    if return_when == FIRST_COMPLETED and any(status.state.final for status in now):
        return True
    if return_when == FIRST_EXCEPTION and any(status.state in {State.FAILED, State.CANCELLED} for status in now):
        return True
    return all(status.state.final for status in now)


def newly_ended(now: Sequence[Status], reported: set[int]) -> list[int]:
    """Return which jobs have ended and are not in `reported`, in the order of their ends, and add them to it.

    Args:
        now: the statuses of all jobs, in the same order each time.
        reported: places in `now` that were returned before; changed in place.

    Example:
        >>> from stylefarm.shared.db.tables import JobRequestRow, JobRow
        >>> request = JobRequestRow(spec={}, notes=[])
        >>> done = Status.of(JobRow(id="9a41c07d", state=State.DONE, request=request))
        >>> reported = set()
        >>> [newly_ended([done], reported) for _ in range(2)], reported
        ([[0], []], {0})
    """
    ended = [place for place, status in enumerate(now) if status.state.final and place not in reported]
    reported.update(ended)
    return sorted(ended, key=lambda place: now[place].finished_at or now[place].created_at)


def all_of(ids: Sequence[str], statuses: Sequence[Status]) -> dict[str, Status]:
    """Return statuses by the ids of their jobs.

    Args:
        ids: whole ids of jobs.
        statuses: what was found of them.

    Raises:
        NotFound: one of them is not there; the first is named.

    Example:
        >>> all_of(["9a41c07d"], [])
        Traceback (most recent call last):
        ...
        stylefarm.shared.errors.NotFound: there is no job 9a41c07d
    """
    seen = {status.id: status for status in statuses}
    for job_id in ids:
        if job_id not in seen:
            raise NotFound(f"there is no job {job_id}")
    return seen
