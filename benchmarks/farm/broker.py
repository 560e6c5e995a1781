"""How soon jobs are taken again after Redis was away; leases and periods as the settings have them."""

from __future__ import annotations

from benchmarks.farm.ground import Ground, told
from tests.faults.arena import DEFAULT
from tests.faults.runner import run

# As many jobs as two workers paint in that time, so that there is always one to take.
JOBS = 600
SECONDS = 150.0

ROWS = (
    ("Redis started again -> consuming", "Redis killed and started again, to the next job taken", "10 s"),
    ("Redis emptied -> hints rebuilt", "Redis emptied, to all hints standing again", "30 s"),
    ("connections half-open -> consuming", "connections to Redis half-open, to the next job taken", "60 s"),
)


def broker(ground: Ground) -> list[tuple[str, str, str]]:
    """The faults of Redis alone, on a farm of their own with two workers. Raises RuntimeError if a law was broken."""
    folder = ground.folder / "under-fire"
    folder.mkdir()
    tally = run(folder, seed=1, seconds=SECONDS, jobs=JOBS, times=DEFAULT, lanes={"redis"})
    if tally.violations:
        raise RuntimeError("; ".join(tally.violations))
    found = tally.measured()
    return [(words, target, _row(found.get(f"{what} (s)", []))) for what, words, target in ROWS]


def _row(seconds: list[float]) -> str:
    return f"{told(seconds, 's')}, of {len(seconds)}" if seconds else "not measured"
