"""Attempts that are held on their way: what is to happen to them meanwhile happens, however fast a machine renders."""

from __future__ import annotations

from concurrent.futures import wait

from stylefarm.worker.attempt.attempt import Attempt
from stylefarm.worker.attempt.lease import Stop
from tests.servers.processes import wait_until

SECONDS = 60


def until_stopped(attempt: Attempt) -> None:
    """Wait until the attempt has heard that it is to stop."""
    wait_until(lambda: _is_stopped(attempt), SECONDS)


def until_stored(attempt: Attempt) -> None:
    """Wait until the checkpoint that is being uploaded, if one is, is stored: the next step then takes another one."""
    upload = attempt._open_sinks().checkpoints._upload
    if upload is not None:
        wait([upload], SECONDS)


def until_named(attempt: Attempt) -> None:
    """Wait until the job's row names a checkpoint of this attempt, which has taken one.

    To be called on the thread that renders, since it is the one that has what is stored be named.
    """
    checkpoints = attempt._open_sinks().checkpoints

    def is_named() -> bool:
        checkpoints._settle()
        return attempt.checkpoint_store.named is not None

    wait_until(is_named, SECONDS)


def _is_stopped(attempt: Attempt) -> bool:
    try:
        attempt.lease.check()
    except Stop:
        return True
    return False
