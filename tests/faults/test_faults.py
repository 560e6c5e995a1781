"""The farm with faults injected for twenty seconds; `make chaos` runs for longer."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from stylefarm.shared.db.states import State
from tests.faults.environment import SHORT
from tests.faults.faults import LANES, faults
from tests.faults.runner import run

SECONDS = 20.0
JOBS = 100


@pytest.mark.timeout(900)
def test_the_farm_loses_nothing_and_does_nothing_twice(tmp_path: Path) -> None:
    """Given a farm of real servers and workers, if all that can break does, I expect every invariant kept."""
    report = run(tmp_path, seed=1, seconds=SECONDS, jobs=JOBS)
    sys.stdout.write(f"{report}\n")
    assert not report.violations
    # The run itself is valid: everything was submitted, every fault was injected, and most jobs were rendered.
    assert len(report.facts.jobs) >= JOBS
    done = {entry["fault"] for entry in report.history if entry["kind"] == "fault"}
    assert {fault.lane for fault in faults(SHORT.lease) if fault.name in done} == {*LANES}
    assert sum(job.state is State.DONE for job in report.facts.jobs.values()) > JOBS / 2
