"""The request to release jobs: before the grace of a stopped worker is over, running jobs store checkpoints and end.

The supervisor sends it to all processes of a slot. Celery's own process ignores it; the one that renders sets the event
that its leases check.
"""

from __future__ import annotations

import os
import signal
import threading

NUMBER = signal.SIGUSR2

# As long as a last checkpoint, and releasing the job, may take.
SECONDS = 15.0


def release_time(grace: float) -> float:
    """Return after how many of the `grace` seconds the request is sent.

    Example:
        >>> release_time(600), release_time(10)
        (585.0, 5.0)
    """
    return max(grace / 2, grace - SECONDS)


def request_release(group: int) -> None:
    """Send the request to a slot's process and those below it."""
    os.killpg(group, NUMBER)


def ignore_request() -> None:
    """Have this process, and those that it forks, ignore the request, which would kill them."""
    signal.signal(NUMBER, signal.SIG_IGN)


def set_on_request(event: threading.Event) -> None:
    """Have the request set `event`. Call it on the main thread."""
    signal.signal(NUMBER, lambda *_: event.set())
