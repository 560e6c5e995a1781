"""A worker with one slot: time to its first job, idle time between jobs, and the cost of recording."""

from __future__ import annotations

import random
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from itertools import pairwise
from statistics import median

from benchmarks.farm.environment import SHALLOW, BenchmarkFarm, format_spread, kill_worker, percentile, start_worker
from stylefarm import Farm, Grid, Job
from stylefarm.shared.db.records import Fence, JobSelector
from stylefarm.shared.queries.jobs import Queries
from tests.servers.processes import wait_until

Row = tuple[str, str, str]

STARTS = 100
JOBS = 40
ROUNDS = 7


def starting(setup: BenchmarkFarm) -> list[Row]:
    """Jobs submitted one at a time to a worker that has nothing to do; and many at once."""
    with setup.farm() as farm, _worker(setup):
        content, style = setup.pictures(2)
        # From noise, so that each seed is another picture.
        base = {"content": content, "style": style, **SHALLOW, "iterations": 2, "init": "noise"}
        submit = partial(farm.submit, **base)
        submit().wait(timeout=120)  # what the first one brings into memory is there
        pauses = random.Random(0)
        start_seconds = []
        for number in range(STARTS):
            time.sleep(pauses.random() * 0.05)
            job = submit(seed=number)
            job.wait(timeout=60)
            start_seconds.append(_seconds_to_start(farm, job))
        # Other seeds than above, since those pictures exist already.
        matrix = {"seed": list(range(STARTS, STARTS + JOBS))}
        sweep = farm.sweep(Grid(matrix, base, "idle"))
        sweep.wait(timeout=120)
        idle = _idle(farm.services.queries, sweep.id)
    return [
        ("submit to start on an idle worker, p99", "250 ms", _p99(start_seconds, "ms", 1e3)),
        ("idle time of a slot between two jobs, p99", "0.5 s", _p99(idle, "s")),
    ]


def recording_cost(setup: BenchmarkFarm) -> list[Row]:
    """Measure what recording costs an optimization of a few seconds: waiting in its loop, and another thread's work."""
    # Before torch, which reads the variables that importing the worker sets only once.
    from benchmarks.farm.engine import steps
    from stylefarm.worker.attempt.sinks import Background, LossSink

    shares = []
    with setup.farm() as farm:
        content, style = setup.pictures(2)
        for _ in range(ROUNDS):
            job = farm.services.store.attempts.claim(
                farm.submit(content=content, style=style, **SHALLOW, iterations=2).id, "bench", lease=600
            )
            assert job is not None
            fence, background, clock = Fence(job.id, job.attempt), Background(), ThreadTimer()
            sink = LossSink(farm.services.store, fence, background, job.loss_terms)
            background.submit(clock.start)
            started, waited = time.perf_counter(), 0.0
            for progress in steps():
                taken = time.perf_counter()
                sink.on_progress(progress)
                waited += time.perf_counter() - taken
            seconds = time.perf_counter() - started
            background.submit(clock.stop)
            background.finish()
            background.close()
            shares.append((waited + clock.seconds) / seconds)
            farm.services.store.commands.cancel(JobSelector(job=job.id))
            farm.services.store.attempts.confirm_cancel(fence, {})
    return [("recording the curve costs a job", "1 %", format_spread(shares, "%", 100))]


class ThreadTimer:
    """CPU time of the calling thread from `start` to `stop`."""

    seconds = 0.0

    def start(self) -> None:
        """Begin the measurement."""
        self.seconds -= time.thread_time()

    def stop(self) -> None:
        """End the measurement."""
        self.seconds += time.thread_time()


def _p99(values: list[float], unit: str, scale: float = 1.0) -> str:
    return f"{scale * percentile(values, 0.99):.3g} {unit} (median {scale * median(values):.3g}, of {len(values)})"


def _seconds_to_start(farm: Farm, job: Job) -> float:
    row = farm.services.queries.job(job.id)
    assert row.started_at is not None
    return (row.started_at - row.created_at).total_seconds()


def _idle(queries: Queries, sweep_id: str) -> list[float]:
    spans = sorted((row.started_at, row.finished_at) for row in queries.sweep_jobs(sweep_id))
    return [(later[0] - earlier[1]).total_seconds() for earlier, later in pairwise(spans)]  # type: ignore[operator]


@contextmanager
def _worker(setup: BenchmarkFarm) -> Iterator[None]:
    """Run a worker with one slot on the CPU, as a user starts it."""
    process = start_worker(setup, "bench")
    try:
        with setup.farm() as farm:
            wait_until(lambda: bool(farm.services.workers.listed()), 60)
        yield
    finally:
        kill_worker(process)
