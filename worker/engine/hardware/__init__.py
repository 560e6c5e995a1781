"""Devices, memory, and the plan by which a workload fits into it."""
