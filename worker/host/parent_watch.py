"""No process of a worker outlives the one that started it: one left alone would hold a GPU that others need."""

from __future__ import annotations

import ctypes
import os
import signal
import sys
import threading
import time

PR_SET_PDEATHSIG = 1
POLL_SECONDS = 0.2


def end_with(parent: int) -> None:
    """Have this process killed as soon as `parent`, which started it, has ended in any way.

    On Linux the kernel does that, at once, also to a process that hangs in a library or is stopped; a thread at the
    end of a pipe could do neither, and any child that inherits the pipe keeps it open. The kernel means the thread
    that forked, not its process, so children must be started from the main thread; Celery's and ours are.
    """
    if _ask_kernel():
        # The parent may have ended before the kernel was asked.
        if os.getppid() != parent:
            _end()
    else:
        threading.Thread(target=_watch, args=(parent,), name="parent watch", daemon=True).start()


def _ask_kernel() -> bool:
    """Ask the kernel to do it; return whether it can."""
    return sys.platform == "linux" and not ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def _watch(parent: int) -> None:
    """End this process as soon as it has another parent, which it gets when its own has ended."""
    while os.getppid() == parent:
        time.sleep(POLL_SECONDS)
    _end()


def _end() -> None:
    os.kill(os.getpid(), signal.SIGKILL)
