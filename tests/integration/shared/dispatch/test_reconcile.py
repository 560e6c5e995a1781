"""The reconciler, on real servers: what it finds, announces, and leaves alone."""

from __future__ import annotations

import dataclasses
import json
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from sqlalchemy import Engine, update
from sqlalchemy.orm import Session

from stylefarm.shared.blobs.storage import FolderBlobs, store_object
from stylefarm.shared.db.clock import now
from stylefarm.shared.db.connection import connect
from stylefarm.shared.db.records import Fence, JobSelector, NewJob, StoredObject
from stylefarm.shared.db.states import State
from stylefarm.shared.db.tables import JobRow
from stylefarm.shared.dispatch.announcer import Announcer
from stylefarm.shared.dispatch.backlog import Backlog
from stylefarm.shared.dispatch.orphans import Orphans
from stylefarm.shared.dispatch.reconcile import Reconciler
from stylefarm.shared.queries.jobs import Queries
from stylefarm.shared.queue.hints import Hints, key_of
from stylefarm.shared.queue.routes import queue_name
from stylefarm.shared.spec.spec import JobSpec
from stylefarm.shared.spec.terms import Terms
from stylefarm.shared.store import Store
from stylefarm.shared.webhooks.caller import WebhookCaller
from stylefarm.shared.webhooks.subscriptions import Webhooks
from stylefarm.worker.host import maintenance
from stylefarm.worker.host.maintenance import MaintenanceThreads
from tests.servers import RedisServer
from tests.servers.processes import wait_until
from tests.webhook_receiver import WebhookReceiver

QUEUE = queue_name("auto", "")
SPEC = JobSpec(content="sha256:" + "a" * 64, style=("sha256:" + "b" * 64,), size=64, learning_rate=1.0)


@dataclasses.dataclass(frozen=True)
class ReconciledFarm:
    """A database and a Redis of the test's own."""

    engine: Engine
    hints: Hints
    folder: Path

    @property
    def store(self) -> Store:
        return Store(self.engine)

    def announcer(self, window: int = 10) -> Announcer:
        return Announcer(Backlog(self.engine), self.hints, window)

    def reconciler(self, window: int = 10, period: float = 5) -> Reconciler:
        orphans = Orphans(self.engine, FolderBlobs(self.folder))
        return Reconciler(self.store, self.announcer(window), orphans, period=period)

    def submit(self, count: int) -> list[str]:
        return self.store.submissions.create([NewJob(SPEC, "a.png", "s.png")] * count)

    def standing(self) -> list[str]:
        return [job_id for ids in self.hints.standing(QUEUE).values() for job_id in reversed(ids)]

    def set_priority(self, job_id: str, priority: int) -> None:
        with self.engine.begin() as connection:
            connection.execute(update(JobRow).where(JobRow.id == job_id).values(priority=priority))


@pytest.fixture
def farm(engine: Engine, redis_server: RedisServer, tmp_path: Path) -> Iterator[ReconciledFarm]:
    hints = Hints(redis_server.url)
    hints.client.flushall()
    yield ReconciledFarm(engine, hints, tmp_path)
    hints.client.flushall()
    hints.client.close()


def test_submitting_announces_no_more_than_the_window(farm: ReconciledFarm) -> None:
    """Given a window of 10, if 25 jobs are announced, and again, I expect hints for the first 10 of them."""
    ids = farm.submit(25)
    for _ in range(2):
        farm.announcer().announce(ids)
        assert farm.standing() == ids[:10]


def test_lost_hints_come_back(farm: ReconciledFarm) -> None:
    """Given announced jobs, if Redis is emptied, I expect the next run to announce them again, and a third nothing."""
    ids = farm.submit(7)
    reconciler = farm.reconciler()
    for _ in range(3):
        assert reconciler.run()
        assert farm.standing() == ids
    farm.hints.client.flushall()
    assert reconciler.run()
    assert farm.standing() == ids


def test_single_lost_hints_come_back(farm: ReconciledFarm) -> None:
    """Given announced jobs, if a worker takes hints and dies before it claims, I expect just these to come back."""
    ids = farm.submit(3)
    reconciler = farm.reconciler()
    reconciler.run()
    farm.hints.client.rpop(key_of(QUEUE, 5))
    reconciler.run()
    assert farm.standing() == [*ids[1:], ids[0]]


def test_an_urgent_job_finds_room(farm: ReconciledFarm) -> None:
    """Given a full window, if a job further behind becomes urgent, I expect its hint, and still a full window."""
    ids = farm.submit(25)
    reconciler = farm.reconciler()
    reconciler.run()
    farm.set_priority(ids[20], 9)
    reconciler.run()
    assert farm.hints.standing(QUEUE)[9] == [ids[20]]
    assert sorted(farm.standing()) == sorted([*ids[:9], ids[20]])


def test_a_hint_of_an_old_priority_does_no_harm(farm: ReconciledFarm) -> None:
    """Given an announced job that became less urgent, I expect its old hint to be passed over, the new one not."""
    (job_id,) = farm.submit(1)
    farm.set_priority(job_id, 2)
    assert farm.store.attempts.claim(job_id, "w", priority=5) is None
    assert farm.store.attempts.claim(job_id, "w", priority=2) is not None


def test_the_jobs_of_a_dead_worker_are_announced_again(farm: ReconciledFarm) -> None:
    """Given a job whose lease ran out, if the reconciler runs, I expect it queued and announced."""
    (job_id,) = farm.submit(1)
    assert farm.store.attempts.claim(job_id, "w", lease=0) is not None
    time.sleep(0.01)
    farm.reconciler().run()
    assert Queries(farm.engine).job(job_id).state == State.QUEUED
    assert farm.standing() == [job_id]


def test_one_leads_until_it_resigns(farm: ReconciledFarm) -> None:
    """Given two reconcilers, I expect one to lead, and the other to take over when it resigns."""
    first, second = farm.reconciler(period=60), farm.reconciler(period=60)
    assert [first.run(), second.run(), first.run()] == [True, False, True]
    first.resign()
    assert [second.run(), first.run()] == [True, False]


def test_one_leads_until_it_keeps_silent(farm: ReconciledFarm) -> None:
    """Given a reconciler that leads, if it is silent for longer than its periods, I expect another to take over."""
    silent, other = farm.reconciler(period=0.01), farm.reconciler(period=60)
    assert silent.run()
    time.sleep(0.1)
    assert [other.run(), silent.run()] == [True, False]


def test_what_nobody_names_is_swept(farm: ReconciledFarm) -> None:
    """Given objects of attempts, if they are swept, I expect only those gone that are old and that no row names."""
    blobs = FolderBlobs(farm.folder)
    late, done = farm.submit(2)
    for attempt in (1, 2):
        assert farm.store.attempts.claim(late, f"w{attempt}", lease=0) is not None
        blobs.put(f"jobs/{late}/{attempt}/snapshots/000005.png", b"x", "image/png")
        time.sleep(0.01)
        if attempt == 1:
            farm.store.maintenance.requeue_expired()
    assert farm.store.attempts.claim(done, "w") is not None
    blobs.put(f"jobs/{done}/1/snapshots/000005.png", b"x", "image/png")
    assert farm.store.attempts.add_snapshot(
        Fence(done, 1), 5, StoredObject(f"jobs/{done}/1/snapshots/000005.png", "0" * 64, 1)
    )
    blobs.put(f"jobs/{done}/1/snapshots/000010.png", b"x", "image/png")
    stored = store_object(blobs, f"jobs/{done}/1/result.png", b"x", "image/png")
    assert farm.store.attempts.finish(Fence(done, 1), stored, {})
    blobs.put("jobs/of-another-farm/1/result.png", b"x", "image/png")
    blobs.put("jobs/README", b"x", "text/plain")
    orphans = Orphans(farm.engine, blobs)
    assert orphans.delete() == 0
    time.sleep(0.01)
    assert orphans.delete(grace=0) == 2
    assert set(blobs.keys("jobs/")) == {
        f"jobs/{late}/2/snapshots/000005.png",  # the attempt still runs
        f"jobs/{done}/1/snapshots/000005.png",
        f"jobs/{done}/1/result.png",
        "jobs/of-another-farm/1/result.png",
        "jobs/README",
    }


def test_it_is_swept_once_an_hour(farm: ReconciledFarm) -> None:
    """Given two reconcilers, if both are asked to sweep, I expect one sweep in all."""
    swept = []
    for reconciler in (farm.reconciler(), farm.reconciler()):
        reconciler.orphans.delete = lambda *_: swept.append(1) or 0  # type: ignore[method-assign, func-returns-value]
        reconciler.delete_orphans()
        reconciler.delete_orphans()
    assert swept == [1]


def test_each_queue_is_found(farm: ReconciledFarm) -> None:
    """Given jobs for many devices and labels, I expect each queue once, and the most urgent of each."""
    terms = [Terms(device=d, label=label) for d in ("gpu", "auto", "cpu") for label in ("", "night")]
    farm.store.submissions.create([NewJob(SPEC, "a", "s", terms=t) for t in terms * 2])
    backlog = Backlog(farm.engine)
    assert backlog.routes() == [(d, label) for d in ("auto", "cpu", "gpu") for label in ("", "night")]
    assert [hint.queue for hint in backlog.most_urgent(("gpu", "night"), 9)] == ["stylefarm.gpu.night"] * 2


def age(farm: ReconciledFarm, ids: Sequence[str]) -> None:
    """Move what was done to jobs a minute into the past: what is newer may be told twice."""
    with Session(farm.engine) as session:
        session.execute(update(JobRow).where(JobRow.id.in_(ids)).values(updated_at=now(-60)))
        session.commit()


def test_pollers_hear_of_what_has_changed(farm: ReconciledFarm) -> None:
    """Given a sweep, if one job is claimed after a look at all, I expect it alone in the next answer."""
    sweep_id, ids = farm.store.submissions.create_sweep("", {}, [NewJob(SPEC, "a", "s")] * 3)
    age(farm, ids)
    asked = Queries(farm.engine)
    first = asked.changed(sweep_id)
    assert {change.id for change in first.jobs} == set(ids)
    assert asked.changed(sweep_id, first.cursor).jobs == []
    farm.store.attempts.claim(ids[1], "w")
    (change,) = asked.changed(sweep_id, first.cursor).jobs
    assert (change.id, change.state, change.position, change.attempt) == (ids[1], State.RUNNING, 1, 1)


def test_pollers_hear_of_what_had_not_ended(farm: ReconciledFarm) -> None:
    """Given a transaction that has not ended at one answer, if it has at the next, I expect what it did in that."""
    sweep_id, ids = farm.store.submissions.create_sweep("", {}, [NewJob(SPEC, "a", "s")] * 2)
    age(farm, ids)
    asked = Queries(farm.engine)
    with Session(farm.engine) as session:
        session.execute(update(JobRow).where(JobRow.id == ids[0]).values(iteration=7))
        before = asked.changed(sweep_id)
        assert {change.iteration for change in before.jobs} == {0}
        later = asked.changed(sweep_id, before.cursor)
        session.commit()
    assert 7 in [change.iteration for change in asked.changed(sweep_id, later.cursor).jobs]


def test_workers_do_not_wait_for_the_next_period(postgres_url: str, redis_server: RedisServer, tmp_path: Path) -> None:
    """Given a backlog far longer than the window, if hints are used up, I expect new ones long before the period."""
    hints = Hints(redis_server.url)
    hints.client.flushall()
    engine = connect(postgres_url)
    farm = ReconciledFarm(engine, hints, tmp_path)
    farm.submit(40)
    claimed = 0
    with MaintenanceThreads(farm.reconciler(window=4, period=60)):
        while claimed < 40:
            wait_until(lambda: hints.count(QUEUE) > 0, 30)
            taken = hints.client.rpop(key_of(QUEUE, 5))
            assert isinstance(taken, bytes)
            claimed += farm.store.attempts.claim(json.loads(taken)["headers"]["id"], "w") is not None
    hints.client.flushall()
    hints.client.close()


def test_workers_call_for_sweeps(
    postgres_url: str,
    redis_server: RedisServer,
    tmp_path: Path,
    receiver: WebhookReceiver,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Given a worker with a secret, if a sweep ends, I expect its call soon, though nobody waits, and not a second one.

    The worker is stopped while it is answered, and what came of the call must be known to those who go on.
    """
    receiver.seconds = 1.0
    # However long a busy machine takes to write down what came of it.
    monkeypatch.setattr(maintenance, "LEAVING_SECONDS", 60.0)
    engine = connect(postgres_url)
    farm, webhooks = ReconciledFarm(engine, Hints(redis_server.url), tmp_path), Webhooks(engine)
    sweep_id, _ = farm.store.submissions.create_sweep("", {}, [NewJob(SPEC, "a", "s")])
    webhooks.set(sweep_id, receiver.url)
    caller = WebhookCaller(webhooks, "a secret of the test", allow_private=True)
    with MaintenanceThreads(farm.reconciler(period=0.1), caller=caller):
        farm.store.commands.cancel(JobSelector(sweep=sweep_id))
        wait_until(lambda: bool(receiver.calls), 60)
    assert receiver.events == ["sweep.ended"]
    assert [webhook.event for webhook in webhooks.of(sweep_id) if webhook.delivered_at is not None] == ["ended"]
