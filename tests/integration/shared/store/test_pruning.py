"""Pruning what is over, on SQLite and on PostgreSQL."""

from __future__ import annotations

import dataclasses
from datetime import UTC, datetime

import pytest
from sqlalchemy import Engine, update
from sqlalchemy.orm import Session

from stylefarm.shared.blobs.storage import FolderBlobs
from stylefarm.shared.db.records import Deletion, JobSelector
from stylefarm.shared.db.states import State
from stylefarm.shared.db.tables import JobRow
from stylefarm.shared.dispatch.dropped import DroppedObjects
from stylefarm.shared.dispatch.orphans import Orphans
from stylefarm.shared.dispatch.weights import NewWeights, WeightsRegistry
from stylefarm.shared.errors import ServiceUnavailable
from stylefarm.shared.queries.jobs import Queries
from stylefarm.shared.spec.terms import Terms
from stylefarm.shared.store import Store
from tests.integration.jobs import new_job
from tests.integration.shared.store.deleted import OLD, age, cells, rendered, rows, submitted


def test_what_is_over_is_pruned(engine: Engine, store: Store, queries: Queries, blobs: FolderBlobs) -> None:
    """Given old and new sweeps and jobs, if they are pruned, I expect the old ones gone but for what a new one shares.

    And a dry run to have counted the same, and deleted nothing.
    """
    dropped = DroppedObjects(engine, blobs)
    old, lasting = submitted(store, "old", 1, 2), submitted(store, "lasting", 3, 4)
    (alone,) = store.submissions.create(cells(5))
    (shared,) = store.submissions.create(cells(6, content="sha256:" + "c" * 64))
    sharing = store.submissions.submit_sweep("sharing", {}, cells(6, content="sha256:" + "c" * 64))
    (awaited,) = store.submissions.create(cells(8))
    (waiting,) = store.submissions.create([dataclasses.replace(new_job(seed=9), terms=Terms(after=(awaited,)))])
    store.commands.pause(JobSelector(job=waiting))
    for job_id in (*old.ids, lasting.ids[0], alone, shared):
        rendered(store, blobs, job_id)
    for job_id in (lasting.ids[1], awaited):
        store.commands.cancel(JobSelector(job=job_id))
    age(engine)
    young = submitted(store, "young", 2, 7)
    store.commands.retry(JobSelector(job=lasting.ids[1]))
    before = datetime.now(UTC) - OLD
    found, jobs = store.deletions.prunable(before)
    assert found == Deletion(sweeps=2, jobs=3, kept=1, objects=6, bytes=30)
    assert set(jobs) == {old.ids[0], alone, *sharing.ids}
    assert dropped.count_without(jobs) == 1, "of the inputs one content is named by nobody else"
    assert queries.job(alone).state == State.DONE
    assert store.deletions.prune(before) == found
    left = {job.id for job in queries.jobs([*old.ids, *lasting.ids, alone, shared, awaited, waiting])}
    assert left == {old.ids[1], *lasting.ids, awaited, waiting}
    assert [job.id for job in queries.sweep_jobs(young.sweep_id)] == list(young.ids)
    assert store.deletions.prune(before) == Deletion()


def test_many_jobs_are_pruned(engine: Engine, store: Store) -> None:
    """Given more jobs than one statement takes, of a sweep and alone, I expect all of them gone."""
    sweep = submitted(store, "", *range(1200))
    store.submissions.create(cells(*range(2000, 3100)))
    store.commands.cancel(JobSelector(sweep=sweep.sweep_id))
    with Session(engine) as session:
        session.execute(update(JobRow).values(state=State.CANCELLED))
        session.commit()
    age(engine)
    assert store.deletions.prune(datetime.now(UTC) - OLD) == Deletion(sweeps=1, jobs=2300)
    assert set(rows(engine)) == {"dropped_objects"}


def test_weights_that_were_replaced_go_when_no_job_names_them(engine: Engine, store: Store, blobs: FolderBlobs) -> None:
    """Given registered weights that a job names, if they are replaced, I expect the file until the job is deleted."""
    registry, dropped = WeightsRegistry(engine), DroppedObjects(engine, blobs)
    for digest in ("d" * 64, "e" * 64):
        blobs.put(f"weights/{digest}", b"x", "application/octet-stream")
        registry.add(NewWeights("caffe", digest, "vgg19", "a file", 1), replace=True)
        if digest[0] == "d":
            (job_id,) = store.submissions.create([new_job(features="vgg19", weights="sha256:" + digest)])
        dropped.delete(grace=0)
    assert set(blobs.keys("weights/")) == {"weights/" + "d" * 64, "weights/" + "e" * 64}
    store.deletions.delete([job_id])
    dropped.delete(grace=0)
    assert set(blobs.keys("weights/")) == {"weights/" + "e" * 64}


def test_an_interrupted_deletion_is_finished_later(
    engine: Engine, store: Store, blobs: FolderBlobs, dropped: DroppedObjects, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Given an object store that goes away during a deletion, if orphans are swept later, I expect all of it gone."""
    (job_id,) = store.submissions.create(cells(1))
    rendered(store, blobs, job_id)
    store.deletions.delete([job_id])

    def away(_key: str) -> None:
        raise ServiceUnavailable("the store does not answer")

    with monkeypatch.context() as context, pytest.raises(ServiceUnavailable):
        context.setattr(blobs, "delete", away)
        dropped.delete(grace=3600)
    assert len(list(blobs.keys(""))) == 4
    assert Orphans(engine, blobs).delete() == 2
    assert list(blobs.keys("")) == []


def test_picks_outlast_a_pruning(engine: Engine, store: Store, queries: Queries, blobs: FolderBlobs) -> None:
    """Given old sweeps and jobs, of which some are picked, if they are pruned, I expect picks to stay."""
    picked, plain = submitted(store, "picked", 1, 2, 3), submitted(store, "plain", 4)
    alone = store.submissions.create(cells(5, 6))
    for job_id in (*picked.ids, *plain.ids, *alone):
        rendered(store, blobs, job_id)
    store.reviews.rate("ada", {picked.ids[1]: {"flag": "pick"}, alone[0]: {"flag": "pick"}, alone[1]: {"stars": 5}})
    store.reviews.rate("bob", {plain.ids[0]: {"flag": "reject"}})
    age(engine)
    before = datetime.now(UTC) - OLD
    found, _ = store.deletions.prunable(before, keep_picks=True)
    assert (found.sweeps, found.jobs) == (1, 4)
    assert store.deletions.prune(before, keep_picks=True) == found
    assert [job.id for job in queries.sweep_jobs(picked.sweep_id)] == [picked.ids[1]]
    assert {job.id for job in queries.jobs([*picked.ids, *plain.ids, *alone])} == {picked.ids[1], alone[0]}
    assert store.deletions.prune(before, keep_picks=True) == Deletion()
    assert store.deletions.prune(before).jobs == 2
