"""What becomes of a job, and of its worker, when attempts fail."""

from __future__ import annotations

import dataclasses
import time

import pytest
from sqlalchemy import Engine

from stylefarm.shared.db.failures import ATTEMPTS, LOST
from stylefarm.shared.db.records import Fence, JobSelector
from stylefarm.shared.db.states import State, WorkerState
from stylefarm.shared.dispatch.workers import NewWorker, WorkerRegistry
from stylefarm.shared.errors import FarmError, InvalidImage, NotFound, OutOfMemory, ServiceUnavailable
from stylefarm.shared.queries.jobs import Queries
from stylefarm.shared.spec.terms import Terms
from stylefarm.shared.store import Store
from stylefarm.worker.host.registration import RESTARTED, Registration
from stylefarm.worker.host.supervisor import Supervisor
from tests.integration.jobs import RESULT, new_job

AWAY = ServiceUnavailable("the object store does not answer")
SLOT = NewWorker("gpu0@here", "here", "gpu", ["stylefarm.auto"], ["night"])


class FailingFarm:
    """A database, and a worker in it."""

    def __init__(self, engine: Engine) -> None:
        self.store, self.queries, self.workers = Store(engine), Queries(engine), WorkerRegistry(engine)
        self.workers.register([SLOT])
        (self.job_id,) = self.store.submissions.create([new_job()])

    def claim(self, worker: str = "gpu0@here:family:1:a", lease: float = 30) -> Fence:
        job = self.store.attempts.claim(self.job_id, worker, lease=lease)
        assert job is not None
        return Fence(job.id, job.attempt)

    def state(self) -> State:
        return State(self.queries.job(self.job_id).state)


@pytest.fixture
def farm(engine: Engine) -> FailingFarm:
    return FailingFarm(engine)


@pytest.mark.parametrize(
    ("error", "attempts"),
    [(InvalidImage("no picture"), 1), (FarmError("a bug"), 1), (OutOfMemory("too large"), 2), (AWAY, 3)],
)
def test_each_failure_has_its_number_of_attempts(farm: FailingFarm, error: FarmError, attempts: int) -> None:
    """Given a job that fails in the same way each time, I expect so many attempts, and then its own sentence."""
    for number in range(attempts):
        farm.workers.set_state(SLOT.name, WorkerState.ACTIVE, None)
        state = farm.store.attempts.fail(farm.claim(), error, {})
        assert state == (State.QUEUED if number + 1 < attempts else State.FAILED)
    job = farm.queries.job(farm.job_id)
    assert (job.attempt, job.error, job.error_class) == (attempts, str(error), error.failure_class)
    assert [attempt.outcome for attempt in farm.queries.attempts(farm.job_id)] == ["failed"] * attempts
    assert farm.store.commands.retry(JobSelector(job=farm.job_id))
    assert farm.queries.job(farm.job_id).failures == {}


def test_the_attempt_after_a_lack_of_memory_is_smaller(farm: FailingFarm) -> None:
    """Given a job that ran out of memory, if it is claimed again, I expect the claim to say so."""
    assert farm.store.attempts.fail(farm.claim(), OutOfMemory("too large"), {}) == State.QUEUED
    job = farm.store.attempts.claim(farm.job_id, "other")
    assert job is not None
    assert job.is_to_be_smaller


def test_what_is_let_go_is_no_failure(farm: FailingFarm) -> None:
    """Given a job whose worker is stopped again and again, I expect it queued each time, and no failure counted."""
    for _ in range(5):
        assert farm.store.attempts.release(farm.claim(), "its worker was stopped", {})
    assert farm.store.attempts.fail(farm.claim(), AWAY, {}) == State.QUEUED
    assert farm.queries.job(farm.job_id).failures == {"infrastructure": 1}


def test_a_failure_whose_answer_got_lost_is_counted_once(farm: FailingFarm) -> None:
    """Given a failed attempt, if it is reported twice, I expect the same answer and one failure."""
    fence = farm.claim()
    assert [farm.store.attempts.fail(fence, AWAY, {}) for _ in range(2)] == [State.QUEUED] * 2
    assert farm.queries.job(farm.job_id).failures == {"infrastructure": 1}


def test_a_poison_job_is_quarantined(farm: FailingFarm) -> None:
    """Given a job that kills its process three times, I expect it failed at the third, with a sentence."""
    for number in range(3):
        farm.claim(f"gpu0@here:family:{number}:a")
        assert farm.store.maintenance.reclaim_dead(":family:") == [farm.job_id]
        assert farm.state() == (State.FAILED if number == 2 else State.QUEUED)
    job = farm.queries.job(farm.job_id)
    assert job.error_class == "poison"
    assert str(job.error).startswith("quarantined: it has killed the process that rendered it 3 times; ")
    assert [attempt.outcome for attempt in farm.queries.attempts(farm.job_id)] == ["died"] * 3


def test_only_the_dead_are_buried(farm: FailingFarm) -> None:
    """Given a running job, if a process of another slot dies, I expect the job to go on."""
    farm.claim()
    assert farm.store.maintenance.reclaim_dead(":fam_ly:") == []
    assert farm.state() == State.RUNNING


def test_a_job_that_is_lost_too_often_is_quarantined(farm: FailingFarm) -> None:
    """Given a job under which every worker falls silent, I expect an end to that, too."""
    for _ in range(ATTEMPTS[LOST]):
        assert farm.state() == State.QUEUED
        farm.claim(lease=0)
        time.sleep(0.002)
        farm.store.maintenance.requeue_expired()
    assert farm.state() == State.FAILED
    assert "was not heard of any more in 10 attempts" in str(farm.queries.job(farm.job_id).error)


def test_a_worker_that_fails_three_times_in_a_row_is_benched(farm: FailingFarm) -> None:
    """Given three failures for infrastructure in a row, I expect the worker to claim nothing until it is unbenched."""
    ids = farm.store.submissions.create([new_job() for _ in range(5)])
    worker = "gpu0@here:family:1:a"
    endings = [AWAY, AWAY, None, AWAY, AWAY, AWAY]
    for job_id, error in zip([*ids, farm.job_id], endings, strict=True):
        job = farm.store.attempts.claim(job_id, worker)
        assert job is not None
        fence = Fence(job.id, job.attempt)
        assert (
            farm.store.attempts.finish(fence, RESULT, {})
            if error is None
            else farm.store.attempts.fail(fence, error, {})
        )
    assert not farm.workers.takes_jobs(worker)
    assert farm.store.attempts.claim(ids[0], worker) is None
    farm.workers.register([SLOT])
    (listed,) = farm.workers.listed()
    assert listed.worker.state == WorkerState.BENCHED
    assert listed.worker.reason == f"3 attempts in a row failed here, the last one so: {AWAY}"
    farm.workers.set_state(SLOT.name, WorkerState.ACTIVE, None)
    assert farm.store.attempts.claim(ids[0], worker) is not None


def test_a_slot_in_trouble_is_named(farm: FailingFarm) -> None:
    """Given slots, one of which does not live, I expect that one listed as failing with its reason, until it lives."""
    other = NewWorker("gpu1@here", "here", "gpu")
    farm.workers.register([SLOT, other])
    for trouble, expected in (("its process ended with code 1", "failing"), (None, "active")):
        farm.workers.report_alive({SLOT.name: trouble, other.name: None})
        first, second = farm.workers.listed()
        assert (first.state, first.reason) == (expected, trouble)
        assert (second.state, second.reason) == ("active", None)
    farm.workers.set_state(SLOT.name, WorkerState.BENCHED, "by hand")
    farm.workers.report_alive({SLOT.name: "its process ended with code 1"})
    first, _ = farm.workers.listed()
    assert (first.state, first.reason) == ("benched", "by hand")


def test_a_worker_that_was_killed_and_started_again_is_named(farm: FailingFarm) -> None:
    """Given a worker that ends without leaving the list, I expect the next one to be failing until it has run well."""
    farm.workers.unregister([SLOT.name])
    supervisors = [Supervisor([], lambda _: [], grace=0) for _ in range(3)]
    rolls = [Registration(farm.workers, {"gpu0": SLOT}, supervisor) for supervisor in supervisors]
    for roll in rolls[:2]:
        roll.call()
    assert [supervisor.inherited for supervisor in supervisors[:2]] == [{}, {"gpu0": RESTARTED}]
    rolls[1].leave()
    rolls[2].call()
    assert supervisors[2].inherited == {}


def test_workers_are_listed_with_what_they_render(farm: FailingFarm) -> None:
    """Given a worker at a job, I expect it listed with that job, then with a job done, and gone when it leaves."""
    fence = farm.claim()
    (listed,) = farm.workers.listed()
    assert (listed.worker.name, listed.worker.labels, listed.job_ids) == (SLOT.name, ["night"], [farm.job_id])
    assert (listed.state, listed.silent_for < 10, listed.done_last_hour) == ("active", True, 0)
    assert farm.store.attempts.finish(fence, RESULT, {})
    assert [(listed.job_ids, listed.done_last_hour) for listed in farm.workers.listed()] == [([], 1)]
    assert farm.workers.report_alive({SLOT.name: None, "unknown": None}) == {SLOT.name: WorkerState.ACTIVE}
    farm.workers.set_state(SLOT.name, WorkerState.DRAINING, "by hand")
    assert farm.workers.report_alive({SLOT.name: None}) == {SLOT.name: WorkerState.DRAINING}
    farm.workers.unregister([SLOT.name])
    assert farm.workers.listed() == []
    with pytest.raises(NotFound, match="no worker is called gpu0@here: "):
        farm.workers.set_state(SLOT.name, WorkerState.ACTIVE, None)


@pytest.mark.parametrize("way", ["failed", "died", "expired"])
def test_a_job_that_was_to_be_cancelled_is_no_failure(farm: FailingFarm, way: str) -> None:
    """Given a job that is to be cancelled, if its last attempt ends badly, I expect it cancelled all the same."""
    (job_id,) = farm.store.submissions.create([dataclasses.replace(new_job(), terms=Terms(max_attempts=1))])
    job = farm.store.attempts.claim(job_id, "w:family:1", lease=0)
    assert job is not None
    farm.store.commands.cancel(JobSelector(job=job_id))
    if way == "failed":
        assert farm.store.attempts.fail(Fence(job_id, 1), InvalidImage("no"), {}) is State.CANCELLED
    elif way == "died":
        assert farm.store.maintenance.reclaim_dead(":family:") == [job_id]
    else:
        time.sleep(0.01)
        assert farm.store.maintenance.requeue_expired() == [job_id]
    assert farm.queries.job(job_id).state == State.CANCELLED
