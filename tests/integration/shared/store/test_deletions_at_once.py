"""Deletions while others submit, claim and delete, on SQLite and on PostgreSQL."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, func, select, update
from sqlalchemy.orm import Session

from stylefarm.shared.blobs.storage import FolderBlobs
from stylefarm.shared.db.clock import now
from stylefarm.shared.db.object_tables import HeldObjectRow
from stylefarm.shared.db.records import Deletion
from stylefarm.shared.db.states import State
from stylefarm.shared.dispatch.dropped import DroppedObjects
from stylefarm.shared.errors import InvalidRequest, StorageFull
from stylefarm.shared.queries.jobs import Queries
from stylefarm.shared.store import Store, submissions
from tests.integration.shared.store.deleted import CONTENT, STYLE, cells, rows, submitted


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
    began = time.monotonic()
    over = threading.Event()
    gone: list[int] = []

    def goes_on(count: int) -> bool:
        """For some seconds, and on a busy machine until something was tried."""
        passed = time.monotonic() - began
        return passed < 4 or (passed < 60 and (count < 2 or not any(gone)))

    def submit(number: int) -> int:
        count = 0
        while goes_on(count):
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

    def sweep() -> None:
        objects = DroppedObjects(engine, blobs)
        while not over.is_set():
            gone.append(objects.delete(grace=0))

    with ThreadPoolExecutor(4) as pool:
        sweeping = [pool.submit(sweep) for _ in range(2)]
        try:
            counts = list(pool.map(submit, range(2)))
        finally:
            over.set()
        for one in sweeping:
            one.result()
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
