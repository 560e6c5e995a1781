"""Rates of the database and Redis: submit, claim, finish, record losses, count."""

from __future__ import annotations

import multiprocessing
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from typing import Any

from redis import Redis

from benchmarks.farm.environment import SHALLOW, BenchmarkFarm, format_spread
from stylefarm import Grid
from stylefarm.shared.db.connection import connect
from stylefarm.shared.db.records import Fence, JobSelector, LossPoint, NewJob, StoredObject
from stylefarm.shared.queries.jobs import Queries
from stylefarm.shared.spec.spec import JobSpec
from stylefarm.shared.store import Store

JOBS = 10_000
MANY = 100_000
PROCESSES = 4
EACH = 750
POINTS = 100
# By then the processes have imported everything, and have a connection.
START_SECONDS = 6.0

Row = tuple[str, str, str]


def submitting(setup: BenchmarkFarm) -> list[Row]:
    """A sweep of 10,000 jobs from 20 pictures, three times; pictures are uploaded by the first."""
    pictures = setup.pictures(20)
    weights = [float(weight) for weight in range(1, JOBS // 100 + 1)]
    matrix: dict[str, list[Any]] = {"content": pictures[:10], "style": pictures[10:], "style_weight": weights}
    seconds = []
    with setup.farm() as farm:
        for number in range(4):
            started = time.perf_counter()
            sweep = farm.sweep(Grid(matrix, SHALLOW, str(number)))
            seconds.append(time.perf_counter() - started)
            farm.services.store.commands.cancel(JobSelector(sweep=sweep.id))
            _emptied(setup)
    return [(f"submit {JOBS:,} jobs, durable and queued", "2 s", format_spread(seconds[1:], "s"))]


def claiming(setup: BenchmarkFarm) -> list[Row]:
    """Four processes that claim and finish jobs as fast as they can."""
    rates = [_claimed_and_finished(setup) for _ in range(3)]
    return [(f"claim and finish, {PROCESSES} processes", "500/s", format_spread(rates, "/s"))]


def recording(setup: BenchmarkFarm) -> list[Row]:
    """Loss points in batches of 100, for ten jobs in turn, by one connection."""
    store = Store(connect(setup.settings.database))
    fences = []
    for job_id in store.submissions.create([new_job(number) for number in range(10)]):
        job = store.attempts.claim(job_id, "bench", lease=3600)
        assert job is not None
        fences.append(Fence(job_id, job.attempt))
    rates = []
    for run in range(3):
        started = time.perf_counter()
        for batch in range(40):
            for fence in fences:
                first = (run * 40 + batch) * POINTS
                store.attempts.record_losses(
                    fence, [LossPoint(first + i, (1.0, 0.5, 0.25, 0.25)) for i in range(POINTS)]
                )
        rates.append(40 * 10 * POINTS / (time.perf_counter() - started))
    for fence in fences:
        store.commands.cancel(JobSelector(job=fence.job_id))
        store.attempts.confirm_cancel(fence, {})
    return [("loss points stored, in batches of 100", "20,000/s", format_spread(rates, "/s"))]


def counting(setup: BenchmarkFarm) -> list[Row]:
    """A sweep of 100,000 jobs: its counts, what has changed, and what it takes in Redis."""
    engine = connect(setup.settings.database)
    store, queries = Store(engine), Queries(engine)
    before = _redis_memory(setup)
    sweep, ids = store.submissions.create_sweep("many", {}, [new_job(number) for number in range(MANY)])
    with setup.farm() as farm:
        announcer = farm.services.announcer
        assert announcer is not None
        announcer.fill()
        taken = _redis_memory(setup) - before
        fresh = _times(partial(queries.counts, sweep))
        vacuum(setup)
        settled = _times(partial(queries.counts, sweep))
        since = queries.changed(sweep).cursor
        for job_id in ids[:100]:
            store.commands.reprioritize(JobSelector(job=job_id), 6)
        changed = _times(lambda: queries.changed(sweep, since))
    return [
        (f"counts of a sweep of {MANY:,} jobs", "50 ms", format_spread(settled, "ms", 1e3)),
        ("the same before PostgreSQL has vacuumed the new rows", "50 ms", format_spread(fresh, "ms", 1e3)),
        ("changed since a cursor: 100 of them", "50 ms", format_spread(changed, "ms", 1e3)),
        (f"Redis memory for {MANY:,} queued jobs", "15 MB", f"{taken / 1e6:.1f} MB"),
    ]


def _claimed_and_finished(setup: BenchmarkFarm) -> float:
    url = setup.settings.database
    ids = Store(connect(url)).submissions.create([new_job(number) for number in range(PROCESSES * EACH)])
    with ProcessPoolExecutor(PROCESSES, multiprocessing.get_context("spawn")) as pool:
        start_at = time.time() + START_SECONDS
        work = [pool.submit(_work, url, ids[number::PROCESSES], start_at) for number in range(PROCESSES)]
        ended_at = max(part.result() for part in work)
    return len(ids) / (ended_at - start_at)


def _work(url: str, ids: Sequence[str], start_at: float) -> float:
    """Claim and finish these jobs from `start_at` on."""
    store = Store(connect(url))
    result = StoredObject("jobs/bench/1/result.png", "0" * 64, 1)
    Queries(store.engine).check()
    if time.time() > start_at:
        raise TimeoutError("this process started too late to be measured")
    time.sleep(start_at - time.time())
    for job_id in ids:
        job = store.attempts.claim(job_id, f"bench:{job_id}")
        assert job is not None
        assert store.attempts.finish(Fence(job_id, job.attempt), result, {"seconds": 1.0})
    return time.time()


def new_job(number: int) -> NewJob:
    """A job that differs from others in its seed."""
    spec = JobSpec(content="sha256:" + "a" * 64, style=("sha256:" + "b" * 64,), size=64, learning_rate=1.0)
    return NewJob(spec.model_copy(update={"seed": number}), "a.png", "s.png", cell={"seed": number})


def _times(ask: Callable[[], object], count: int = 9) -> list[float]:
    seconds = []
    for _ in range(count):
        started = time.perf_counter()
        ask()
        seconds.append(time.perf_counter() - started)
    return seconds


def vacuum(setup: BenchmarkFarm) -> None:
    """Vacuum and analyze after many new rows, as PostgreSQL does by itself within minutes."""
    with connect(setup.settings.database).connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.exec_driver_sql("VACUUM (ANALYZE) jobs")


def _redis_memory(setup: BenchmarkFarm) -> int:
    with Redis.from_url(setup.redis.url) as client:
        return int(client.info("memory")["used_memory"])


def _emptied(setup: BenchmarkFarm) -> None:
    with Redis.from_url(setup.redis.url) as client:
        client.flushall()
