"""Deleting jobs and sweeps, and pruning what is over, on SQLite and on PostgreSQL."""

from __future__ import annotations

import dataclasses
import random
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, func, select, update
from sqlalchemy.orm import Session

from stylefarm.shared.blobs.storage import FolderBlobs, store_object
from stylefarm.shared.db.clock import now
from stylefarm.shared.db.object_tables import HeldObjectRow
from stylefarm.shared.db.records import Deletion, JobSelector, LossPoint, NewJob, Submission
from stylefarm.shared.db.states import State
from stylefarm.shared.db.tables import METADATA, JobRow, SweepRow
from stylefarm.shared.dispatch.dropped import DroppedObjects
from stylefarm.shared.dispatch.orphans import Orphans
from stylefarm.shared.dispatch.weights import NewWeights, WeightsRegistry
from stylefarm.shared.errors import InvalidRequest, NotFound, ServiceUnavailable, StorageFull
from stylefarm.shared.queries.jobs import Queries
from stylefarm.shared.spec.terms import Terms
from stylefarm.shared.store import Store, submissions
from tests.integration.jobs import claimed, new_job

OLD = timedelta(days=30)
CONTENT, STYLE = "a" * 64, "b" * 64


@pytest.fixture
def blobs(tmp_path: Path) -> FolderBlobs:
    return FolderBlobs(tmp_path / "objects")


@pytest.fixture
def dropped(engine: Engine, blobs: FolderBlobs) -> DroppedObjects:
    for digest in (CONTENT, STYLE):
        blobs.put(f"inputs/{digest}", b"x", "image/png")
    return DroppedObjects(engine, blobs)


def cells(*seeds: int, **changes: object) -> list[NewJob]:
    return [dataclasses.replace(new_job(seed=seed, **changes), cell={"seed": seed}) for seed in seeds]


def submitted(store: Store, name: str, *seeds: int) -> Submission:
    return store.submissions.submit_sweep(name, {"seed": list(seeds)}, cells(*seeds))


def rendered(store: Store, blobs: FolderBlobs, job_id: str) -> None:
    """Bring a job to its end, with a snapshot, a curve and a result."""
    fence = claimed(store, job_id)
    folder = f"jobs/{job_id}/{fence.attempt}"
    store.attempts.record_losses(fence, [LossPoint(0, (1.0, 1.0, 0.0, 0.0))])
    store.attempts.add_snapshot(fence, 1, store_object(blobs, f"{folder}/snapshots/000001.png", b"1234", "image/png"))
    store.attempts.finish(fence, store_object(blobs, f"{folder}/result.png", b"123456", "image/png"), {})


def age(engine: Engine, ids: list[str] | None = None) -> None:
    """Have these jobs, or all, and all sweeps, be of long ago."""
    past = now(-2 * OLD.total_seconds())
    which = JobRow.id.in_(ids) if ids is not None else JobRow.id.is_not(None)
    with Session(engine) as session:
        session.execute(update(JobRow).where(which).values(finished_at=past, created_at=past))
        session.execute(update(SweepRow).values(created_at=past))
        session.commit()


def rows(engine: Engine) -> dict[str, int]:
    """How many rows each table has that has any."""
    with Session(engine) as session:
        counts = {
            name: session.scalar(select(func.count()).select_from(table)) for name, table in METADATA.tables.items()
        }
    return {name: count for name, count in counts.items() if count}


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


def test_a_submission_under_way_keeps_what_it_will_name(
    engine: Engine, store: Store, blobs: FolderBlobs, dropped: DroppedObjects
) -> None:
    """Given a submission that has seen its pictures in the store, if their only job is deleted, I expect them kept.

    And what a submission has stored that failed, I expect to be deleted.
    """
    keys = [f"inputs/{CONTENT}", f"inputs/{STYLE}"]
    (job_id,) = store.submissions.create(cells(1))
    with store.holds.holding(keys):
        assert all(map(blobs.exists, keys))
        store.deletions.delete([job_id])
        assert dropped.delete(grace=0) == 0
        (job_id,) = store.submissions.create(cells(2))
    assert dropped.delete(grace=0) == 0
    assert set(blobs.keys("inputs/")) == set(keys)
    store.deletions.delete([job_id])
    time.sleep(0.01)
    assert dropped.delete(grace=0) == 2
    blobs.put("inputs/" + "f" * 64, b"x", "image/png")
    with pytest.raises(StorageFull), store.holds.holding(["inputs/" + "f" * 64]):
        raise StorageFull("no room for the next one")
    time.sleep(0.01)
    assert dropped.delete(grace=0) == 1
    assert list(blobs.keys("")) == []
    with Session(engine) as session:
        assert session.scalar(select(func.count()).select_from(HeldObjectRow)) == 3
        session.execute(update(HeldObjectRow).values(until=now(-2 * 86_400)))
        session.commit()
    dropped.delete(grace=0)
    assert "held_objects" not in rows(engine)


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


def test_one_deletion_does_not_make_another_forget_a_submission(
    engine: Engine, store: Store, blobs: FolderBlobs, dropped: DroppedObjects, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Given a deletion that has looked for names, if pictures are named then and another runs, I expect them kept."""
    (job_id,) = store.submissions.create(cells(1))
    store.deletions.delete([job_id])
    named = dropped._named

    def named_before_others() -> set[str]:
        found = named()
        with store.holds.holding([f"inputs/{CONTENT}", f"inputs/{STYLE}"]):
            store.submissions.create(cells(2))
        time.sleep(0.01)
        DroppedObjects(engine, blobs).delete(grace=0)
        return found

    monkeypatch.setattr(dropped, "_named", named_before_others)
    assert dropped.delete(grace=0) == 0
    assert len(list(blobs.keys("inputs/"))) == 2


class SlowBlobs(FolderBlobs):
    """Takes its time before it answers whether something is there, and then again."""

    def exists(self, key: str) -> bool:
        there = super().exists(key)
        time.sleep(0.002)
        return there


def test_many_submit_and_delete_the_same_pictures_at_once(engine: Engine, store: Store, tmp_path: Path) -> None:
    """Given programs that submit jobs of the same pictures and delete them, I expect no job without its pictures.

    Each looks whether they are there before it stores them, as submissions do.
    """
    blobs = SlowBlobs(tmp_path / "shared")
    keys = [f"inputs/{CONTENT}", f"inputs/{STYLE}"]
    until = time.monotonic() + 4
    over = threading.Event()

    def submit(number: int) -> int:
        count = 0
        while time.monotonic() < until:
            with store.holds.holding(keys):
                for key in keys:
                    if not blobs.exists(key):
                        blobs.put(key, b"x", "image/png")
                (job_id,) = store.submissions.create(cells(number))
            assert all(map(blobs.exists, keys)), f"after {count} jobs"
            store.deletions.delete([job_id])
            count += 1
            # Now and then nobody wants them, so that they are deleted.
            time.sleep(0.2 * random.random())
        return count

    def sweep() -> int:
        gone, objects = 0, DroppedObjects(engine, blobs)
        while not over.is_set():
            gone += objects.delete(grace=0)
        return gone

    with ThreadPoolExecutor(4) as pool:
        sweeping = [pool.submit(sweep) for _ in range(2)]
        try:
            counts = list(pool.map(submit, range(2)))
        finally:
            over.set()
        gone = [one.result() for one in sweeping]
    assert min(counts) > 1
    assert sum(gone) > 0, "nothing was ever deleted: the test tries nothing"


def begun(pool: ThreadPoolExecutor, work: Callable[[], Any]) -> Future[Any]:
    """Begin a work, and return when it has ended, or most likely waits for a lock."""
    future = pool.submit(work)
    wait([future], timeout=0.5)
    return future


def test_a_sweep_comes_to_share_jobs_that_are_being_deleted(
    store: Store, queries: Queries, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Given a submission that has found jobs to share, if their sweep is deleted at that moment, I expect them kept."""
    older = submitted(store, "older", 1, 2, 3)
    fill, done = submissions._fill, []
    with ThreadPoolExecutor(1) as pool:

        def filled(*arguments: Any) -> Any:
            done.append(begun(pool, lambda: store.deletions.delete(sweeps=[older.sweep_id])))
            return fill(*arguments)

        monkeypatch.setattr(submissions, "_fill", filled)
        sharing = submitted(store, "sharing", 2, 3, 4)
        assert done[0].result() == Deletion(sweeps=1, jobs=1, kept=2)
    assert list(sharing.ids[:2]) == list(older.ids[1:])
    jobs = queries.sweep_jobs(sharing.sweep_id)
    assert [(job.id, job.sweep_id) for job in jobs] == [(job_id, sharing.sweep_id) for job_id in sharing.ids]


def test_a_submission_does_not_see_what_is_being_deleted(
    engine: Engine, store: Store, blobs: FolderBlobs, dropped: DroppedObjects, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Given pictures that are being deleted, if a submission looks for them then, I expect them gone for it."""
    (job_id,) = store.submissions.create(cells(1))
    store.deletions.delete([job_id])
    keys = [f"inputs/{CONTENT}", f"inputs/{STYLE}"]
    delete = blobs.delete
    looked: list[Future[Any]] = []

    def look() -> list[bool]:
        with store.holds.holding(keys):
            return [blobs.exists(key) for key in keys]

    with ThreadPoolExecutor(1) as pool:

        def deleted(key: str) -> None:
            if key == keys[0]:
                looked.append(begun(pool, look))
            delete(key)

        monkeypatch.setattr(blobs, "delete", deleted)
        assert dropped.delete(grace=0) == 2
        assert [one.result() for one in looked] == [[False, False]]


def test_jobs_are_claimed_while_they_are_deleted(store: Store, queries: Queries) -> None:
    """Given queued jobs, if one claims them while another deletes them, I expect each to run or to be gone."""
    ids = store.submissions.create(cells(*range(60)))
    together = threading.Barrier(2)

    def claim() -> set[str]:
        together.wait()
        return {job_id for job_id in ids if store.attempts.claim(job_id, "w") is not None}

    def delete() -> set[str]:
        together.wait()
        gone = set()
        for job_id in reversed(ids):
            try:
                store.deletions.delete([job_id])
            except InvalidRequest:
                continue
            gone.add(job_id)
        return gone

    with ThreadPoolExecutor(2) as pool:
        claiming, deleting = pool.submit(claim), pool.submit(delete)
        running, gone = claiming.result(), deleting.result()
    assert running | gone == set(ids)
    assert not running & gone
    assert {job.id for job in queries.jobs(ids) if job.state == State.RUNNING} == running


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
