"""Waiting for jobs, by looking; on an embedded farm, also by having them painted."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from producer.embedded import Painter
from producer.status import Status
from shared.errors import StillPending
from shared.services import Services
from shared.states import State

# How often is looked, while little is waited for; a look at many jobs takes longer, and is taken less often.
LOOK_SECONDS = 0.25
LOOKING_SHARE = 0.05

# How often an embedded farm takes back the jobs of a process that is gone.
RECLAIM_SECONDS = 5.0

Watcher = Callable[[Sequence[Status]], None]


def wait_for(
    services: Services, painter: Painter | None, ids: Sequence[str], timeout: float | None, watch: Watcher | None
) -> list[Status]:
    """Waits until the jobs of `ids` have ended; see `Farm.wait`."""
    deadline = None if timeout is None else time.monotonic() + timeout
    reclaimed_at = float("-inf")
    ended: dict[str, Status] = {}
    while True:
        started = time.monotonic()
        if painter is not None and started - reclaimed_at >= RECLAIM_SECONDS:
            services.store.requeue_expired()
            reclaimed_at = started
        open_ids = [job_id for job_id in ids if job_id not in ended]
        seen = {row.id: Status.of(row) for row in services.queries.jobs(open_ids)}
        ended.update((job_id, status) for job_id, status in seen.items() if status.state.final)
        now = [ended.get(job_id) or seen[job_id] for job_id in ids]
        if watch is not None:
            watch(now)
        if all(status.state.final for status in now):
            return now
        if painter is not None:
            painter.add(status.id for status in now if status.state is State.QUEUED)
        _pause(started, deadline, now)


def _pause(started: float, deadline: float | None, now: Sequence[Status]) -> None:
    looked = time.monotonic() - started
    pause = max(LOOK_SECONDS, looked / LOOKING_SHARE)
    if deadline is not None:
        left = deadline - time.monotonic()
        if left <= 0:
            pending = sum(not status.state.final for status in now)
            raise StillPending(f"{pending} of {len(now)} jobs have not ended in the time given; nothing was stopped")
        pause = min(pause, left)
    time.sleep(pause)
