"""Submitting what was submitted before, on SQLite and on PostgreSQL."""

from __future__ import annotations

import dataclasses
import itertools
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import update

from stylefarm.shared.db.records import JobSelector, NewJob, Submission
from stylefarm.shared.db.states import State
from stylefarm.shared.db.tables import JobRow
from stylefarm.shared.errors import InvalidImage
from stylefarm.shared.queries.jobs import Queries
from stylefarm.shared.queries.sweeps import SweepReads
from stylefarm.shared.spec.spec import JobSpec
from stylefarm.shared.spec.terms import Terms
from stylefarm.shared.store import Store
from tests.integration.jobs import RESULT, claimed


def cells(*seeds: int, world: int = 0) -> list[NewJob]:
    content, style = "sha256:" + "a" * 64, ("sha256:" + "b" * 64,)
    spec = JobSpec(content=content, style=style, size=64, learning_rate=1.0, features_seed=world)
    return [NewJob(spec.model_copy(update={"seed": n}), "a.png", "s.png", cell={"seed": n}) for n in seeds]


def submitted(store: Store, *seeds: int, name: str = "", force: bool = False) -> Submission:
    return store.submissions.submit_sweep(name, {"seed": list(seeds)}, cells(*seeds), force=force)


def test_the_same_sweep_is_found_again(store: Store, queries: Queries) -> None:
    """Given a sweep, if it is submitted again, I expect its id and its jobs, and nothing queued."""
    first = submitted(store, 1, 2, 3)
    assert first.queued == set(first.ids)
    again = submitted(store, 1, 2, 3)
    assert again == Submission(first.sweep_id, first.ids, frozenset(), new=False)
    assert queries.counts(first.sweep_id) == {State.QUEUED: 3}


def test_another_name_is_another_sweep_of_the_same_jobs(store: Store, queries: Queries) -> None:
    """Given a sweep, if it is submitted under another name, I expect another sweep that shares all of its jobs."""
    first = submitted(store, 1, 2)
    other = submitted(store, 1, 2, name="other")
    assert other.sweep_id != first.sweep_id
    assert (list(other.ids), other.queued) == (list(first.ids), frozenset())
    assert {job.sweep_id for job in queries.sweep_jobs(other.sweep_id)} == {first.sweep_id}
    assert queries.counts(other.sweep_id) == {State.QUEUED: 2}


def test_a_longer_axis_queues_the_new_cells_alone(store: Store, queries: Queries) -> None:
    """Given a sweep, if its axis is extended at both ends, I expect the new cells queued, and all of them in order."""
    first = submitted(store, 2, 3)
    store.attempts.finish(claimed(store, first.ids[0]), RESULT, {})
    longer = submitted(store, 1, 2, 3, 4)
    assert list(longer.ids[1:3]) == list(first.ids)
    assert longer.queued == {longer.ids[0], longer.ids[3]}
    jobs = queries.sweep_jobs(longer.sweep_id)
    assert [job.cell["seed"] for job in jobs] == [1, 2, 3, 4]
    assert [job.position for job in jobs] == [0, 1, 2, 3]
    assert queries.counts(longer.sweep_id) == {State.QUEUED: 3, State.DONE: 1}
    changes = queries.changed(longer.sweep_id)
    assert sorted((change.position, change.id) for change in changes.jobs) == list(enumerate(longer.ids))


def test_a_cell_that_a_growing_sweep_shares_is_told_as_a_change(store: Store, queries: Queries) -> None:
    """Given a cursor of a sweep that grows, if a cell comes to it whose job is old, I expect it after the cursor."""
    first = submitted(store, 1, 2)
    store.attempts.finish(claimed(store, first.ids[0]), RESULT, {})
    grown = store.submissions.open_sweep("a key", "search")
    store.submissions.extend_sweep(grown, {"seed": [2]}, cells(2))
    with store.engine.begin() as connection:
        connection.execute(update(JobRow).values(updated_at=datetime(2020, 1, 1, tzinfo=UTC)))
    cursor = queries.changed(grown).cursor
    store.submissions.extend_sweep(grown, {"seed": [1, 2, 3]}, cells(1, 3))
    changed = queries.changed(grown, cursor).jobs
    assert {(change.position, str(change.state)) for change in changed} == {(1, "done"), (2, "queued")}


def test_cells_of_one_picture_are_one_job(store: Store, queries: Queries) -> None:
    """Given two cells that ask for the same picture, I expect one job in both, each with its own values."""
    jobs = [dataclasses.replace(job, cell={"size": size}) for job, size in zip(cells(1, 1), ("auto", 64), strict=True)]
    stored = store.submissions.submit_sweep("", {"size": ["auto", 64]}, jobs)
    assert stored.ids[0] == stored.ids[1]
    assert stored.queued == {stored.ids[0]}
    assert [job.cell["size"] for job in queries.sweep_jobs(stored.sweep_id)] == ["auto", 64]


def test_a_sweep_that_is_there_gets_the_given_terms(store: Store, queries: Queries) -> None:
    """Given a sweep of a done and a queued job, if it is asked for with other terms, some of them given, I expect these
    and the limit on the queued job, the others kept, and nothing of the done one changed."""
    first = submitted(store, 1, 2)
    store.attempts.finish(claimed(store, first.ids[0]), RESULT, {})
    wanted = [dataclasses.replace(cell, terms=Terms(priority=9, time_limit=600, label="night")) for cell in cells(1, 2)]
    given = {"priority": 9, "label": "night"}
    again = store.submissions.submit_sweep("", {"seed": [1, 2]}, wanted, 3, given=given)
    assert again == Submission(first.sweep_id, first.ids, frozenset(), new=False)
    done, waiting = queries.sweep_jobs(first.sweep_id)
    assert (done.priority, waiting.priority) == (Terms().priority, 9)
    assert (waiting.time_limit, waiting.label) == (None, "")
    assert queries.sweep(first.sweep_id).max_running == 3
    assert SweepReads(queries.engine).unfinished_terms(first.sweep_id) == [(Terms(priority=9), 1)]
    submitted(store, 1, 2)
    assert queries.sweep(first.sweep_id).max_running == 3


def test_force_queues_everything_anew(store: Store, queries: Queries) -> None:
    """Given a sweep, if it is submitted anew, I expect new jobs in a new sweep, which is the one that is found then."""
    first = submitted(store, 1, 2)
    forced = submitted(store, 1, 2, force=True)
    assert forced.sweep_id != first.sweep_id
    assert forced.queued == set(forced.ids)
    assert not set(forced.ids) & set(first.ids)
    assert submitted(store, 1, 2) == Submission(forced.sweep_id, forced.ids, frozenset(), new=False)


def test_what_was_lost_is_queued_again(store: Store, queries: Queries) -> None:
    """Given a failed and a cancelled job, if their sweep is submitted again, I expect these two queued again."""
    first = submitted(store, 1, 2, 3)
    store.attempts.fail(claimed(store, first.ids[0]), InvalidImage("no"), {})
    store.commands.cancel(JobSelector(job=first.ids[1]))
    again = submitted(store, 1, 2, 3)
    assert list(again.ids) == list(first.ids)
    assert again.queued == set(first.ids[:2])
    assert queries.counts(first.sweep_id) == {State.QUEUED: 3}
    assert queries.events(first.ids[1])[-1].reason == "asked for again"


def test_what_is_being_cancelled_is_asked_for_again(store: Store, queries: Queries) -> None:
    """Given a running job that is to be cancelled, if its sweep is submitted again, I expect it queued once stopped."""
    first = submitted(store, 1, 2)
    fence = claimed(store, first.ids[0])
    store.commands.cancel(JobSelector(sweep=first.sweep_id))
    again = submitted(store, 1, 2)
    assert list(again.ids) == list(first.ids)
    assert again.queued == {first.ids[1]}
    assert store.attempts.confirm_cancel(fence, {}), (
        "its worker has heard that it is to stop, and not that it is to go on"
    )
    assert store.attempts.confirm_cancel(fence, {}), "the answer got lost"
    assert queries.counts(first.sweep_id) == {State.QUEUED: 2}
    assert [attempt.outcome for attempt in queries.attempts(first.ids[0])] == ["released"]


def test_a_shared_job_that_is_being_cancelled_is_replaced(store: Store, queries: Queries) -> None:
    """Given a sweep whose shared job is to be cancelled, if it is submitted again, I expect a job of its own there."""
    older = submitted(store, 1)
    sharing = submitted(store, 1, 2)
    claimed(store, older.ids[0])
    store.commands.cancel(JobSelector(sweep=older.sweep_id))
    again = submitted(store, 1, 2)
    assert again.queued == {again.ids[0]}
    assert {job.sweep_id for job in queries.sweep_jobs(sharing.sweep_id)} == {sharing.sweep_id}


def test_a_lost_job_of_another_sweep_is_replaced(store: Store, queries: Queries) -> None:
    """Given a sweep that shares a job, if that is cancelled and the sweep submitted again, I expect one of its own."""
    older = submitted(store, 1)
    sharing = submitted(store, 1, 2)
    store.commands.cancel(JobSelector(sweep=older.sweep_id))
    again = submitted(store, 1, 2)
    assert again.sweep_id == sharing.sweep_id
    assert again.ids[0] != older.ids[0]
    assert again.queued == {again.ids[0]}
    assert [job.id for job in queries.sweep_jobs(sharing.sweep_id)] == list(again.ids)
    assert {job.sweep_id for job in queries.sweep_jobs(sharing.sweep_id)} == {sharing.sweep_id}


def test_a_shared_job_is_managed_by_its_own_sweep(store: Store, queries: Queries) -> None:
    """Given a sweep that shares a job, if it is cancelled, I expect the shared job to stay queued."""
    older = submitted(store, 1)
    sharing = submitted(store, 1, 2)
    assert store.commands.cancel(JobSelector(sweep=sharing.sweep_id)).changed == [sharing.ids[1]]
    assert queries.job(older.ids[0]).state == State.QUEUED


def test_many_submit_the_same_at_once(store: Store, queries: Queries) -> None:
    """Given six submissions of one sweep at the same moment, I expect one sweep, with each of its jobs once."""
    together = threading.Barrier(6)

    def submit(_number: int) -> Submission:
        together.wait()
        return submitted(store, *range(50))

    with ThreadPoolExecutor(6) as pool:
        done = list(pool.map(submit, range(6)))
    assert {found.sweep_id for found in done} == {done[0].sweep_id}
    assert sorted(len(found.queued) for found in done) == [0, 0, 0, 0, 0, 50]
    assert all(list(found.ids) == list(done[0].ids) for found in done)
    assert queries.counts(done[0].sweep_id) == {State.QUEUED: 50}


def test_it_is_forced_and_submitted_again_at_once(store: Store, queries: Queries) -> None:
    """Given a sweep, if it is submitted anew by two and again by two at once, I expect what each would get alone."""
    first = submitted(store, 1, 2)
    together = threading.Barrier(4)

    def submit(number: int) -> list[Submission]:
        together.wait()
        return [submitted(store, 1, 2, force=number % 2 == 0) for _ in range(25)]

    with ThreadPoolExecutor(4) as pool:
        done = [submission for found in pool.map(submit, range(4)) for submission in found]
    forced = {found.sweep_id for found in done if found.new}
    assert len(forced) == 50
    assert {found.sweep_id for found in done if not found.new} <= {first.sweep_id, *forced}


def test_a_large_sweep_is_found_again_whole(store: Store) -> None:
    """Given more jobs than one statement takes, if they are submitted again and extended, I expect the rest queued."""
    first = submitted(store, *range(2500))
    assert submitted(store, *range(2500)).queued == frozenset()
    longer = submitted(store, *range(2600))
    assert list(longer.ids[:2500]) == list(first.ids)
    assert len(longer.queued) == 100


WORLDS = itertools.count(1)
SEEDS = st.lists(st.integers(0, 6), min_size=1, max_size=6)


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(sweeps=st.lists(SEEDS, min_size=1, max_size=5))
def test_no_picture_is_asked_for_twice(store: Store, queries: Queries, sweeps: list[list[int]]) -> None:
    """Given any sweeps one after the other, I expect a job for each picture and no more, and each cell to have it."""
    world = next(WORLDS)  # the database is the same for all examples
    known: dict[int, str] = {}
    for seeds in sweeps:
        jobs = cells(*seeds, world=world)
        stored = store.submissions.submit_sweep("", {"seed": seeds}, jobs)
        assert stored.queued == {job_id for seed, job_id in zip(seeds, stored.ids, strict=True) if seed not in known}
        for seed, job_id in zip(seeds, stored.ids, strict=True):
            assert known.setdefault(seed, job_id) == job_id
        assert [job.id for job in queries.sweep_jobs(stored.sweep_id)] == list(stored.ids)
        assert [job.cell["seed"] for job in queries.sweep_jobs(stored.sweep_id)] == seeds
        again = store.submissions.submit_sweep("", {"seed": seeds}, jobs)
        assert again == Submission(stored.sweep_id, stored.ids, frozenset(), new=False)
    assert len(set(known.values())) == len(known)
