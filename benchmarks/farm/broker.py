"""Time until jobs are claimed again after an outage of Redis, with the default leases and periods."""

from __future__ import annotations

from benchmarks.farm.environment import BenchmarkFarm, format_spread
from tests.faults.environment import DEFAULT
from tests.faults.runner import run

# As many jobs as two workers render in that time, so that there is always one to take.
JOBS = 600
SECONDS = 150.0

ROWS = (
    ("Redis started again -> consuming", "Redis killed and started again, to the next job taken", "10 s"),
    ("Redis emptied -> hints rebuilt", "Redis emptied, to all hints standing again", "30 s"),
    ("connections half-open -> consuming", "connections to Redis half-open, to the next job taken", "60 s"),
)


def broker(setup: BenchmarkFarm) -> list[tuple[str, str, str]]:
    """The faults of Redis alone, on a farm of their own with two workers. Raises RuntimeError if an invariant broke."""
    folder = setup.folder / "under-fire"
    folder.mkdir()
    report = run(folder, seed=1, seconds=SECONDS, jobs=JOBS, times=DEFAULT, lanes={"redis"})
    if report.violations:
        raise RuntimeError("; ".join(report.violations))
    found = report.measured()
    return [(row, target, _row(found.get(f"{what} (s)", []))) for what, row, target in ROWS]


def _row(seconds: list[float]) -> str:
    return f"{format_spread(seconds, 's')}, of {len(seconds)}" if seconds else "not measured"
