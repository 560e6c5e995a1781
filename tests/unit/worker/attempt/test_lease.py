"""What a worker hears, and does not hear, from the database while it renders."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from typing import cast

import pytest

from stylefarm.shared.db.records import Fence, Heartbeat
from stylefarm.shared.errors import ServiceUnavailable, TimeLimitExceeded
from stylefarm.shared.store import Store
from stylefarm.worker.attempt.lease import CancelRequested, Interrupted, Lease, LeaseLost, PauseRequested, Stop


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


def test_work_that_takes_too_long_stops() -> None:
    """Given a time limit that is over, I expect the work to stop with a sentence, and the lease to be let go soon."""
    store = cast("Store", Answers(lambda: Heartbeat(ours=True)))
    lease = Lease(store, Fence("j", 1), threading.Event(), seconds=2, heartbeat_seconds=0.02, time_limit=0.5)
    with lease:
        lease.check()
        stops = {type(stop): str(stop) for stop in until_lost(lease)}
    assert list(stops) == [TimeLimitExceeded, LeaseLost]
    assert "longer than its time_limit of 0.5 seconds: " in stops[TimeLimitExceeded]


def until_lost(lease: Lease) -> Iterator[Exception]:
    """All that `check` raises until the lease is lost."""
    while True:
        time.sleep(0.01)
        try:
            lease.check()
        except LeaseLost as lost:
            yield lost
            return
        except TimeLimitExceeded as exceeded:
            yield exceeded


def test_an_interrupted_worker_stops() -> None:
    """Given a worker that is being stopped, I expect its work to stop, too."""
    assert heard(lambda: Heartbeat(ours=True, cancel=False), within=60, interrupt=True) is Interrupted
