"""The reconciler, on real servers: what it finds, announces, and leaves alone."""

from __future__ import annotations

import dataclasses
import json
import time
from collections.abc import Iterator

import pytest
from sqlalchemy import Engine, update

from shared.announce import Announcer
from shared.backlog import Backlog
from shared.database import connect
from shared.hints import Hints, key_of
from shared.queries import Queries
from shared.reconcile import Reconciler
from shared.routes import queue_name
from shared.spec import JobSpec
from shared.states import State
from shared.store import NewJob, Store
from shared.tables import Job
from tests.servers import RedisServer
from worker.keeper import Keeper

QUEUE = queue_name("auto", "")
SPEC = JobSpec(content="sha256:" + "a" * 64, style=("sha256:" + "b" * 64,), size=64, learning_rate=1.0)


@dataclasses.dataclass(frozen=True)
class Farm:
    """A database and a Redis of the test's own."""

    engine: Engine
    hints: Hints

    @property
    def store(self) -> Store:
        return Store(self.engine)

    def announcer(self, window: int = 10) -> Announcer:
        return Announcer(Backlog(self.engine), self.hints, window)

    def reconciler(self, window: int = 10, period: float = 5) -> Reconciler:
        return Reconciler(self.store, self.announcer(window), period=period)

    def submit(self, count: int) -> list[str]:
        return self.store.create([NewJob(SPEC, "a.png", "s.png")] * count)

    def standing(self) -> list[str]:
        return [job_id for ids in self.hints.standing(QUEUE).values() for job_id in reversed(ids)]

    def set_priority(self, job_id: str, priority: int) -> None:
        with self.engine.begin() as connection:
            connection.execute(update(Job).where(Job.id == job_id).values(priority=priority))


@pytest.fixture
def farm(engine: Engine, redis_server: RedisServer) -> Iterator[Farm]:
    hints = Hints(redis_server.url)
    hints.client.flushall()
    yield Farm(engine, hints)
    hints.client.flushall()
    hints.client.close()


def test_submitting_announces_no_more_than_the_window(farm: Farm) -> None:
    """Given a window of 10, if 25 jobs are announced, and again, I expect hints for the first 10 of them."""
    ids = farm.submit(25)
    for _ in range(2):
        farm.announcer().announce(ids)
        assert farm.standing() == ids[:10]


def test_lost_hints_come_back(farm: Farm) -> None:
    """Given announced jobs, if Redis is emptied, I expect the next run to announce them again, and a third nothing."""
    ids = farm.submit(7)
    reconciler = farm.reconciler()
    for _ in range(3):
        assert reconciler.run()
        assert farm.standing() == ids
    farm.hints.client.flushall()
    assert reconciler.run()
    assert farm.standing() == ids


def test_single_lost_hints_come_back(farm: Farm) -> None:
    """Given announced jobs, if a worker takes hints and dies before it claims, I expect just these to come back."""
    ids = farm.submit(3)
    reconciler = farm.reconciler()
    reconciler.run()
    farm.hints.client.rpop(key_of(QUEUE, 5))
    reconciler.run()
    assert farm.standing() == [*ids[1:], ids[0]]


def test_an_urgent_job_finds_room(farm: Farm) -> None:
    """Given a full window, if a job further behind becomes urgent, I expect its hint, and still a full window."""
    ids = farm.submit(25)
    reconciler = farm.reconciler()
    reconciler.run()
    farm.set_priority(ids[20], 9)
    reconciler.run()
    assert farm.hints.standing(QUEUE)[9] == [ids[20]]
    assert sorted(farm.standing()) == sorted([*ids[:9], ids[20]])


def test_a_hint_of_an_old_priority_does_no_harm(farm: Farm) -> None:
    """Given an announced job that became less urgent, I expect its old hint to be passed over, the new one not."""
    (job_id,) = farm.submit(1)
    farm.set_priority(job_id, 2)
    assert farm.store.claim(job_id, "w", priority=5) is None
    assert farm.store.claim(job_id, "w", priority=2) is not None


def test_the_jobs_of_a_dead_worker_are_announced_again(farm: Farm) -> None:
    """Given a job whose lease ran out, if the reconciler runs, I expect it queued and announced."""
    (job_id,) = farm.submit(1)
    assert farm.store.claim(job_id, "w", lease=0) is not None
    time.sleep(0.01)
    farm.reconciler().run()
    assert Queries(farm.engine).job(job_id).state == State.QUEUED
    assert farm.standing() == [job_id]


def test_one_leads_until_it_resigns_or_keeps_silent(farm: Farm) -> None:
    """Given two reconcilers, I expect one to lead, and the other to take over when it resigns or is silent."""
    first, second = farm.reconciler(period=0.2), farm.reconciler(period=0.2)
    assert [first.run(), second.run(), first.run()] == [True, False, True]
    first.resign()
    assert [second.run(), first.run()] == [True, False]
    time.sleep(0.6)
    assert first.run()


def test_workers_do_not_wait_for_the_next_period(postgres_url: str, redis_server: RedisServer) -> None:
    """Given a backlog far longer than the window, if hints are used up, I expect new ones long before the period."""
    hints = Hints(redis_server.url)
    hints.client.flushall()
    engine = connect(postgres_url)
    farm = Farm(engine, hints)
    farm.submit(40)
    claimed = 0
    with Keeper(farm.reconciler(window=4, period=60)):
        while claimed < 40:
            taken = hints.client.brpop([key_of(QUEUE, 5)], timeout=5)
            assert taken is not None
            claimed += farm.store.claim(json.loads(taken[1])["headers"]["id"], "w") is not None
    hints.client.flushall()
    hints.client.close()
