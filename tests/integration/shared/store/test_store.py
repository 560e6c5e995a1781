"""The moves of a job, on SQLite and on PostgreSQL."""

from __future__ import annotations

import dataclasses
import threading
import time
from itertools import pairwise

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from stylefarm.shared.db.records import Fence, Heartbeat, JobSelector, LossPoint, StoredObject
from stylefarm.shared.db.states import MOVES as ALLOWED
from stylefarm.shared.db.states import State
from stylefarm.shared.db.tables import JobRow
from stylefarm.shared.errors import InvalidImage
from stylefarm.shared.queries.jobs import Queries
from stylefarm.shared.spec.terms import Terms
from stylefarm.shared.store import Store
from tests.integration.jobs import RESULT, claimed, new_job


def result_of(job: JobRow) -> tuple[str, int] | None:
    return None if job.result is None else (job.result.key, job.result.bytes)


def point(iteration: int) -> LossPoint:
    return LossPoint(iteration, (3.0 / (iteration + 1), 1.0, 1.5, 0.5))


def test_a_submitted_job_is_queued_with_all_that_was_said_of_it(store: Store, queries: Queries) -> None:
    """Given a new job, if it is created, I expect it queued, with its spec, its notes and one event."""
    (job_id,) = store.submissions.create([new_job(iterations=7)])
    job = queries.job(job_id)
    assert (job.state, job.iterations, job.notes, job.attempt) == (State.QUEUED, 7, ["a note"], 0)
    assert [event.reason for event in queries.events(job_id)] == ["submitted"]


def test_a_large_sweep_is_created_whole_and_in_order(store: Store, queries: Queries) -> None:
    """Given more jobs than one statement takes, if they are created as a sweep, I expect all, in their order."""
    sweep_id, ids = store.submissions.create_sweep(
        "big", {"seed": list(range(2500))}, [new_job(seed=n) for n in range(2500)]
    )
    assert [job.id for job in queries.sweep_jobs(sweep_id)] == ids
    assert [job.spec["seed"] for job in queries.jobs(ids)] == list(range(2500))
    assert queries.counts(sweep_id) == {State.QUEUED: 2500}


def test_the_totals_of_the_farm_are_by_state_and_queue(store: Store, queries: Queries) -> None:
    """Given jobs of two queues, one of them claimed, I expect each counted once, and nothing of what there is not."""
    assert queries.totals() == []
    night = dataclasses.replace(new_job(), terms=Terms(device="gpu", label="night"))
    first, *_ = store.submissions.create([new_job(), new_job(), new_job(), night])
    claimed(store, first)
    assert sorted(queries.totals()) == [
        (State.QUEUED, "auto", "", 2),
        (State.QUEUED, "gpu", "night", 1),
        (State.RUNNING, "auto", "", 1),
    ]


def test_a_job_is_claimed_once(store: Store, queries: Queries) -> None:
    """Given a queued job, if a hint for it comes twice, I expect one claim, and the second to change nothing."""
    (job_id,) = store.submissions.create([new_job()])
    assert claimed(store, job_id) == Fence(job_id, 1)
    assert store.attempts.claim(job_id, "other") is None
    assert queries.job(job_id).worker == "w"


def test_many_workers_claim_a_job_at_once(store: Store) -> None:
    """Given one queued job, if eight workers claim it at the same moment, I expect exactly one to have it."""
    (job_id,) = store.submissions.create([new_job()])
    barrier = threading.Barrier(8)
    won: list[str] = []

    def claim(name: str) -> None:
        barrier.wait()
        if store.attempts.claim(job_id, name) is not None:
            won.append(name)

    threads = [threading.Thread(target=claim, args=(f"w{n}",)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(won) == 1


def test_a_finished_job_names_its_result(store: Store, queries: Queries) -> None:
    """Given a claimed job, if it finishes, I expect it done, with its result, its curve and its attempt's record."""
    (job_id,) = store.submissions.create([new_job()])
    fence = claimed(store, job_id)
    assert store.attempts.record_losses(fence, [point(0), point(1)])
    assert store.attempts.add_snapshot(fence, 1, StoredObject("k", "1" * 64, 5))
    assert store.attempts.finish(fence, RESULT, {"device": "cpu"})
    job = queries.job(job_id)
    assert (job.state, result_of(job), job.iteration) == (State.DONE, (RESULT.key, 10), 1)
    assert job.lease_until is None
    assert [row.iteration for row in queries.losses(job_id)] == [0, 1]
    assert [row.key for row in queries.snapshots(job_id)] == ["k"]
    (attempt,) = queries.attempts(job_id)
    assert (attempt.outcome, attempt.record) == ("done", {"device": "cpu"})
    assert attempt.ended_at is not None


def test_a_write_may_be_repeated(store: Store, queries: Queries) -> None:
    """Given points and a snapshot that were stored, if the answer got lost and they come again, I expect each once."""
    (job_id,) = store.submissions.create([new_job()])
    fence = claimed(store, job_id)
    for _ in range(2):
        assert store.attempts.record_losses(fence, [point(0), point(1)])
        assert store.attempts.add_snapshot(fence, 1, StoredObject("k", "1" * 64, 5))
    assert [row.iteration for row in queries.losses(job_id)] == [0, 1]
    assert len(queries.snapshots(job_id)) == 1


def test_a_snapshot_is_named_as_it_was_rendered_last(store: Store, queries: Queries) -> None:
    """Given a snapshot of an attempt that ran out of memory, if it is rendered again, I expect the later one's hash."""
    (job_id,) = store.submissions.create([new_job()])
    fence = claimed(store, job_id)
    for digit in "012":
        assert store.attempts.add_snapshot(
            fence, 5, StoredObject(f"jobs/{job_id}/1/snapshots/000005.png", digit * 64, 10)
        )
    assert [snapshot.sha256 for snapshot in queries.snapshots(job_id)] == ["2" * 64]


def test_a_move_may_be_repeated(store: Store, queries: Queries) -> None:
    """Given a claim and an end whose answers got lost, if each is asked for again, I expect the same answer."""
    (job_id, let_go) = store.submissions.create([new_job(), new_job()])
    fence = claimed(store, job_id)
    assert claimed(store, job_id) == fence
    assert [store.attempts.finish(fence, RESULT, {}) for _ in range(2)] == [True, True]
    assert not store.attempts.fail(fence, InvalidImage("no"), {})
    released = claimed(store, let_go)
    assert [store.attempts.release(released, "stopped", {}) for _ in range(2)] == [True, True]
    assert len(queries.attempts(job_id)) == 1
    assert [event.state for event in queries.events(let_go)] == ["queued", "running", "queued"]


def test_an_older_attempt_changes_nothing(store: Store, queries: Queries) -> None:
    """Given a job that was claimed again, if its first worker goes on writing, I expect every write to be refused."""
    (job_id,) = store.submissions.create([new_job()])
    old = claimed(store, job_id, "zombie", lease=0)
    time.sleep(0.01)
    assert store.maintenance.requeue_expired() == [job_id]
    new = claimed(store, job_id, "heir")
    assert not store.attempts.record_losses(old, [point(5)])
    assert not store.attempts.add_snapshot(old, 5, StoredObject("zombie", "1" * 64, 5))
    assert not store.attempts.renew(old)
    assert not store.attempts.finish(old, RESULT, {})
    assert not store.attempts.fail(old, InvalidImage("no"), {})
    assert not store.attempts.release(old, "no", {})
    assert not store.attempts.confirm_cancel(old, {})
    job = queries.job(job_id)
    assert (job.state, job.worker, job.attempt) == (State.RUNNING, "heir", new.attempt)
    assert queries.losses(job_id) == []
    assert queries.snapshots(job_id) == []


def test_a_new_attempt_starts_the_curve_afresh(store: Store, queries: Queries) -> None:
    """Given a released job with a curve, if it is claimed again, I expect no point of the first attempt to stay."""
    (job_id,) = store.submissions.create([new_job()])
    first = claimed(store, job_id)
    store.attempts.record_losses(first, [point(0), point(1)])
    assert store.attempts.release(first, "stopped", {})
    second = claimed(store, job_id)
    assert queries.losses(job_id) == []
    assert store.attempts.record_losses(second, [point(0)])
    assert [attempt.outcome for attempt in queries.attempts(job_id)] == ["released", None]


def test_only_expired_leases_are_taken_back(store: Store, queries: Queries) -> None:
    """Given one job whose lease ran out and one whose lease holds, I expect only the first back in the queue."""
    lost, held = store.submissions.create([new_job(), new_job()])
    claimed(store, lost, lease=0)
    claimed(store, held, lease=60)
    time.sleep(0.01)
    assert store.maintenance.requeue_expired() == [lost]
    assert [job.state for job in queries.jobs([lost, held])] == [State.QUEUED, State.RUNNING]
    assert queries.events(lost)[-1].reason == "the lease of w ran out (tried again, failure 1 of 10)"


def test_a_renewed_lease_does_not_expire(store: Store) -> None:
    """Given a lease that has run out but was not taken back yet, if it is renewed, I expect the job to stay ours."""
    (job_id,) = store.submissions.create([new_job()])
    fence = claimed(store, job_id, lease=0)
    assert store.attempts.renew(fence, lease=60)
    assert store.maintenance.requeue_expired() == []


def test_a_failed_job_keeps_its_sentence(store: Store, queries: Queries) -> None:
    """Given a claimed job, if it fails, I expect its error and the class of its failure."""
    (job_id,) = store.submissions.create([new_job()])
    store.attempts.fail(claimed(store, job_id), InvalidImage("x.jpg is no picture: give another"), {})
    job = queries.job(job_id)
    assert (job.state, job.error_class, job.error) == (State.FAILED, "input", "x.jpg is no picture: give another")


def test_who_records_hears_what_the_user_wants(store: Store) -> None:
    """Given a running job, if it is asked to pause, then to be cancelled, I expect the next points to hear of it."""
    (job_id,) = store.submissions.create([new_job()])
    fence = claimed(store, job_id)
    assert store.attempts.record_losses(fence, [point(0)]) == Heartbeat(ours=True)
    store.commands.pause(JobSelector(job=job_id))
    assert store.attempts.record_losses(fence, [point(1)]) == Heartbeat(ours=True, pause=True)
    store.commands.cancel(JobSelector(job=job_id))
    assert store.attempts.record_losses(fence, [point(2)]).cancel


def test_a_queued_job_is_cancelled_at_once(store: Store, queries: Queries) -> None:
    """Given a queued job, if it is cancelled, I expect it cancelled, and not to be claimed any more."""
    (job_id,) = store.submissions.create([new_job()])
    assert store.commands.cancel(JobSelector(job=job_id))
    assert queries.job(job_id).state == State.CANCELLED
    assert store.attempts.claim(job_id, "w") is None
    assert not store.commands.cancel(JobSelector(job=job_id))


def test_a_running_job_is_cancelled_by_its_worker(store: Store, queries: Queries) -> None:
    """Given a running job, if it is cancelled, I expect its next heartbeat to hear of it, and its worker to end it."""
    (job_id,) = store.submissions.create([new_job()])
    fence = claimed(store, job_id)
    assert not store.attempts.renew(fence).cancel
    assert store.commands.cancel(JobSelector(job=job_id))
    assert queries.job(job_id).state == State.RUNNING
    assert store.attempts.renew(fence).cancel
    assert store.attempts.confirm_cancel(fence, {})
    assert queries.job(job_id).state == State.CANCELLED


@pytest.mark.parametrize("way", ["released", "expired"])
def test_a_cancelled_job_does_not_come_back(store: Store, queries: Queries, way: str) -> None:
    """Given a running job that is to be cancelled, if its worker lets it go, I expect it cancelled, not queued."""
    (job_id,) = store.submissions.create([new_job()])
    fence = claimed(store, job_id, lease=0)
    store.commands.cancel(JobSelector(job=job_id))
    if way == "released":
        store.attempts.release(fence, "stopped", {})
    else:
        time.sleep(0.01)
        store.maintenance.requeue_expired()
    assert queries.job(job_id).state == State.CANCELLED


def test_a_queued_job_is_paused_and_resumed(store: Store, queries: Queries) -> None:
    """Given a queued job, if it is paused, I expect it not to be claimed until it is resumed, each with an event."""
    (job_id,) = store.submissions.create([new_job()])
    assert store.commands.pause(JobSelector(job=job_id)).changed == [job_id]
    assert store.attempts.claim(job_id, "w") is None
    assert not store.commands.pause(JobSelector(job=job_id))
    assert store.commands.resume(JobSelector(job=job_id)).changed == [job_id]
    assert store.attempts.claim(job_id, "w") is not None
    assert [event.state for event in queries.events(job_id)] == ["queued", "paused", "queued", "running"]


def test_a_running_job_is_paused_by_its_worker(store: Store, queries: Queries) -> None:
    """Given a running job, if it is paused, I expect its heartbeat to hear of it, and it paused once it is let go."""
    (job_id,) = store.submissions.create([new_job()])
    fence = claimed(store, job_id)
    assert store.commands.pause(JobSelector(job=job_id)).requested == [job_id]
    assert store.attempts.renew(fence).pause
    assert [store.attempts.release(fence, "let go to be paused", {}) for _ in range(2)] == [True, True]
    assert queries.job(job_id).state == State.PAUSED
    store.commands.resume(JobSelector(job=job_id))
    assert not store.attempts.renew(claimed(store, job_id)).pause


def test_a_pause_can_be_taken_back(store: Store, queries: Queries) -> None:
    """Given a running job that is to be paused, if it is resumed first, I expect it queued when it is let go."""
    (job_id,) = store.submissions.create([new_job()])
    fence = claimed(store, job_id)
    store.commands.pause(JobSelector(job=job_id))
    assert store.commands.resume(JobSelector(job=job_id)).requested == [job_id]
    assert store.attempts.release(fence, "let go to be paused", {})
    assert queries.job(job_id).state == State.QUEUED


def test_a_job_that_has_ended_is_tried_again(store: Store, queries: Queries) -> None:
    """Given a failed, a cancelled and a done job, if each is retried, I expect it queued with no trace of its end."""
    ids = store.submissions.create([new_job() for _ in range(3)])
    store.attempts.fail(claimed(store, ids[0]), InvalidImage("no"), {})
    store.commands.cancel(JobSelector(job=ids[1]))
    store.attempts.finish(claimed(store, ids[2]), RESULT, {})
    for job_id in ids:
        assert store.commands.retry(JobSelector(job=job_id)).changed == [job_id]
        assert not store.commands.retry(JobSelector(job=job_id))
        job = queries.job(job_id)
        assert (job.state, job.error, job.result, job.finished_at) == (State.QUEUED, None, None, None)
    assert claimed(store, ids[0]).attempt == 2
    assert claimed(store, ids[2]).attempt == 2


def test_a_sweep_is_managed_as_a_whole(store: Store, queries: Queries) -> None:
    """Given a sweep with jobs in many states, I expect a command to move each that can be, and no other."""
    sweep_id, ids = store.submissions.create_sweep("", {}, [new_job() for _ in range(5)])
    (other,) = store.submissions.create([new_job()])
    of = JobSelector(sweep=sweep_id)
    store.attempts.finish(claimed(store, ids[0]), RESULT, {})
    store.attempts.fail(claimed(store, ids[1]), InvalidImage("no"), {})
    running = claimed(store, ids[2])
    paused = store.commands.pause(of)
    assert (sorted(paused.changed), paused.requested) == (sorted(ids[3:]), [ids[2]])
    assert store.attempts.release(running, "let go", {})
    assert sorted(store.commands.resume(of).changed) == sorted(ids[2:])
    assert sorted(store.commands.reprioritize(of, 8).changed) == sorted(ids[2:])
    assert [job.priority for job in queries.jobs(ids)] == [5, 5, 8, 8, 8]
    assert store.commands.retry(of, {State.FAILED}).changed == [ids[1]]
    assert sorted(store.commands.cancel(of).changed) == sorted(ids[1:])
    assert sorted(store.commands.retry(of).changed) == sorted(ids)
    assert queries.counts(sweep_id) == {State.QUEUED: 5}
    assert [event.reason for event in queries.events(other)] == ["submitted"]


def test_terms_do_not_change_the_key(store: Store, queries: Queries) -> None:
    """Given one spec on two terms, I expect the same key in both rows: the picture is the same."""
    first, second = new_job(), dataclasses.replace(new_job(), terms=Terms(priority=9, label="night", device="gpu"))
    jobs = queries.jobs(store.submissions.create([first, second]))
    assert jobs[0].spec_key == jobs[1].spec_key
    assert [(job.priority, job.device, job.label) for job in jobs] == [(5, "auto", ""), (9, "gpu", "night")]


COMMANDS = ("cancel", "pause", "resume", "retry")
MOVES = st.lists(
    st.sampled_from(["claim", "finish", "fail", "release", "expire", "stop", "late", *COMMANDS]), max_size=14
)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(moves=MOVES)
def test_whatever_happens_to_a_job_its_history_holds(store: Store, queries: Queries, moves: list[str]) -> None:
    """Given any order of moves, I expect ends to stay, attempts to grow by claims, and allowed events only."""
    (job_id,) = store.submissions.create([new_job()])
    fence = Fence(job_id, 1)
    before = queries.job(job_id)
    for move in moves:
        if (
            move == "claim"
            and (job := store.attempts.claim(job_id, f"w{len(queries.events(job_id))}", lease=0)) is not None
        ):
            fence = Fence(job.id, job.attempt)
        elif move == "expire":
            time.sleep(0.002)
            store.maintenance.requeue_expired()
        elif move in COMMANDS:
            getattr(store.commands, move)(JobSelector(job=job_id))
        else:
            _write(store, move, fence)
        job = queries.job(job_id)
        assert job.attempt - before.attempt == (move == "claim" and before.state == State.QUEUED)
        if State(before.state).final and move != "retry":
            assert (job.state, result_of(job)) == (before.state, result_of(before))
        assert (job.result is not None) == (job.state == State.DONE)
        before = job
    history = queries.events(job_id)
    assert history[-1].state == before.state
    for last, event in pairwise(history):
        assert any(last.state in sources and event.state == target for sources, target in ALLOWED.values())
        assert event.attempt >= last.attempt


def _write(store: Store, move: str, fence: Fence) -> None:
    if move == "finish":
        store.attempts.finish(fence, RESULT, {})
    elif move == "fail":
        store.attempts.fail(fence, InvalidImage("no"), {})
    elif move == "release":
        store.attempts.release(fence, "let go", {})
    elif move == "stop":
        store.attempts.confirm_cancel(fence, {})
    elif move == "late":
        assert not store.attempts.finish(Fence(fence.job_id, fence.attempt - 1), RESULT, {})
