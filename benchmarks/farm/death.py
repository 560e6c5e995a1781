"""Time to recover the jobs of a lost worker, and to cancel a running job, with the default settings."""

from __future__ import annotations

import subprocess
import time
from datetime import UTC, datetime
from functools import partial

from benchmarks.farm.environment import SHALLOW, BenchmarkFarm, format_spread, kill_worker, start_worker
from stylefarm import Farm, Job
from stylefarm.shared.db.states import State
from stylefarm.shared.db.tables import JobRow as Row
from tests.servers.processes import wait_until

DEATHS = 5
NAMES = ("first", "second")

# Iterations that never end here.
LONG = 100_000
SECONDS = 120


def death(setup: BenchmarkFarm) -> list[tuple[str, str, str]]:
    """Kill the one of two workers that renders, with all its processes; the other one continues the job."""
    back, lost, freed = [], [], []
    workers = {name: start_worker(setup, name) for name in NAMES}
    content, style = setup.pictures(2)
    try:
        with setup.farm() as farm:
            for number in range(DEATHS):
                job = farm.submit(content=content, style=style, **SHALLOW, iterations=LONG, init="noise", seed=number)
                wait_until(partial(_renders, farm, job, 1), SECONDS)
                time.sleep(2 + 5 * number)  # deaths at other moments between two heartbeats and two checkpoints
                seconds, iterations = _killed(farm, job, workers, setup)
                back.append(seconds)
                lost.append(iterations)
                freed.append(_cancelled(farm, job))
    finally:
        for process in workers.values():
            kill_worker(process)
    return [
        ("worker killed to running elsewhere", "45 s, p99", format_spread(back, "s")),
        ("work lost with it", "30 s", format_spread(lost, "s")),
        ("cancel to slot free", "10 s, p99", format_spread(freed, "s")),
    ]


def _killed(
    farm: Farm, job: Job, workers: dict[str, subprocess.Popen[bytes]], setup: BenchmarkFarm
) -> tuple[float, float]:
    """Seconds from the death of the job's worker until it is rendered elsewhere, and seconds of rendering lost."""
    before = _row(farm, job)
    name = next(name for name in NAMES if str(before.worker).startswith(name))
    killed_at = datetime.now(UTC)
    kill_worker(workers[name])
    at_death = _row(farm, job)
    workers[name] = start_worker(setup, name)
    wait_until(partial(_renders, farm, job, 2), SECONDS)
    after = _row(farm, job)
    assert after.started_at is not None
    assert before.started_at is not None
    rate = at_death.iteration / (killed_at - before.started_at).total_seconds()
    resumed = farm.services.queries.attempts(job.id)[-1]
    begun_at = after.checkpoint.iteration if after.checkpoint and resumed.attempt == 2 else 0
    return (after.started_at - killed_at).total_seconds(), max(0.0, (at_death.iteration - begun_at) / rate)


def _cancelled(farm: Farm, job: Job) -> float:
    asked_at = datetime.now(UTC)
    job.cancel()
    wait_until(lambda: _row(farm, job).state == State.CANCELLED, SECONDS)
    finished_at = _row(farm, job).finished_at
    assert finished_at is not None
    return (finished_at - asked_at).total_seconds()


def _renders(farm: Farm, job: Job, attempt: int) -> bool:
    row = _row(farm, job)
    return row.state == State.RUNNING and row.attempt == attempt and row.iteration > 0


def _row(farm: Farm, job: Job) -> Row:
    return farm.services.queries.job(job.id)
