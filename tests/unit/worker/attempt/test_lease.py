"""What a worker hears, and does not hear, from the database while it renders."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import cast

import pytest

from stylefarm.shared.db.records import Fence, Heartbeat
from stylefarm.shared.errors import ServiceUnavailable, TimeLimitExceeded
from stylefarm.shared.store import Store
from stylefarm.worker.attempt.lease import CancelRequested, Interrupted, Lease, LeaseLost, PauseRequested, Stop
from tests.servers.processes import wait_until


class Answers:
    """A store whose answer to a heartbeat is made up."""

    def __init__(self, answer: Callable[[], Heartbeat]) -> None:
        self.answer = answer
        self.attempts = self

    def renew(self, fence: Fence, *, lease: float) -> Heartbeat:
        return self.answer()


def away() -> Heartbeat:
    raise ServiceUnavailable("the database does not answer")


def heard(
    answer: Callable[[], Heartbeat], *, within: float, seconds: float = 30, interrupt: bool = False
) -> type[Stop] | None:
    """What `check` raises within some seconds of heartbeats each hundredth."""
    interrupted = threading.Event()
    store = cast("Store", Answers(answer))
    lease = Lease(store, Fence("j", 1), interrupted, seconds=seconds, heartbeat_seconds=0.01)
    with lease:
        if interrupt:
            interrupted.set()
        deadline = time.monotonic() + within
        while time.monotonic() < deadline:
            try:
                lease.check()
            except Stop as stop:
                return type(stop)
            time.sleep(0.01)
    return None


@pytest.mark.parametrize(
    ("answer", "seconds", "expected"),
    [
        (lambda: Heartbeat(ours=True, cancel=False), 30, None),
        (lambda: Heartbeat(ours=False, cancel=False), 30, LeaseLost),
        (lambda: Heartbeat(ours=True, cancel=True), 30, CancelRequested),
        (lambda: Heartbeat(ours=True, pause=True), 30, PauseRequested),
        (away, 30, None),
        (away, 0.05, LeaseLost),
    ],
)
def test_a_heartbeat_decides_whether_the_work_goes_on(
    answer: Callable[[], Heartbeat], seconds: float, expected: type[Stop] | None
) -> None:
    """Given an answer, or none for shorter or longer than the lease, I expect the work to go on or to stop for it."""
    assert heard(answer, seconds=seconds, within=60 if expected else 0.3) is expected


class Clock:
    """A clock that stands where it is put."""

    def __init__(self) -> None:
        self.now = 0.0

    def monotonic(self) -> float:
        return self.now


def test_work_that_takes_too_long_stops(monkeypatch: pytest.MonkeyPatch) -> None:
    """Given a time limit that is over, I expect the work to stop with a sentence, and the lease to be let go soon."""
    clock = Clock()
    monkeypatch.setattr("stylefarm.worker.attempt.lease.time", clock)
    store = cast("Store", Answers(lambda: Heartbeat(ours=True)))
    lease = Lease(store, Fence("j", 1), threading.Event(), seconds=30, heartbeat_seconds=0.01, time_limit=50)
    with lease:
        # Never so far at once that the lease would be over for want of a heartbeat.
        for clock.now in (25.0, 50.0):
            wait_until(lambda: lease._renewed_at == clock.now, 60)
            lease.check()
        for clock.now in (51.0, 80.0):
            wait_until(lambda: lease._renewed_at == clock.now, 60)
            with pytest.raises(TimeLimitExceeded, match="longer than its time_limit of 50 seconds: "):
                lease.check()
        clock.now = 81.0
        wait_until(lease._lost.is_set, 60)
        with pytest.raises(LeaseLost):
            lease.check()


def test_an_interrupted_worker_stops() -> None:
    """Given a worker that is being stopped, I expect its work to stop, too."""
    assert heard(lambda: Heartbeat(ours=True, cancel=False), within=60, interrupt=True) is Interrupted
