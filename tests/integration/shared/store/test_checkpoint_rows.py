"""What the database keeps of a job that is gone on with, on SQLite and on PostgreSQL."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy import Engine

from stylefarm.shared.blobs.storage import FolderBlobs
from stylefarm.shared.db.records import Checkpoint, Fence, JobSelector, LossPoint, NewJob, StoredObject
from stylefarm.shared.db.states import State
from stylefarm.shared.db.tables import JobRow
from stylefarm.shared.dispatch.orphans import Orphans
from stylefarm.shared.errors import InvalidImage
from stylefarm.shared.queries.jobs import Queries
from stylefarm.shared.spec.spec import JobSpec
from stylefarm.shared.store import Store
from tests.integration.jobs import RESULT, claimed


def rendered(store: Store, steps: int = 5) -> Fence:
    """A job at work, with a curve and snapshots up to some step."""
    spec = JobSpec(content="sha256:" + "a" * 64, style=("sha256:" + "b" * 64,), size=64, learning_rate=1.0)
    (job_id,) = store.submissions.create([NewJob(spec, "a.png", "s.png")])
    fence = claimed(store, job_id)
    assert store.attempts.record_losses(fence, [LossPoint(i, (3.0, 1.0, 1.5, 0.5)) for i in range(steps + 1)])
    for step in range(1, steps + 1):
        assert store.attempts.add_snapshot(fence, step, StoredObject(f"jobs/{job_id}/1/{step}", "1" * 64, 5))
    return fence


def checkpoint(fence: Fence, iteration: int = 3) -> Checkpoint:
    key = f"jobs/{fence.job_id}/{fence.attempt}/checkpoint-{iteration}.safetensors"
    return Checkpoint(StoredObject(key, "2" * 64, 7), iteration, fence.attempt)


def kept(queries: Queries, job_id: str) -> tuple[list[int], list[int]]:
    """The iterations of the curve, and of the snapshots."""
    return [row.iteration for row in queries.losses(job_id)], [row.iteration for row in queries.snapshots(job_id)]


def named(queries: Queries, job_id: str) -> Checkpoint | None:
    job: JobRow = queries.job(job_id)
    return Checkpoint.of(job)


def test_the_next_attempt_keeps_what_comes_before_the_checkpoint(store: Store, queries: Queries) -> None:
    """Given a curve past its checkpoint, if the job is claimed again, I expect what comes after that gone alone."""
    fence = rendered(store)
    assert all(store.checkpoints.save(fence, checkpoint(fence)) for _ in range(2))
    assert store.attempts.release(fence, "stopped", {})
    second = claimed(store, fence.job_id)
    assert kept(queries, fence.job_id) == ([0, 1, 2, 3], [1, 2, 3])
    assert queries.job(fence.job_id).iteration == 3
    assert named(queries, fence.job_id) == checkpoint(fence)
    assert store.attempts.record_losses(second, [LossPoint(i, (3.0, 1.0, 1.5, 0.5)) for i in (3, 4)])
    assert kept(queries, fence.job_id)[0] == [0, 1, 2, 3, 4]


def test_an_older_attempt_names_no_checkpoint(store: Store, queries: Queries) -> None:
    """Given a job that was claimed again, if its first worker names or forgets a checkpoint, I expect a refusal."""
    first = rendered(store)
    assert store.attempts.release(first, "stopped", {})
    second = claimed(store, first.job_id)
    assert store.checkpoints.save(second, checkpoint(second))
    assert not store.checkpoints.save(first, checkpoint(first, 5))
    assert not store.checkpoints.discard(first, "no")
    assert named(queries, first.job_id) == checkpoint(second)


def test_a_checkpoint_that_cannot_be_used_is_forgotten(store: Store, queries: Queries) -> None:
    """Given a job that goes on from a checkpoint, if it is passed over, I expect nothing kept, and an event."""
    first = rendered(store)
    store.checkpoints.save(first, checkpoint(first))
    store.attempts.release(first, "stopped", {})
    second = claimed(store, first.job_id)
    assert store.checkpoints.discard(second, "it is damaged")
    job = queries.job(first.job_id)
    assert (job.state, job.iteration, Checkpoint.of(job)) == (State.RUNNING, 0, None)
    assert kept(queries, first.job_id) == ([], [])
    assert queries.events(first.job_id)[-1].reason == "begun afresh: it is damaged"


@pytest.mark.parametrize("from_checkpoint", [False, True])
@pytest.mark.parametrize("end", ["failed", "cancelled", "done"])
def test_a_retry_begins_afresh_unless_it_is_asked_otherwise(
    store: Store, queries: Queries, end: str, from_checkpoint: bool
) -> None:
    """Given a job that has ended, if it is retried, I expect its checkpoint used if asked for; a done one has none."""
    fence = rendered(store)
    store.checkpoints.save(fence, checkpoint(fence))
    if end == "failed":
        store.attempts.fail(fence, InvalidImage("no"), {})
    elif end == "cancelled":
        store.commands.cancel(JobSelector(job=fence.job_id))
        store.attempts.confirm_cancel(fence, {})
    else:
        store.attempts.finish(fence, RESULT, {})
    assert (named(queries, fence.job_id) is None) == (end == "done")
    assert store.commands.retry(JobSelector(job=fence.job_id), from_checkpoint=from_checkpoint)
    reason = queries.events(fence.job_id)[-1].reason
    assert reason.endswith("from its checkpoint if it has one") == from_checkpoint
    claimed(store, fence.job_id)
    goes_on = from_checkpoint and end != "done"
    assert named(queries, fence.job_id) == (checkpoint(fence) if goes_on else None)
    assert kept(queries, fence.job_id) == (([0, 1, 2, 3], [1, 2, 3]) if goes_on else ([], []))


def test_a_checkpoint_is_swept_once_nobody_names_it(engine: Engine, store: Store, tmp_path: Path) -> None:
    """Given a cancelled job's checkpoint, I expect it to stay; if the job is retried afresh, to be swept."""
    fence, blobs = rendered(store, steps=1), FolderBlobs(tmp_path / "blobs")
    key = checkpoint(fence).stored.key
    blobs.put(key, b"x", "application/octet-stream")
    store.checkpoints.save(fence, checkpoint(fence))
    store.commands.cancel(JobSelector(job=fence.job_id))
    store.attempts.confirm_cancel(fence, {})
    orphans = Orphans(engine, blobs)
    assert orphans.delete(grace=-60) == 0
    store.commands.retry(JobSelector(job=fence.job_id))
    assert orphans.delete(grace=-60) == 1
    assert not blobs.exists(key)
