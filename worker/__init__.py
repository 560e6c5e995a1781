"""Where pictures are rendered."""

import os
import sys

from stylefarm.worker.engine.networks import allocator

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

allocator.keep_freed_memory()
