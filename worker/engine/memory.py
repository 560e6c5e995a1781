"""The memory of the machine, and how the process keeps what it has."""

from __future__ import annotations

import ctypes
from contextlib import suppress
from pathlib import Path

import psutil
import torch

# glibc's names for what mallopt sets, from its malloc.h.
M_TRIM_THRESHOLD = -1
M_MMAP_MAX = -4
MOST = 2**31 - 1


def keep_freed_memory() -> None:
    """Lets the process use freed memory again, instead of giving it back to the system at once.

    glibc maps each large block anew, whose pages the system then clears at the first touch, in each iteration: that
    took a fifth of it. Nothing happens where there is no glibc. `give_back_memory` gives it back between jobs.
    """
    with suppress(OSError, AttributeError):
        library = ctypes.CDLL("libc.so.6")
        library.mallopt(M_MMAP_MAX, 0)
        library.mallopt(M_TRIM_THRESHOLD, MOST)


def give_back_memory() -> None:
    """Gives freed memory back to the system, and to other processes on the GPU."""
    with suppress(OSError, AttributeError):
        ctypes.CDLL("libc.so.6").malloc_trim(0)
    if torch.cuda.is_available():
        torch.cuda.empty_cache()


def available_memory(device: torch.device, limit: int | None = None) -> int:
    """Bytes that can still be taken on `device`: what the system, the container, and the `limit` of a process leave."""
    left = _left(device)
    if limit is None:
        return left
    held = torch.cuda.memory_reserved(device) if device.type == "cuda" else psutil.Process().memory_info().rss
    return max(0, min(left, limit - held))


def _left(device: torch.device) -> int:
    if device.type == "cuda":
        free, _ = torch.cuda.mem_get_info(device)
        # What torch has reserved and not given out is free as well.
        return free + torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
    return min(psutil.virtual_memory().available, _left_in_container())


def _left_in_container(root: Path = Path("/sys/fs/cgroup")) -> int:
    """What the limit of the control group (version 2) leaves; without a limit more than any machine has."""
    try:
        limit, used = ((root / name).read_text().strip() for name in ("memory.max", "memory.current"))
    except OSError:
        return 2**62
    return 2**62 if limit == "max" else max(0, int(limit) - int(used))
