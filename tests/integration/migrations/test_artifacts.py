"""The migration to artifacts and named loss terms keeps every row of the release before it, up and down."""

from __future__ import annotations

import json

from sqlalchemy import Engine, inspect, text

from stylefarm import migrations
from stylefarm.producer.views.losses import Losses
from stylefarm.producer.views.status import Status
from stylefarm.shared.db.records import Checkpoint, Fence, LossPoint, StoredObject
from stylefarm.shared.db.states import ArtifactRole, State
from stylefarm.shared.db.tables import ArtifactRow
from stylefarm.shared.queries.jobs import Queries
from stylefarm.shared.queries.sweeps import SweepReads
from stylefarm.shared.store import Store
from tests.integration.migrations.before import (
    DONE,
    LOSSES,
    OLD,
    RUNNING,
    SNAPSHOTS,
    SPEC,
    SWEEP,
    contents,
    move_to,
    schema,
)


def test_all_columns_are_covered(before: Engine) -> None:
    """Given the rows of this test, I expect each column of each table before the migration to have a value in one."""
    empty = {
        f"{table}.{name}"
        for table, rows in contents(before).items()
        for name in rows[0]
        if all(row[name] is None for row in rows)
    }
    assert empty == set()


def test_what_was_there_comes_back(before: Engine) -> None:
    """Given rows in all tables, if they are upgraded and downgraded, I expect the same schema and the same rows."""
    tables, rows = schema(before), contents(before)
    move_to(before, "0014")
    assert {"orders", "duties", "losses", "snapshots"}.isdisjoint(inspect(before).get_table_names())
    move_to(before, "0013")
    assert schema(before) == tables
    assert contents(before) == rows


def test_what_was_there_is_read_as_before(before: Engine) -> None:
    """Given rows of the release before, if they are upgraded, I expect what is asked for as it was before."""
    migrations.upgrade(before)
    queries = Queries(before)
    status = Status.of(queries.job(DONE))
    assert status.result == StoredObject(f"jobs/{DONE}/2/result.jpeg", "1" * 64, 2**40)
    assert (status.result_key, status.result_sha256, status.result_bytes) == (
        f"jobs/{DONE}/2/result.jpeg",
        "1" * 64,
        2**40,
    )
    assert (status.state, status.metrics, status.notes, status.loss) == (State.DONE, {"ssim": 0.5}, ["note 0"], 0.1)
    assert status.spec == json.loads(SPEC.document())
    assert queries.losses(DONE) == [
        LossPoint(step, values) for _, step, *rest in LOSSES[:6] for values in [tuple(rest)]
    ]
    curve = Losses.of(queries.losses(DONE), queries.job(DONE).loss_terms)
    assert curve.tv.tolist() == [0.1 + 0.2] * 6
    assert [(row.iteration, row.key, row.attempt, row.media_type) for row in queries.snapshots(DONE)] == [
        (2, f"jobs/{DONE}/1/snapshots/000002.jpeg", 1, "image/jpeg"),
        (4, f"jobs/{DONE}/2/snapshots/000004.jpeg", 2, "image/jpeg"),
    ]
    assert [(row.key, row.attempt) for row in queries.snapshots(OLD)] == [("k", 12), (f"jobs/{OLD}/x/2.webp", 12)]
    assert Checkpoint.of(queries.job(RUNNING)) == Checkpoint(
        StoredObject(f"jobs/{RUNNING}/2/checkpoint-3.safetensors", "2" * 64, 7), 3, 2
    )
    assert [Status.of(row).result is not None for row in queries.sweep_jobs(SWEEP)] == [True, False, False, False]
    assert {job_id: len(shots) for job_id, shots in SweepReads(before).snapshots(SWEEP).items()} == {
        DONE: 2,
        RUNNING: 1,
        OLD: 2,
    }
    # An old result is found again when the same is asked for.
    found = queries.find_done(SPEC.key)
    assert found is not None
    assert found.id == DONE


def test_what_was_there_goes_on(before: Engine) -> None:
    """Given a running job of the release before, if its worker is lost, I expect it resumed from its checkpoint.

    And if it is finished then, I expect its result, and no checkpoint any more.
    """
    with before.begin() as connection:
        connection.execute(text("UPDATE jobs SET cancel_requested = false, max_attempts = NULL, label = ''"))
        connection.execute(text("UPDATE sweeps SET max_running = NULL"))
    migrations.upgrade(before)
    store, queries = Store(before), Queries(before)
    assert store.maintenance.requeue_expired() == [RUNNING]
    job = store.attempts.claim(RUNNING, "other")
    assert job is not None
    checkpoint = Checkpoint.of(job)
    assert checkpoint is not None
    assert (job.attempt, job.iteration, checkpoint.iteration) == (4, 3, 3)
    assert [point.iteration for point in queries.losses(RUNNING)] == [0]
    result = StoredObject(f"jobs/{RUNNING}/4/result.png", "9" * 64, 3, 48, 36)
    assert store.attempts.finish(Fence(RUNNING, 4), result, {})
    kept = {(row.role, row.key) for row in queries.artifacts(RUNNING)}
    assert kept == {(ArtifactRole.RESULT, result.key), (ArtifactRole.SNAPSHOT, SNAPSHOTS[2][2])}
    (stored,) = queries.artifacts(RUNNING, ArtifactRole.RESULT)
    assert isinstance(stored, ArtifactRow)
    assert (stored.width, stored.height, stored.attempt, stored.media_type) == (48, 36, 4, "image/png")
