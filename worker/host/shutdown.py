"""The last call: before the grace of a stopped worker is over, jobs at hand are stored where they stand, and let go.

The supervisor calls all processes of a slot. Celery's own process has nothing to do with it; the one that paints sets
the event that its leases look at.
"""

from __future__ import annotations

import os
import signal
import threading

NUMBER = signal.SIGUSR2

# As long as a last checkpoint may take, and the moves that let a job go.
SECONDS = 15.0


def at(grace: float) -> float:
    """After how much of `grace` seconds it comes."""
    return max(grace / 2, grace - SECONDS)


def call(group: int) -> None:
    """Calls a slot's process and those below it."""
    os.killpg(group, NUMBER)


def ignore() -> None:
    """Lets this process, and those that it forks, pass over it; it would kill them."""
    signal.signal(NUMBER, signal.SIG_IGN)


def heed(event: threading.Event) -> None:
    """Has it set `event`. To be called on the main thread."""
    signal.signal(NUMBER, lambda *_: event.set())
