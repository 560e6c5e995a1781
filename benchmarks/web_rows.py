"""The rows of the dashboard's benchmarks."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Sequence


def row(what: str, measured: str) -> None:
    """Prints a row."""
    print(f"| {what} | {measured} |", flush=True)


def quantile(values: Sequence[float], part: float) -> float:
    """The value that so large a part of some values does not exceed."""
    return sorted(values)[min(len(values) - 1, int(len(values) * part))]


def timed(work: Callable[[], object], times: int = 7) -> float:
    """The median of so many calls, in milliseconds."""
    took = []
    for _ in range(times):
        start = time.perf_counter()
        work()
        took.append(1000 * (time.perf_counter() - start))
    return statistics.median(took)
