"""Jobs that wait for others, and limits: of running jobs, of time, of attempts."""

from __future__ import annotations

import dataclasses
import sqlite3
import threading
import time
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, event, update

from stylefarm import migrations
from stylefarm.shared.db.clock import now
from stylefarm.shared.db.connection import connect
from stylefarm.shared.db.records import Fence, JobSelector, NewJob
from stylefarm.shared.db.states import State
from stylefarm.shared.db.tables import JobRow
from stylefarm.shared.dispatch.backlog import Backlog
from stylefarm.shared.errors import InvalidImage, NotFound, ServiceUnavailable
from stylefarm.shared.queries.jobs import Queries
from stylefarm.shared.spec.terms import parse_terms
from stylefarm.shared.store import Store
from tests.integration.jobs import RESULT, new_job

DAY = 86_400.0


class LimitedFarm:
    """A database, and short ways to ask it."""

    def __init__(self, engine: Engine) -> None:
        self.store, self.queries, self.backlog = Store(engine), Queries(engine), Backlog(engine)

    def submit(self, **terms: Any) -> str:
        (job_id,) = self.store.submissions.create([on_terms(**terms)])
        return job_id

    def claim(self, job_id: str, lease: float = 30) -> Fence | None:
        job = self.store.attempts.claim(job_id, f"w-{job_id}", lease=lease)
        return None if job is None else Fence(job.id, job.attempt)

    def end(self, job_id: str, error: Exception | None = None) -> None:
        fence = self.claim(job_id)
        assert fence is not None
        if error is None:
            assert self.store.attempts.finish(fence, RESULT, {})
        else:
            assert self.store.attempts.fail(fence, InvalidImage(str(error)), {})

    def states(self, *ids: str) -> list[str]:
        return [str(job.state) for job in self.queries.jobs(ids)]


def on_terms(**terms: Any) -> NewJob:
    return dataclasses.replace(new_job(), terms=parse_terms(terms))


@pytest.fixture
def farm(engine: Engine) -> LimitedFarm:
    return LimitedFarm(engine)


def test_a_job_waits_until_all_others_are_done(farm: LimitedFarm) -> None:
    """Given a job after two others, I expect it queued, and announced, when the second of them is done."""
    first, second = farm.submit(), farm.submit()
    child = farm.submit(after=[first, second])
    assert farm.claim(child) is None
    farm.end(first)
    assert farm.states(child) == ["waiting"]
    farm.end(second)
    assert farm.states(child) == ["queued"]
    assert [hint.job_id for hint in farm.backlog.after(second)] == [child]
    assert [event.reason for event in farm.queries.events(child)] == ["submitted", "all that it waited for is done"]


def test_a_job_after_what_is_done_is_queued_at_once(farm: LimitedFarm) -> None:
    """Given a done job, if another is submitted after it, I expect no waiting; after no job at all, a sentence."""
    parent = farm.submit()
    farm.end(parent)
    assert farm.states(farm.submit(after=[parent])) == ["queued"]
    with pytest.raises(NotFound, match="there is no job 0000 to wait for"):
        farm.submit(after=["0000"])


@pytest.mark.parametrize("way", ["failed", "cancelled"])
def test_a_parent_s_end_is_its_children_s(farm: LimitedFarm, way: str) -> None:
    """Given a chain of three, if the first fails or is cancelled, I expect the others failed, with the reason."""
    parent = farm.submit()
    child = farm.submit(after=[parent])
    grandchild = farm.submit(after=[child])
    if way == "failed":
        farm.end(parent, ValueError("no picture"))
    else:
        farm.store.commands.cancel(JobSelector(job=parent))
    assert farm.states(child, grandchild) == ["failed", "failed"]
    said = farm.queries.job(child)
    reason = "failed: no picture" if way == "failed" else "was cancelled"
    assert (said.error, said.error_class) == (f"job {parent}, which it waited for, {reason}", "parent")
    assert str(farm.queries.job(grandchild).error).startswith(f"job {child}, which it waited for, failed: ")


def test_a_failed_chain_is_tried_again_in_its_order(farm: LimitedFarm) -> None:
    """Given a failed sweep of a parent and its child, if both are retried, I expect the child to wait once more."""
    parent = farm.submit()
    child = farm.submit(after=[parent])
    farm.end(parent, ValueError("no"))
    # By itself the child would wait in vain.
    assert farm.store.commands.retry(JobSelector(job=child))
    assert farm.states(child) == ["failed"]
    farm.store.commands.retry(JobSelector(job=parent))
    farm.store.commands.retry(JobSelector(job=child))
    assert farm.states(parent, child) == ["queued", "waiting"]
    farm.end(parent)
    assert farm.states(child) == ["queued"]


def test_a_waiting_job_is_paused_and_resumed(farm: LimitedFarm) -> None:
    """Given a waiting job that is paused while its parent is done, if it is resumed, I expect it queued."""
    parent = farm.submit()
    child = farm.submit(after=[parent])
    farm.store.commands.pause(JobSelector(job=child))
    farm.end(parent)
    assert farm.states(child) == ["paused"]
    farm.store.commands.resume(JobSelector(job=child))
    assert farm.states(child) == ["queued"]


def test_two_parents_that_end_at_once_release_their_child(farm: LimitedFarm) -> None:
    """Given a job after eight others, if these are done at the same moment, I expect it queued."""
    parents = [farm.submit() for _ in range(8)]
    child = farm.submit(after=parents)
    fences = [farm.claim(parent) for parent in parents]
    barrier = threading.Barrier(8)

    def finish(fence: Fence | None) -> None:
        barrier.wait()
        assert fence is not None
        farm.store.attempts.finish(fence, RESULT, {})

    threads = [threading.Thread(target=finish, args=(fence,)) for fence in fences]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert farm.states(child) == ["queued"]


def test_a_limited_sweep_leaves_room_for_others(farm: LimitedFarm) -> None:
    """Given a sweep of which two may run, if eight workers claim at once, I expect two jobs of it to run.

    And hints for no more than these, and for the next one when one of them is done; others are not kept waiting.
    """
    _, ids = farm.store.submissions.create_sweep("", {}, [new_job() for _ in range(8)], max_running=2)
    other = farm.submit()
    assert [hint.job_id for hint in farm.backlog.most_urgent(("auto", ""), 10)] == [other, *ids[:2]]
    assert [hint.job_id for hint in farm.backlog.hints_of(ids)] == ids[:2]
    barrier = threading.Barrier(8)
    claimed: list[Fence] = []

    def claim(job_id: str) -> None:
        barrier.wait()
        fence = farm.claim(job_id)
        if fence is not None:
            claimed.append(fence)

    threads = [threading.Thread(target=claim, args=(job_id,)) for job_id in ids]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(claimed) == 2
    assert farm.claim(other) is not None
    assert farm.backlog.hints_of(ids) == []
    assert farm.store.attempts.finish(claimed[0], RESULT, {})
    (following,) = farm.backlog.after(claimed[0].job_id)
    assert farm.claim(following.job_id) is not None


def test_a_hung_job_that_is_over_its_time_fails(farm: LimitedFarm) -> None:
    """Given a job with a time limit whose worker hangs, if its lease runs out, I expect it failed for good."""
    late, early = farm.submit(time_limit=0.001), farm.submit(time_limit=3600)
    fences = [farm.claim(job_id, lease=30) for job_id in (late, early)]
    time.sleep(0.01)
    for fence in fences:
        assert fence is not None
        assert farm.store.attempts.renew(fence, lease=0)
    time.sleep(0.01)
    farm.store.maintenance.requeue_expired(lease=0)
    assert farm.states(late, early) == ["failed", "queued"]
    assert farm.queries.job(late).error_class == "limit"


def test_a_job_that_was_left_for_long_is_not_over_its_time(farm: LimitedFarm) -> None:
    """Given a job whose worker died soon, if nobody sees to it until its time limit is over, I expect it queued."""
    job_id = farm.submit(time_limit=600)
    assert farm.claim(job_id, lease=30) is not None
    with farm.store.engine.begin() as connection:
        connection.execute(update(JobRow).values(started_at=now(-DAY), lease_until=now(30 - DAY)))
    farm.store.maintenance.requeue_expired()
    assert farm.states(job_id) == ["queued"]


def test_attempts_are_capped(farm: LimitedFarm) -> None:
    """Given a job of which two attempts may fail, if a service is away, I expect it failed after the second."""
    job_id = farm.submit(max_attempts=2)
    for expected in (State.QUEUED, State.FAILED):
        fence = farm.claim(job_id)
        assert fence is not None
        assert farm.store.attempts.fail(fence, ServiceUnavailable("away"), {}) == expected


def test_a_job_may_wait_for_more_than_one_statement_names(tmp_path: Path) -> None:
    """Given a SQLite that takes few parameters, if a job is after more others than that, I expect it to wait for them.

    As SQLite comes it takes 32,766, and PostgreSQL twice as many.
    """
    engine = connect(f"sqlite:///{tmp_path / 'farm.db'}")
    migrations.upgrade(engine)
    engine.dispose()
    few = sqlite3.SQLITE_LIMIT_VARIABLE_NUMBER, 1500
    event.listen(engine, "connect", lambda connection, _entry: connection.setlimit(*few))
    farm = LimitedFarm(engine)
    parents = farm.store.submissions.create([new_job(seed=number) for number in range(2000)])
    assert farm.states(farm.submit(after=parents)) == ["waiting"]
    engine.dispose()
