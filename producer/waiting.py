"""Waiting for jobs, by looking; what a dead worker has left is put right meanwhile."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import suppress

from producer.status import Status
from shared.errors import NotFound, ServiceUnavailable, StillPending
from shared.services import Services
from shared.states import State

# How often is looked, while little is waited for; a look at many jobs takes longer, and is taken less often.
LOOK_SECONDS = 0.25
LOOKING_SHARE = 0.05

Watcher = Callable[[Sequence[Status]], None]


def wait_for(
    services: Services,
    ids: Sequence[str],
    timeout: float | None,
    watch: Watcher | None,
    *,
    paint: Callable[[Sequence[str]], None] | None,
) -> list[Status]:
    """Waits until the jobs of `ids` have ended; see `Farm.wait`.

    In an embedded farm, `paint` is told of those of `ids` that are queued. In one on servers, whoever waits puts right
    what workers that died have left, as long as no worker does; so the jobs are announced when one starts.
    """
    try:
        return _wait(services, ids, timeout, watch, paint)
    finally:
        if services.reconciler is not None:
            # A worker that starts now leads at once.
            with suppress(ServiceUnavailable):
                services.reconciler.resign()


def _wait(
    services: Services,
    ids: Sequence[str],
    timeout: float | None,
    watch: Watcher | None,
    paint: Callable[[Sequence[str]], None] | None,
) -> list[Status]:
    deadline = None if timeout is None else time.monotonic() + timeout
    tended_at = float("-inf")
    ended: dict[str, Status] = {}
    # An embedded farm paints only what is waited for; what that waits for, too.
    before = [] if paint is None else services.queries.ancestors(ids)
    while True:
        started = time.monotonic()
        if started - tended_at >= services.settings.reconcile_seconds:
            _tend(services)
            tended_at = started
        now = _look(services, ids, ended)
        if watch is not None:
            watch(now)
        if all(status.state.final for status in now):
            _call(services)
            return now
        if paint is not None:
            queued = [status for status in (*now, *_look(services, before, ended)) if status.state is State.QUEUED]
            paint([status.id for status in sorted(queued, key=lambda status: -status.priority)])
        _pause(started, deadline, now, stops=paint is not None)


def _tend(services: Services) -> None:
    if services.reconciler is None:
        services.store.requeue_expired()
    else:
        services.reconciler.run()
    _call(services)


def _call(services: Services) -> None:
    # Where there are workers, they do it.
    if services.reconciler is None:
        services.caller.run()


def _look(services: Services, ids: Sequence[str], ended: dict[str, Status]) -> list[Status]:
    """The statuses of `ids`; of those that have `ended`, what was seen then."""
    seen = {row.id: Status.of(row) for row in services.queries.jobs([i for i in ids if i not in ended])}
    ended.update((job_id, status) for job_id, status in seen.items() if status.state.final)
    for job_id in ids:
        if job_id not in ended and job_id not in seen:
            raise NotFound(f"there is no job {job_id}")
    return [ended.get(job_id) or seen[job_id] for job_id in ids]


def _pause(started: float, deadline: float | None, now: Sequence[Status], *, stops: bool) -> None:
    looked = time.monotonic() - started
    pause = max(LOOK_SECONDS, looked / LOOKING_SHARE)
    if deadline is not None:
        left = deadline - time.monotonic()
        if left <= 0:
            pending = sum(not status.state.final for status in now)
            what = "they are painted only while a program waits for them" if stops else "the workers go on"
            raise StillPending(f"{pending} of {len(now)} jobs have not ended in the time given; {what}")
        pause = min(pause, left)
    time.sleep(pause)
