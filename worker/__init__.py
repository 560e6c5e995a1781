"""Where pictures are painted."""

import os
import sys

# Convolutions run on threads of their own, which threads of OpenMP that wait by spinning would keep from their cores.
# OpenMP reads this once, when torch is loaded; see `worker.engine.kernels.way_of`.
if "torch" not in sys.modules:
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")
