"""The thread that puts things right, and what may go wrong in it."""

from __future__ import annotations

import threading
from typing import cast

import pytest

from stylefarm.shared.dispatch.reconcile import Reconciler
from stylefarm.shared.errors import ServiceUnavailable
from stylefarm.worker.host.maintenance import MaintenanceThreads


class Failing:
    """A reconciler that leads; each of its parts fails the first time that it is used."""

    def __init__(self, error: Exception, period: float) -> None:
        self.error = error
        self.period = period
        self.announcer = self
        self.runs = self.looks = 0
        self.went_on = threading.Event()
        self.resigned = False

    def run(self) -> bool:
        self.runs += 1
        if self.runs == 1:
            raise self.error
        # On a busy machine a period may be over before its second look.
        if self.runs >= 3 and self.looks >= 2:
            self.went_on.set()
        return True

    def runs_low(self) -> bool:
        self.looks += 1
        if self.looks == 1:
            raise self.error
        return True

    def resign(self) -> None:
        self.resigned = True
        raise self.error


@pytest.mark.parametrize("error", [ServiceUnavailable("away"), ValueError("a bug")])
def test_nothing_ends_the_reconciler_but_its_worker(error: Exception) -> None:
    """Given parts that fail, for want of a service or by a bug, I expect it to go on, and to resign at the end."""
    failing = Failing(error, period=1.0)
    with MaintenanceThreads(cast("Reconciler", failing)):
        assert failing.went_on.wait(60)
    assert failing.resigned
