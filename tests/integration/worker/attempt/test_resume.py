"""Jobs of an embedded farm that are stopped on their way, and gone on with."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import update

from stylefarm import Farm, Job, State
from stylefarm.producer.views.status import Status
from stylefarm.shared.blobs.storage import FolderBlobs
from stylefarm.shared.db import tables
from stylefarm.shared.db.records import Checkpoint
from stylefarm.shared.db.states import ArtifactRole
from stylefarm.shared.db.tables import ArtifactRow
from stylefarm.shared.errors import StorageFull
from stylefarm.shared.spec.spec import ENGINE_VERSION
from stylefarm.worker.attempt.attempt import Attempt
from stylefarm.worker.attempt.checkpoint import CheckpointSink
from stylefarm.worker.attempt.checkpoint_file import read_checkpoint, write_checkpoint
from stylefarm.worker.engine.methods.method import Progress
from stylefarm.worker.engine.optim.state import EngineState
from tests.integration.worker.attempt.held import until_named, until_stopped, until_stored
from tests.servers.processes import wait_until
from tests.weights_files import squeezenet_state, write_torch

SHALLOW: dict[str, Any] = {
    "content_layers": ["relu2_1"],
    "style_layers": ["relu1_1", "relu2_1"],
    "size": 64,
    "style_loss": "gram",
}
ITERATIONS = 40


# Jobs that wait to be paused or cancelled half-way, when they have a checkpoint: they might be done before.
HELD: set[str] = set()


@pytest.fixture
def farm(monkeypatch: pytest.MonkeyPatch) -> Iterator[Farm]:
    monkeypatch.setenv("STYLEFARM_HEARTBEAT_SECONDS", "0.05")
    # One is due at each step at which none is being uploaded.
    monkeypatch.setenv("STYLEFARM_CHECKPOINT_SECONDS", "0.000001")
    on_progress = Attempt.on_progress

    def held(attempt: Attempt, progress: Progress) -> None:
        if attempt.job.id in HELD and attempt.job.attempt == 1:
            until_stored(attempt)
            if progress.iteration == ITERATIONS // 2:
                until_named(attempt)
                until_stopped(attempt)
        on_progress(attempt, progress)

    monkeypatch.setattr(Attempt, "on_progress", held)
    with Farm() as farm:
        yield farm


@pytest.fixture
def fields(pictures: Path) -> dict[str, Any]:
    pair = {"content": str(pictures / "a.png"), "style": str(pictures / "s.png")}
    return {**pair, **SHALLOW, "iterations": ITERATIONS, "snapshot_every": 15}


class Pausing:
    """A watcher that pauses a job once it has a checkpoint, and resumes it after `meanwhile`."""

    def __init__(self, job: Job, meanwhile: Callable[[Checkpoint], None] = lambda _: None) -> None:
        HELD.add(job.id)
        self.job = job
        self.meanwhile = meanwhile
        self.asked = False
        self.checkpoint: Checkpoint | None = None

    def __call__(self, statuses: Sequence[Status]) -> None:
        found = Checkpoint.of(row_of(self.job))
        if statuses[0].state is State.RUNNING and found is not None and not self.asked:
            self.asked = self.job.pause()
        if statuses[0].state is State.PAUSED:
            assert found is not None
            self.checkpoint = found
            self.meanwhile(found)
            self.job.resume()


def row_of(job: Job) -> tables.JobRow:
    return job.farm.services.queries.job(job.id)


def checkpoints(job: Job) -> list[str]:
    return [key for key in job.farm.services.blobs.keys(f"jobs/{job.id}/") if "checkpoint" in key]


@pytest.fixture
def squeezenet(pictures: Path) -> dict[str, Any]:
    """Parameters by which a job takes SqueezeNet in place of VGG."""
    weights = str(write_torch(pictures / "squeezenet.pth", squeezenet_state()))
    layers = {"content_layers": ["fire3"], "style_layers": ["relu1", "fire3"], "min_size": None}
    return {"features": "squeezenet", "weights": weights, "style_loss": "covariance", "precision": "fp32", **layers}


@pytest.mark.parametrize("optimizer", ["lbfgs", "adam", "squeezenet"])
def test_a_paused_job_goes_on_where_it_was(
    farm: Farm, fields: dict[str, Any], optimizer: str, squeezenet: dict[str, Any]
) -> None:
    """Given a job, if it is paused and resumed, I expect the bytes, curve and snapshots of one that ran through."""
    if optimizer == "squeezenet":
        fields, optimizer = {**fields, **squeezenet}, "lbfgs"
    whole = farm.submit(**fields, optimizer=optimizer, force=True)
    expected = whole.result(timeout=120).data
    job = farm.submit(**fields, optimizer=optimizer, force=True)
    pausing = Pausing(job)
    assert job.wait(timeout=120, watch=pausing).state is State.DONE
    assert pausing.checkpoint is not None
    first, second = farm.services.queries.attempts(job.id)
    assert first.record["checkpoints"]["stored"] >= 1
    # Where it was let go, and no earlier.
    assert second.record["resumed"] == {"iteration": pausing.checkpoint.iteration, "attempt": 1}
    assert first.record["checkpoints"]["iteration"] == pausing.checkpoint.iteration
    assert job.fetch().data == expected
    assert job.losses() == whole.losses()
    assert job.losses().iteration.tolist() == list(range(ITERATIONS + 1))
    assert [snapshot.iteration for snapshot in job.snapshots()] == [15, 30]
    assert [s.fetch().data for s in job.snapshots()] == [s.fetch().data for s in whole.snapshots()]
    assert checkpoints(job) == checkpoints(whole) == []
    assert not list((farm.settings.home / "cache" / "checkpoints").iterdir())


def test_a_checkpoint_that_came_too_late_is_deleted(
    farm: Farm, fields: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Given a job that is done before it has seen that a checkpoint is stored, I expect that one deleted, too."""
    monkeypatch.setattr("stylefarm.worker.attempt.checkpoint.CheckpointSink._settle", lambda _: None)
    job = farm.submit(**fields, force=True)
    assert job.wait(timeout=120).state is State.DONE
    (attempt,) = farm.services.queries.attempts(job.id)
    assert "checkpoints" not in attempt.record, "none was named"
    wait_until(lambda: not checkpoints(job), 60)


def rewritten(farm: Farm, job: Job, **said: object) -> Callable[[Checkpoint], None]:
    """Store the checkpoint anew, whole, with something else said of it."""

    def rewrite(checkpoint: Checkpoint) -> None:
        path = farm.settings.home / "rewritten"
        farm.services.blobs.get_file(checkpoint.stored.key, path)
        with read_checkpoint(path) as (state, checkpoint_metadata):
            write_checkpoint(path.with_suffix(".new"), state, {**checkpoint_metadata, **said})
        data = path.with_suffix(".new").read_bytes()
        farm.services.blobs.put(checkpoint.stored.key, data, "application/octet-stream")
        of_job = (ArtifactRow.job_id == job.id) & (ArtifactRow.role == ArtifactRole.CHECKPOINT)
        row = update(ArtifactRow).where(of_job)
        with farm.services.engine.begin() as connection:
            connection.execute(row.values(sha256=hashlib.sha256(data).hexdigest()))

    return rewrite


@pytest.mark.parametrize(
    ("harm", "reason"),
    [
        ("missing", "the checkpoint is not in the object store"),
        ("damaged", "the checkpoint is not what was stored, it is damaged"),
        ("version", f"the checkpoint is of engine version {ENGINE_VERSION + 1}"),
        ("spec", "the checkpoint is of another spec"),
    ],
)
def test_a_checkpoint_that_cannot_be_used_is_passed_over(
    farm: Farm, fields: dict[str, Any], harm: str, reason: str
) -> None:
    """Given a paused job whose checkpoint comes to harm, if it is resumed, I expect it rendered afresh, and told."""
    job, blobs = farm.submit(**fields, force=True), farm.services.blobs
    harms: dict[str, Callable[[Checkpoint], None]] = {
        "missing": lambda found: blobs.delete(found.stored.key),
        "damaged": lambda found: blobs.put(found.stored.key, b"damaged", "application/octet-stream"),
        "version": rewritten(farm, job, engine_version=ENGINE_VERSION + 1),
        "spec": rewritten(farm, job, spec_key="0" * 64),
    }
    assert job.wait(timeout=120, watch=Pausing(job, harms[harm])).state is State.DONE
    assert f"begun afresh: {reason}" in [event.reason for event in farm.services.queries.events(job.id)]
    assert farm.services.queries.attempts(job.id)[1].record["afresh"] == reason
    assert job.losses().iteration.tolist() == list(range(ITERATIONS + 1))
    assert {snapshot.stored.key.split("/")[2] for snapshot in job.snapshots()} == {"2"}


def test_a_cancelled_job_is_tried_again_from_its_checkpoint(farm: Farm, fields: dict[str, Any]) -> None:
    """Given a job that is cancelled on its way, if it is retried from its checkpoint, I expect it to go on there."""
    expected = farm.submit(**fields, force=True).result(timeout=120).data
    job = farm.submit(**fields, force=True)
    HELD.add(job.id)

    def watch(_: Sequence[Status]) -> None:
        if Checkpoint.of(row_of(job)) is not None:
            job.cancel()

    assert job.wait(timeout=120, watch=watch).state is State.CANCELLED
    left = Checkpoint.of(row_of(job))
    assert left is not None
    # The next one may have been on its way; what nobody names is swept one day.
    assert left.stored.key in checkpoints(job)
    assert job.retry(from_checkpoint=True)
    assert job.result(timeout=120).data == expected
    assert farm.services.queries.attempts(job.id)[1].record["resumed"]["iteration"] == left.iteration
    assert left.stored.key not in checkpoints(job)


def test_a_checkpoint_that_cannot_be_stored_fails_no_job(
    farm: Farm, fields: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Given a full disk for checkpoints, if a job is rendered, I expect it done, without any."""

    def full(*_: object) -> None:
        raise StorageFull("no room")

    job = farm.submit(**fields, force=True)
    monkeypatch.setattr(FolderBlobs, "put_file", full)
    assert job.wait(timeout=120).state is State.DONE
    assert "checkpoints" not in farm.services.queries.attempts(job.id)[0].record


def test_a_checkpoint_that_is_due_while_the_program_exits_fails_no_job(
    farm: Farm, fields: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Given a job that is rendered, if Python begins to exit when a checkpoint is due, I expect it queued again."""
    job = farm.submit(**fields, force=True)

    def exits(_sink: CheckpointSink, state: EngineState) -> EngineState:
        monkeypatch.setattr("concurrent.futures.thread._shutdown", True)
        return state

    def watch(statuses: Sequence[Status]) -> None:
        if statuses[0].attempt > 0 and farm.services.queries.attempts(job.id)[0].outcome is not None:
            raise KeyboardInterrupt

    monkeypatch.setattr(CheckpointSink, "_copy", exits)
    with pytest.raises(KeyboardInterrupt):
        job.wait(timeout=120, watch=watch)
    assert farm.services.queries.attempts(job.id)[0].outcome == "released"


def test_a_history_that_does_not_fit_is_left_out(
    farm: Farm, fields: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Given room for a copy of the picture alone, if a job is killed off, I expect it to go on, and its record to say.

    A history of 64 x 48 pixels takes 37 kB for each vector.
    """
    monkeypatch.setattr("stylefarm.worker.attempt.batch.MemoryBudget.left", lambda _: 48_000)
    monkeypatch.setattr("stylefarm.worker.attempt.checkpoint.CheckpointSink.store_last", lambda *_: None)
    job = farm.submit(**fields, force=True)
    assert job.wait(timeout=120, watch=Pausing(job)).state is State.DONE
    first, second = farm.services.queries.attempts(job.id)
    assert "history" in json.dumps(first.record["checkpoints_without"])
    assert second.record["resumed"]["iteration"] > 0
    assert job.losses().iteration.tolist() == list(range(ITERATIONS + 1))
