"""Pauses of Python's garbage collector where many objects are made that stay alive."""

from __future__ import annotations

import gc
import sys
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def uncollected() -> Iterator[None]:
    """Pause garbage collection in the block: it takes an eighth of the time of imports, and of a large submission.

    What is not in a cycle is freed as ever.
    """
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


def keep_imports() -> None:
    """Exclude what has been imported so far from later garbage collections, also from the last one at exit.

    That one goes through every object of every library: a sixth of a short command. It is left alone where torch is
    imported, whose libraries report what they find still there.
    """
    if "torch" not in sys.modules:
        gc.freeze()
