"""Python's search for garbage, put off where many objects are made that stay."""

from __future__ import annotations

import gc
import sys
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def uncollected() -> Iterator[None]:
    """Looks for no garbage while the block runs: of imports, and of a large submission, it takes an eighth of the time.

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
    """Leaves what has been imported so far out of every later search for garbage, also of the one at Python's end.

    That one goes through every object of every library: a sixth of a short command. It is left alone where torch is
    imported, whose libraries report what they find still there.
    """
    if "torch" not in sys.modules:
        gc.freeze()
