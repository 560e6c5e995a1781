"""One run: submit jobs, inject faults, end all faults, wait, and check the invariants."""

from __future__ import annotations

import time
from collections.abc import Collection, Iterator
from pathlib import Path
from pprint import pformat

from sqlalchemy import func, select

from stylefarm import Farm
from stylefarm.producer.submission.datasets import read_dataset, store_dataset
from stylefarm.shared.db.states import FINAL
from stylefarm.shared.db.tables import JobRow
from stylefarm.shared.dispatch.orphans import Orphans
from tests.faults.checker import violations
from tests.faults.environment import DATASET, PAUSE_SECONDS, SHORT, Environment, Times, start_environment
from tests.faults.facts import facts_of
from tests.faults.faults import LANES
from tests.faults.load_generator import LoadGenerator, PoisonSubmitter, WorkerOperator
from tests.faults.nemesis import Nemesis
from tests.faults.run_report import RunReport
from tests.faults.submissions import SHORT as WARM
from tests.faults.submissions import submit
from tests.servers.processes import wait_until

WORKERS = 2
START_SECONDS = 60.0
DRAIN_SECONDS = 60.0

# After the last fault, besides what the settings say: back-offs end (of slots that are started again, of connections
# to Redis, of calls to services), and one more job ends.
MARGIN_SECONDS = 120.0


def run(
    folder: Path, seed: int, seconds: float, jobs: int, times: Times = SHORT, lanes: Collection[str] = LANES
) -> RunReport:
    """Render short jobs while faults are injected for some seconds, those of the given lanes only."""
    with start_environment(folder, times, WORKERS) as farm:
        _warm(farm)
        with WorkerOperator(farm), PoisonSubmitter(farm, seconds):
            with Nemesis(farm, seed, seconds, lanes), LoadGenerator(farm, seed, jobs, seconds):
                time.sleep(seconds)
            healed = time.monotonic()
            at_rest = _rests(farm)
            rest = time.monotonic() - healed
        broken = [] if at_rest else [f"the farm did not come to rest in {rest:.0f} seconds"]
        broken += _drained(farm)
        Orphans(farm.truth.engine, farm.truth.blobs).delete(grace=0)
        facts, history = facts_of(farm), farm.history.entries()
        # For finding the cause of a violation, with the history and the workers' logs.
        (folder / "facts.txt").write_text(pformat(facts, width=160))
        return RunReport(seed, seconds, rest, times, facts, history, [*broken, *violations(facts, history)])


def _warm(farm: Environment) -> None:
    """Start the workers, and return when all of them are up and some jobs are rendered."""
    for worker in farm.workers.values():
        worker.start()
    with Farm(farm.direct) as producer:
        store_dataset(DATASET, DATASET, read_dataset(str(farm.pictures), farm.direct), producer.services)
        ids = submit(farm, producer, "warm", WARM, [1.0])
        producer.wait([producer.find_job(job_id) for job_id in ids], START_SECONDS)
    wait_until(lambda: all(worker.renderers() for worker in farm.workers.values()), START_SECONDS)


def _rests(farm: Environment) -> bool:
    """Wait until all jobs have ended; return False if for too long none does."""
    patience = farm.times.lease + farm.times.reconcile + MARGIN_SECONDS
    unfinished = select(func.count()).where(JobRow.state.not_in(FINAL))
    left, until = None, 0.0
    while left != 0:
        found = farm.rows(unfinished)[0][0]
        if found != left:
            # The farm works before the first fault, however slow the machine is.
            left, until = found, time.monotonic() + patience
        elif time.monotonic() > until:
            return False
        time.sleep(PAUSE_SECONDS)
    return True


def _drained(farm: Environment) -> Iterator[str]:
    """Return the workers that do not stop when they are idle and no fault is active."""
    for name, worker in farm.workers.items():
        code = worker.drain(DRAIN_SECONDS)
        if code is None:
            yield f"worker {name} did not end in {DRAIN_SECONDS:g} seconds"
        elif code != 0:
            yield f"worker {name} ended with code {code}"
