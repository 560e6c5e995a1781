"""Settings of glibc's allocator for code that takes and frees large blocks of the same sizes again and again.

glibc maps a block of more than 32 MiB anew each time and returns it when it is freed. The system clears its pages
first; in a virtual machine the host may have taken them back and has to find others. In bfloat16 that was a tenth of
the time of a pass in strips over an image of 4096 pixels.
"""

from __future__ import annotations

import ctypes
import functools
from collections.abc import Iterator
from contextlib import contextmanager

# <malloc.h>
M_TRIM_THRESHOLD, M_MMAP_THRESHOLD, M_MMAP_MAX = -1, -3, -4

NEVER = -1
# glibc's defaults, and the thresholds that it adapts to once large blocks have been freed.
DEFAULT_MMAP_MAX = 65_536
ADAPTED_MMAP_THRESHOLD = 32 << 20
ADAPTED_TRIM_THRESHOLD = 2 * ADAPTED_MMAP_THRESHOLD


@contextmanager
def reuse_memory() -> Iterator[None]:
    """Keep freed memory in the process while the block runs, and return it to the system at the end.

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
        glibc.mallopt(M_MMAP_THRESHOLD, ADAPTED_MMAP_THRESHOLD)
        glibc.mallopt(M_TRIM_THRESHOLD, ADAPTED_TRIM_THRESHOLD)
        glibc.malloc_trim(0)


@functools.cache
def _glibc() -> ctypes.CDLL | None:
    """Return the C library if it is glibc; others have no such settings."""
    library = ctypes.CDLL(None)
    return library if hasattr(library, "gnu_get_libc_version") else None
