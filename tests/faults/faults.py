"""The faults: each is a context manager that begins a fault, and ends it with the block."""

from __future__ import annotations

import contextlib
import random
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from functools import partial

import psutil
from sqlalchemy import func, select

from stylefarm.shared.db.states import ArtifactRole, State
from stylefarm.shared.db.tables import ArtifactRow, EventRow, JobRow
from stylefarm.shared.dispatch.announcer import Announcer
from stylefarm.shared.queue.routes import Hint, queue_name
from tests.faults.environment import PAUSE_SECONDS, Environment, retry_until_answered
from tests.faults.proxy import Mode
from tests.faults.workers import WorkerProcess, halted

ROUTE = ("auto", "")
QUEUE = queue_name(*ROUTE)

Strike = Callable[[Environment, random.Random], AbstractContextManager[None]]
Pick = Callable[[WorkerProcess], list[psutil.Process]]

# How long to wait for the farm to recover from a fault whose recovery is measured.
RECOVERY_SECONDS = 30.0

# S3 servers accept signatures that are up to a quarter of an hour off.
CLOCKS_SECONDS = (-600, -60, 60, 600)
HOURS_SECONDS = (-7200, 10_800)


# The pause between the faults of a lane: the farm should be disturbed while it works, not kept from working, and a
# worker takes a while to start.
PAUSES = {"death": 8.0, "sleep": 4.0, "redis": 4.0, "postgres": 8.0, "s3": 8.0, "machine": 4.0}
LANES = tuple(PAUSES)


@dataclass(frozen=True)
class Fault:
    """A fault; two of one lane are never active at the same time."""

    name: str
    lane: str
    strike: Strike
    shortest: float = 0.0
    longest: float = 0.0
    """How long it lasts, in seconds."""


def faults(lease: float) -> list[Fault]:
    """Return all faults, for a farm with leases of that many seconds."""
    asleep = (lease + 1, lease + 3)
    return [
        Fault("worker killed", "death", partial(_killed, pick=_whole)),
        Fault("slot's process killed", "death", partial(_killed, pick=WorkerProcess.slots)),
        Fault("rendering process killed", "death", partial(_killed, pick=WorkerProcess.renderers)),
        Fault("worker halted", "sleep", partial(_halted, pick=_whole), *asleep),
        Fault("slot's process halted", "sleep", partial(_halted, pick=WorkerProcess.slots), *asleep),
        Fault("rendering process halted", "sleep", partial(_halted, pick=WorkerProcess.renderers), *asleep),
        Fault("Redis killed", "redis", _redis_killed, 0.5, 2),
        Fault("Redis emptied", "redis", _redis_emptied),
        Fault("Redis in a black hole", "redis", partial(_disturbed, name="redis", mode=Mode.HOLE), 6, 8),
        Fault("Redis half-open", "redis", _redis_half_open),
        Fault("Redis slow", "redis", partial(_disturbed, name="redis", mode=Mode.DELAY), 2, 4),
        Fault("every message twice", "redis", _doubled),
        Fault("PostgreSQL restarted", "postgres", _postgres_restarted),
        Fault("PostgreSQL killed", "postgres", _postgres_killed, 0, 1),
        Fault("PostgreSQL cut off", "postgres", partial(_disturbed, name="postgres", mode=Mode.CUT), 0.5, 3),
        Fault("PostgreSQL in a black hole", "postgres", partial(_disturbed, name="postgres", mode=Mode.HOLE), 2, 6),
        Fault("S3 cut off", "s3", partial(_disturbed, name="swift", mode=Mode.CUT), 1, 4),
        Fault("S3 answers with errors", "s3", partial(_disturbed, name="swift", mode=Mode.REFUSE), 1, 4),
        Fault("S3 slow", "s3", partial(_disturbed, name="swift", mode=Mode.DELAY), 2, 4),
        Fault("S3 in a black hole", "s3", partial(_disturbed, name="swift", mode=Mode.HOLE), 3, 12),
        Fault("disk full", "machine", _disk_full, 2, 4),
        Fault("clock off by minutes", "machine", partial(_clock_off, by=CLOCKS_SECONDS), 3, 6),
        Fault("clock off by hours", "machine", partial(_clock_off, by=HOURS_SECONDS), 2, 4),
    ]


def _whole(worker: WorkerProcess) -> list[psutil.Process]:
    return [] if worker.root is None else [worker.root]


def _victim(farm: Environment, draw: random.Random) -> WorkerProcess:
    """Return one of the workers that render, if there is one: its loss costs the most."""
    rendering = [name for (name,) in farm.rows(select(JobRow.worker).where(JobRow.state == State.RUNNING))]
    busy = [name for name in farm.workers if any(claimed.startswith(f"{name}-") for claimed in rendering)]
    return farm.workers[draw.choice(busy or list(farm.workers))]


@contextmanager
def _killed(farm: Environment, draw: random.Random, pick: Pick) -> Iterator[None]:
    worker = _victim(farm, draw)
    renderers = [embedded_worker.pid for embedded_worker in worker.renderers()]
    killed_at = time.time()
    if pick is _whole:
        worker.kill()
    for victim in [] if pick is _whole else pick(worker):
        with contextlib.suppress(psutil.NoSuchProcess):
            victim.kill()
    held = [job for pid in renderers for job in _held_by(farm, pid)]
    farm.history.add("killed", at=killed_at, held=held)
    yield
    worker.start()


def _held_by(farm: Environment, pid: int) -> list[dict[str, object]]:
    """Return the job that a process renders, its iteration and that of its checkpoint."""
    of_job = (ArtifactRow.job_id == JobRow.id) & (ArtifactRow.role == ArtifactRole.CHECKPOINT)
    checkpoint = select(ArtifactRow.iteration).where(of_job).scalar_subquery()
    columns = (JobRow.id, JobRow.attempt, JobRow.iteration, checkpoint)
    # The name of a worker ends in the id of its process and a random number.
    has = select(*columns).where(JobRow.state == State.RUNNING, JobRow.worker.regexp_match(f":{pid}:[0-9a-f]+$"))
    return [
        {"job": job, "attempt": attempt, "iteration": iteration, "checkpoint": checkpoint or 0}
        for job, attempt, iteration, checkpoint in farm.rows(has)
    ]


@contextmanager
def _halted(farm: Environment, draw: random.Random, pick: Pick) -> Iterator[None]:
    with halted(pick(_victim(farm, draw))):
        yield


@contextmanager
def _disturbed(farm: Environment, _draw: random.Random, name: str, mode: Mode) -> Iterator[None]:
    with farm.proxies[name].disturbed(mode):
        yield


@contextmanager
def _redis_killed(farm: Environment, _draw: random.Random) -> Iterator[None]:
    farm.redis.kill()
    yield
    farm.redis.start()
    _measure_consuming(farm, "Redis started again -> consuming")


@contextmanager
def _redis_half_open(farm: Environment, _draw: random.Random) -> Iterator[None]:
    farm.proxies["redis"].strand()
    yield
    _measure_consuming(farm, "connections half-open -> consuming")


@contextmanager
def _redis_emptied(farm: Environment, _draw: random.Random) -> Iterator[None]:
    announcer = _announcer(farm)
    before = _claimable(farm)
    announcer.hints.client.flushall()
    began = time.monotonic()
    yield
    while time.monotonic() - began < RECOVERY_SECONDS:
        standing = {job for jobs in announcer.hints.standing(QUEUE).values() for job in jobs}
        # Jobs that have been claimed meanwhile need no hint.
        if not (before & _claimable(farm)) - standing:
            break
        time.sleep(PAUSE_SECONDS)
    if before:
        farm.history.add("measured", what="Redis emptied -> hints rebuilt", seconds=time.monotonic() - began)


@contextmanager
def _doubled(farm: Environment, _draw: random.Random) -> Iterator[None]:
    """Announce every job again, whatever its state."""
    jobs = farm.rows(select(JobRow.id, JobRow.priority))
    _announcer(farm).hints.publish([Hint(job_id, QUEUE, priority) for job_id, priority in jobs])
    yield


@contextmanager
def _postgres_restarted(farm: Environment, _draw: random.Random) -> Iterator[None]:
    farm.postgres.restart()
    yield


@contextmanager
def _postgres_killed(farm: Environment, _draw: random.Random) -> Iterator[None]:
    farm.postgres.kill()
    yield
    farm.postgres.start()


@contextmanager
def _disk_full(farm: Environment, draw: random.Random) -> Iterator[None]:
    with _victim(farm, draw).full_disk():
        yield


@contextmanager
def _clock_off(farm: Environment, draw: random.Random, by: tuple[int, ...]) -> Iterator[None]:
    worker = _victim(farm, draw)
    worker.set_clock(draw.choice(by))
    yield
    worker.set_clock(0)


def _announcer(farm: Environment) -> Announcer:
    announcer = farm.truth.announcer
    assert announcer is not None, "a farm on servers has one"
    return announcer


def _claimable(farm: Environment) -> set[str]:
    """Return the jobs that should have hints."""
    announcer = _announcer(farm)
    return {
        hint.job_id for hint in retry_until_answered(lambda: announcer.backlog.most_urgent(ROUTE, announcer.window))
    }


def _measure_consuming(farm: Environment, what: str) -> None:
    """Wait until a job is claimed, if there is one to claim."""
    began = time.monotonic()
    last = _last_claim(farm)
    while time.monotonic() - began < RECOVERY_SECONDS and _last_claim(farm) == last:
        if not _claimable(farm):
            return
        time.sleep(PAUSE_SECONDS)
    farm.history.add("measured", what=what, seconds=time.monotonic() - began)


def _last_claim(farm: Environment) -> int:
    """Return the number of the latest claim event."""
    ((number,),) = farm.rows(select(func.max(EventRow.id)).where(EventRow.reason == "claimed"))
    return int(number or 0)
