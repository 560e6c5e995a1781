"""Where pictures are rendered."""

import contextlib
import ctypes
import os
import sys

# Both are read once, when torch is loaded.
if "torch" not in sys.modules:
    # Convolutions run on threads of their own, which threads of OpenMP that wait by spinning would keep from their
    # cores; see `stylefarm.worker.engine.networks.conv3x3.way_of`.
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")
    # Some 30 microseconds of spinning all the same: an eigendecomposition is thousands of short tasks, and takes four
    # times as long where each of them has to wake a thread.
    os.environ.setdefault("GOMP_SPINCOUNT", "10000")
    # Tensors in pages of 2 MiB: a large one is mapped anew each time, and the system clears its pages one by one.
    os.environ.setdefault("THP_MEM_ALLOC_ENABLE", "1")


def _keep_freed_memory() -> None:
    """Have glibc keep the memory of freed tensors for the next ones, which else is mapped and cleared anew each time.

    An iteration at 512 pixels takes a tenth less. `hardware.memory.available_memory` gives the memory back first.
    """
    mmap_threshold, trim_threshold, arenas = -3, -1, -8  # <malloc.h>
    with contextlib.suppress(OSError, AttributeError):  # Another C library has no such call, and other ways.
        mallopt = ctypes.CDLL("libc.so.6").mallopt
        mallopt(arenas, 1)
        mallopt(mmap_threshold, 1 << 28)
        mallopt(trim_threshold, 1 << 30)


_keep_freed_memory()
