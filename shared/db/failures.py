"""Rules for retries: which kinds of failure are worth another attempt, and how many."""

from __future__ import annotations

from collections.abc import Mapping

# An attempt can also fail without an error of its own: its process died, or its worker stopped reporting.
DEATH = "death"
LOST = "lost"

# So many attempts may fail in each way; the last of them ends the job. What is not listed is never tried again: a
# corrupt picture stays corrupt. Attempts that were released in an orderly way are not counted.
ATTEMPTS: Mapping[str, int] = {"infrastructure": 3, "memory": 2, DEATH: 3, LOST: 10}

# A worker is benched after so many attempts in a row that failed for infrastructure.
BENCH_AFTER = 3


def add_failure(failures: Mapping[str, int], kind: str) -> dict[str, int]:
    """Return the counts with one more failure of this kind."""
    return {**failures, kind: failures.get(kind, 0) + 1}


def is_retried(failures: Mapping[str, int], kind: str, most: int | None = None) -> bool:
    """Return whether another attempt follows the last failure, of this kind, which is counted already.

    `most` is how many may fail in all.
    """
    return failures.get(kind, 0) < ATTEMPTS.get(kind, 0) and (most is None or sum(failures.values()) < most)
