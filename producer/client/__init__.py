"""The Python API: the farm, its jobs and sweeps, waiting for them, and searches."""
