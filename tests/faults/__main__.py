"""`python -m tests.faults`: run one fault injection and print its report; exit with 1 if an invariant was broken."""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

from tests.faults.environment import DEFAULT, SHORT
from tests.faults.faults import LANES
from tests.faults.runner import run

JOBS_PER_SECOND = 4.0


def main() -> int:
    """Run once."""
    parser = argparse.ArgumentParser(prog="python -m tests.faults", description="The farm under fire.")
    parser.add_argument("--seed", type=int, default=1, help="what the plan of faults follows from")
    parser.add_argument("--seconds", type=float, default=60, help="how long things break")
    parser.add_argument("--jobs", type=int, help="short jobs to be rendered meanwhile; 4 a second without it")
    parser.add_argument("--default-times", action="store_true", help="leases and periods as the settings' defaults")
    parser.add_argument("--lanes", nargs="+", choices=LANES, default=LANES, help="kinds of faults; all without it")
    parser.add_argument("--folder", type=Path, help="an empty folder, in which logs and history are kept")
    given = parser.parse_args()
    jobs = given.jobs or round(JOBS_PER_SECOND * given.seconds)
    times = DEFAULT if given.default_times else SHORT
    with tempfile.TemporaryDirectory(prefix="stylefarm-faults-", ignore_cleanup_errors=True) as temporary:
        folder = given.folder or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        report = run(folder, given.seed, given.seconds, jobs, times, given.lanes)
    sys.stdout.write(f"{report}\n")
    return 1 if report.violations else 0


if __name__ == "__main__":
    sys.exit(main())
