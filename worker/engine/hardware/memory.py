"""The memory of the machine, and what of it is available."""

from __future__ import annotations

import ctypes
from contextlib import suppress
from pathlib import Path

import psutil
import torch


def release_memory() -> None:
    """Return freed memory to the system, and to other processes on the GPU.

    Example:
        >>> release_memory()
    """
    with suppress(OSError, AttributeError):
        ctypes.CDLL("libc.so.6").malloc_trim(0)
    if torch.cuda.is_available():
        torch.cuda.empty_cache()


def is_out_of_memory(error: BaseException) -> bool:
    """Return whether an error means that memory ran out.

    The CPU's allocator has no exception class of its own.

    Args:
        error: Any exception.

    Example:
        >>> is_out_of_memory(MemoryError()), is_out_of_memory(ValueError())
        (True, False)
    """
    from_cpu = isinstance(error, RuntimeError) and "can't allocate memory" in str(error)
    return from_cpu or isinstance(error, (torch.OutOfMemoryError, MemoryError))


def available_memory(device: torch.device, limit: int | None = None) -> int:
    """Return the bytes that can still be allocated.

    Args:
        device: The device.
        limit: Bytes that this process may hold in all; None for no limit beside the system's and the container's.

    Example:
        >>> available_memory(torch.device("cpu"), limit=0)
        0
    """
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
    """Return what the limit of the control group (version 2) leaves; without a limit more than any machine has."""
    try:
        limit, used = ((root / name).read_text().strip() for name in ("memory.max", "memory.current"))
    except OSError:
        return 2**62
    return 2**62 if limit == "max" else max(0, int(limit) - int(used))


def resident_memory(device: torch.device) -> int:
    """Return what this process has allocated on a device, in bytes; on a CPU its resident set.

    Args:
        device: A GPU or the CPU.

    Example:
        >>> resident_memory(torch.device("cpu")) > 1_000_000
        True
    """
    return torch.cuda.memory_allocated(device) if device.type == "cuda" else psutil.Process().memory_info().rss
