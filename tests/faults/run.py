"""One run under fire: jobs go in, things break, and in the end everything is counted.

python -m tests.faults.run --seed 3 --seconds 1200
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from shared.services import connect_services
from shared.states import State
from tests.conftest import write_pictures
from tests.faults.arena import Arena, arena
from tests.faults.checker import ENDED, violations
from tests.faults.nemesis import Nemesis

WORKERS = 2
JOBS = 300

# After the last fault: leases run out, backoffs end, and what is left is painted.
SETTLE_SECONDS = 180.0


@dataclass(frozen=True)
class Report:
    """How a run ended: jobs by state, attempts in all, the faults that came, and the laws that were broken."""

    states: Counter[str]
    attempts: int
    faults: Counter[str]
    violations: list[str]
    seconds: float

    def __str__(self) -> str:
        lines = [f"{self.seconds:.0f} s, {self.attempts} attempts at {sum(self.states.values())} jobs"]
        lines += [f"  {count:5} {state}" for state, count in self.states.most_common()]
        lines += [f"  {count:5} x {fault}" for fault, count in self.faults.most_common()]
        return "\n".join([*lines, *(self.violations or ["  no law was broken"])])


def run(folder: Path, seed: int, seconds: float, jobs: int = JOBS) -> Report:
    """Runs `jobs` jobs, with faults for so many seconds."""
    began = time.monotonic()
    pictures = folder / "pictures"
    pictures.mkdir()
    write_pictures(pictures)
    with arena(folder, pictures, WORKERS) as farm:
        names = [str(pictures / f"{name}.png") for name in "abst"]
        farm.submit(names[:2], names[2:], [1.0 + number for number in range(jobs // 4)])
        nemesis = Nemesis(farm, seed)
        nemesis.rage(seconds)
        states, attempts = _settled(farm)
        broken = violations(connect_services(farm.direct), farm.acknowledged)
    return Report(states, attempts, nemesis.tally, broken, time.monotonic() - began)


def _settled(farm: Arena) -> tuple[Counter[str], int]:
    """Jobs by state when all have ended, or have had their time; and their attempts."""
    queries = connect_services(farm.direct).queries
    until = time.monotonic() + SETTLE_SECONDS
    while True:
        rows = [queries.job(job_id) for job_id in farm.acknowledged]
        states = Counter(str(row.state) for row in rows)
        if all(State(state) in ENDED for state in states) or time.monotonic() > until:
            return states, sum(row.attempt for row in rows)
        time.sleep(1)


def main() -> int:
    """Runs once, prints the tally; 1 if a law was broken."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--jobs", type=int, default=JOBS)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        report = run(Path(folder), arguments.seed, arguments.seconds, arguments.jobs)
    sys.stdout.write(f"{report}\n")
    return 1 if report.violations else 0


if __name__ == "__main__":
    sys.exit(main())
