"""Settings of glibc's allocator for code that takes and frees large blocks of the same sizes again and again.

glibc maps a block of more than 32 MiB anew each time and returns it when it is freed, as it does the end of its heap.
The system clears the pages first; in a virtual machine the host may have taken them back and has to find others. That
was a tenth of an iteration of SqueezeNet at 512 pixels, and in bfloat16 of VGG's pass in strips over 4096 pixels.
"""

from __future__ import annotations

import ctypes
import functools
from collections.abc import Iterator
from contextlib import contextmanager

# <malloc.h>
M_TRIM_THRESHOLD, M_MMAP_THRESHOLD, M_MMAP_MAX, M_ARENA_MAX = -1, -3, -4, -8

NEVER = -1
DEFAULT_MMAP_MAX = 65_536
# Larger blocks are returned at once: between them in a heap there is too much room that nothing fits into, which for
# VGG-19 at 1024 pixels was half of a gigabyte more than is told.
MMAP_THRESHOLD = 32 << 20
# How much of the heap's end is kept.
TRIM_THRESHOLD = 256 << 20


def keep_freed_memory() -> None:
    """Keep freed blocks of up to 32 MiB in the process, for the next ones of their size.

    `hardware.memory.release_memory` returns them all the same. Without glibc nothing is done.

    Example:
        >>> keep_freed_memory()
    """
    glibc = _glibc()
    if glibc is None:
        return
    # One heap for all threads: other heaps end after 64 MiB.
    glibc.mallopt(M_ARENA_MAX, 1)
    glibc.mallopt(M_MMAP_THRESHOLD, MMAP_THRESHOLD)
    glibc.mallopt(M_TRIM_THRESHOLD, TRIM_THRESHOLD)


@contextmanager
def reuse_memory() -> Iterator[None]:
    """Keep all freed memory in the process while the block runs, and return it to the system at the end.

    It is meant for blocks that free what they allocate, in a few sizes: tensors that outlive the block, and small
    blocks between, leave gaps that are too narrow for the next one. Without glibc the block runs as any other.

    Example:
        >>> import torch
        >>> with reuse_memory():
        ...     total = sum(float(torch.ones(10).sum()) for _ in range(3))
        >>> total
        30.0
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
        glibc.mallopt(M_MMAP_MAX, DEFAULT_MMAP_MAX)
        keep_freed_memory()
        glibc.malloc_trim(0)


@functools.cache
def _glibc() -> ctypes.CDLL | None:
    """Return the C library if it is glibc; others have no such settings."""
    library = ctypes.CDLL(None)
    return library if hasattr(library, "gnu_get_libc_version") else None
