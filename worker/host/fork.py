"""A rendering process shares no connection with the slot's process that forked it.

Celery forks one to replace one that died, while it is connected to Redis. The child's copy of that connection would
keep it alive in the parent's epoll, from which it cannot be removed once the parent has closed it: its events would be
taken for those of the next connection with the same number, which is then read, and waited for without end.
"""

from __future__ import annotations

import os
import stat
from pathlib import Path

DESCRIPTORS = Path("/dev/fd")
STANDARD_STREAMS = 3  # may be sockets: where systemd starts a worker, its log is one

# An epoll is no file of any kind. Shared, it would be the parent's that a child takes connections out of.
_NOT_TO_SHARE = {stat.S_IFSOCK, 0}


def share_no_connections() -> None:
    """From now on, have forked processes begin without this process's sockets and epolls; they keep pipes and files."""
    os.register_at_fork(after_in_child=_let_go)


def _let_go() -> None:
    # Replaced rather than closed: a new connection must not get the number that an old object still holds.
    nothing = os.open(os.devnull, os.O_RDWR | os.O_CLOEXEC)
    for descriptor in [int(entry.name) for entry in DESCRIPTORS.iterdir()]:
        if descriptor >= STANDARD_STREAMS and _connects(descriptor):
            os.dup2(nothing, descriptor, inheritable=False)
    os.close(nothing)


def _connects(descriptor: int) -> bool:
    try:
        return stat.S_IFMT(os.fstat(descriptor).st_mode) in _NOT_TO_SHARE
    except OSError:  # the one that the folder was listed with
        return False
