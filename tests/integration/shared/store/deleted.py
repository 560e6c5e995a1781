"""Jobs that tests delete, with all that belongs to them."""

from __future__ import annotations

import dataclasses
from datetime import timedelta

from sqlalchemy import Engine, func, select, update
from sqlalchemy.orm import Session

from stylefarm.shared.blobs.storage import FolderBlobs, store_object
from stylefarm.shared.db.clock import now
from stylefarm.shared.db.records import LossPoint, NewJob, Submission
from stylefarm.shared.db.tables import METADATA, JobRow, SweepRow
from stylefarm.shared.store import Store
from tests.integration.jobs import claimed, new_job

OLD = timedelta(days=30)
CONTENT, STYLE = "a" * 64, "b" * 64


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
