"""Memory that is taken and freed again and again, and stays with the process in between.

glibc maps a block of more than 32 MiB anew each time, and hands it back when it is freed. The system clears its pages
first, and where it is a guest of a virtual machine, the host may have taken them back meanwhile and has to find others.
Of the way through a picture of 4096 pixels in strips, in bfloat16, that was a tenth of the time.
"""

from __future__ import annotations

import ctypes
import functools
from collections.abc import Iterator
from contextlib import contextmanager

# <malloc.h>
M_TRIM_THRESHOLD, M_MMAP_THRESHOLD, M_MMAP_MAX = -1, -3, -4

NEVER = -1
# What glibc has without being told, and what it comes to by itself once large blocks have been freed.
MAPPED_AT_MOST = 65_536
MAPPED_FROM = 32 << 20
TRIMMED_FROM = 2 * MAPPED_FROM


@contextmanager
def reuse_memory() -> Iterator[None]:
    """What is allocated while the block runs comes from the heap, and what is freed is kept for what comes next.

    Meant for blocks that free what they allocate, in a few sizes: what outlives them, and small things that are
    allocated between, leave gaps too narrow for the next. At the end the system gets back what is free. Without glibc
    the block runs as any other does.
    """
    glibc = _glibc()
    if glibc is None:
        yield
        return
    glibc.mallopt(M_TRIM_THRESHOLD, NEVER)
    glibc.mallopt(M_MMAP_MAX, 0)
    try:
        yield
    finally:
        glibc.mallopt(M_MMAP_MAX, MAPPED_AT_MOST)
        glibc.mallopt(M_MMAP_THRESHOLD, MAPPED_FROM)
        glibc.mallopt(M_TRIM_THRESHOLD, TRIMMED_FROM)
        glibc.malloc_trim(0)


@functools.cache
def _glibc() -> ctypes.CDLL | None:
    """The C library, if it is one that can be told so; others have no such settings."""
    library = ctypes.CDLL(None)
    return library if hasattr(library, "gnu_get_libc_version") else None
