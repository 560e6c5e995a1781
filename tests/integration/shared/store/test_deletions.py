"""Deleting jobs and sweeps, on SQLite and on PostgreSQL."""

from __future__ import annotations

import dataclasses
import time

import pytest
from sqlalchemy import Engine

from stylefarm.shared.blobs.storage import FolderBlobs
from stylefarm.shared.db.records import Deletion, JobSelector
from stylefarm.shared.db.states import State
from stylefarm.shared.dispatch.dropped import DroppedObjects
from stylefarm.shared.errors import InvalidRequest, NotFound
from stylefarm.shared.queries.jobs import Queries
from stylefarm.shared.spec.terms import Terms
from stylefarm.shared.store import Store
from tests.integration.jobs import claimed, new_job
from tests.integration.shared.store.deleted import CONTENT, STYLE, cells, rendered, rows, submitted


def test_a_job_goes_with_all_that_is_its(
    engine: Engine, store: Store, blobs: FolderBlobs, dropped: DroppedObjects
) -> None:
    """Given two done jobs of one picture, if both are deleted, I expect rows and objects gone, then inputs."""
    first, second = store.submissions.create(cells(1, 2))
    for job_id in (first, second):
        rendered(store, blobs, job_id)
    assert store.deletions.delete([first]) == Deletion(jobs=1, objects=2, bytes=10)
    assert dropped.delete(grace=3600) == 0, "the other job names the same pictures"
    assert set(blobs.keys("")) == {
        f"inputs/{CONTENT}",
        f"inputs/{STYLE}",
        f"jobs/{second}/1/result.png",
        f"jobs/{second}/1/snapshots/000001.png",
    }
    store.deletions.delete([second])
    assert dropped.delete(grace=3600) == 2
    assert list(blobs.keys("")) == []
    assert not list((blobs.root / "jobs").iterdir()), "folders stay behind"
    # What a worker uploads that had lost a job is found later.
    blobs.put(f"jobs/{first}/1/result.png", b"late", "image/png")
    time.sleep(0.01)
    dropped.delete(grace=0)
    assert list(blobs.keys("")) == []
    assert rows(engine) == {}


def test_a_running_job_is_refused(store: Store, queries: Queries) -> None:
    """Given a running job among others, if all are deleted, I expect a refusal, and all there; once it stopped, not."""
    sweep_id, ids = store.submissions.create_sweep("", {}, cells(1, 2, 3))
    fence = claimed(store, ids[1])
    for jobs, sweeps in ((ids, ()), ((), [sweep_id])):
        with pytest.raises(InvalidRequest, match=f"job {ids[1]} is running: cancel it first"):
            store.deletions.delete(jobs, sweeps)
    assert queries.counts(sweep_id) == {State.QUEUED: 2, State.RUNNING: 1}
    store.commands.cancel(JobSelector(sweep=sweep_id))
    with pytest.raises(InvalidRequest, match="is running"):
        store.deletions.delete(sweeps=[sweep_id])
    store.attempts.confirm_cancel(fence, {})
    assert store.deletions.delete(sweeps=[sweep_id]) == Deletion(sweeps=1, jobs=3)
    with pytest.raises(NotFound, match=f"there is no sweep {sweep_id}"):
        store.deletions.delete(sweeps=[sweep_id])
    with pytest.raises(NotFound, match=f"there is no job {ids[0]}"):
        store.deletions.delete(ids)


def test_a_job_that_others_wait_for_is_refused(store: Store, queries: Queries) -> None:
    """Given a job that another waits for, I expect it kept; both together, or the first when it is done, go."""
    (first,) = store.submissions.create(cells(1))
    (second,) = store.submissions.create([dataclasses.replace(new_job(seed=2), terms=Terms(after=(first,)))])
    with pytest.raises(InvalidRequest, match=f"job {second} waits for job {first}: cancel it first, or delete it, too"):
        store.deletions.delete([first])
    assert queries.job(second).state == State.WAITING
    assert store.deletions.delete([first, second]).jobs == 2


def test_a_shared_job_stays_with_who_shares_it(engine: Engine, store: Store, queries: Queries) -> None:
    """Given a sweep whose job two others share, if it is deleted, I expect the older one to have it as its own."""
    first = submitted(store, "first", 1, 2)
    older = submitted(store, "older", 3, 2)
    younger = submitted(store, "younger", 2, 4)
    running = claimed(store, first.ids[1])
    assert store.deletions.delete(sweeps=[first.sweep_id]) == Deletion(sweeps=1, jobs=1, kept=1)
    assert [(job.id, job.position, job.sweep_id) for job in queries.sweep_jobs(older.sweep_id)] == [
        (older.ids[0], 0, older.sweep_id),
        (first.ids[1], 1, older.sweep_id),
    ]
    assert [job.id for job in queries.sweep_jobs(younger.sweep_id)] == list(younger.ids)
    assert store.attempts.renew(running), "it runs on"
    assert store.commands.cancel(JobSelector(sweep=older.sweep_id)).requested == [first.ids[1]]
    assert rows(engine)["shared_cells"] == 1


def test_cells_whose_jobs_were_deleted_are_queued_again(store: Store, queries: Queries) -> None:
    """Given a sweep with an own and a shared job that were deleted, if it is submitted again, I expect both queued."""
    older = submitted(store, "older", 1)
    sweep = submitted(store, "", 1, 2, 3)
    store.deletions.delete([older.ids[0], sweep.ids[1]])
    assert [job.position for job in queries.sweep_jobs(sweep.sweep_id)] == [2]
    again = submitted(store, "", 1, 2, 3)
    assert (again.sweep_id, again.ids[2]) == (sweep.sweep_id, sweep.ids[2])
    assert again.queued == set(again.ids[:2])
    assert [(job.position, job.cell["seed"]) for job in queries.sweep_jobs(sweep.sweep_id)] == [(0, 1), (1, 2), (2, 3)]
    grown = store.submissions.open_sweep("grows", "grows")
    ids = store.submissions.extend_sweep(grown, {}, cells(5, 6)).ids
    store.deletions.delete([ids[0]])
    store.submissions.extend_sweep(grown, {}, cells(7))
    assert [(job.position, job.cell["seed"]) for job in queries.sweep_jobs(grown)] == [(1, 6), (2, 7)]
