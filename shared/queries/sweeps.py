"""What is asked of all jobs of a sweep at once: their snapshots, their losses."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from sqlalchemy import Subquery, func, select, union_all

from stylefarm.shared.db.records import LossPoint, StoredObject
from stylefarm.shared.db.tables import JobRow, LossRow, SharedCellRow, SnapshotRow
from stylefarm.shared.queries.jobs import DatabaseReader

ROWS_AT_A_TIME = 10_000


class StoredSnapshot(NamedTuple):
    """A snapshot, in the object store."""

    iteration: int
    stored: StoredObject


class SweepReads(DatabaseReader):
    """The questions of those who look at whole sweeps. Raises ServiceUnavailable and NotMigrated."""

    def snapshots(self, sweep_id: str) -> dict[str, list[StoredSnapshot]]:
        """The snapshots of each job of the sweep that has any, by iteration."""
        statement = (
            select(SnapshotRow.job_id, SnapshotRow.iteration, SnapshotRow.key, SnapshotRow.sha256, SnapshotRow.bytes)
            .where(SnapshotRow.job_id.in_(select(members(sweep_id).c.job_id)))
            .order_by(SnapshotRow.job_id, SnapshotRow.iteration)
        )
        found: dict[str, list[StoredSnapshot]] = {}
        with self._session() as session:
            for job_id, iteration, key, sha256, size in session.execute(statement):
                found.setdefault(job_id, []).append(StoredSnapshot(iteration, StoredObject(key, sha256, size)))
        return found

    def losses(self, sweep_id: str) -> Iterator[tuple[str, LossPoint]]:
        """Each point of the loss curves of the sweep's jobs with the id of its job: by cell, then by iteration."""
        of_sweep = members(sweep_id)
        statement = (
            select(LossRow.job_id, LossRow.iteration, LossRow.total, LossRow.content, LossRow.style, LossRow.tv)
            .join(of_sweep, of_sweep.c.job_id == LossRow.job_id)
            .order_by(of_sweep.c.position, LossRow.iteration)
        )
        with self._session() as session:
            rows = session.execute(statement.execution_options(yield_per=ROWS_AT_A_TIME))
            for job_id, iteration, total, content, style, tv in rows:
                yield job_id, LossPoint(iteration, total, content, style, tv)


def members(sweep_id: str) -> Subquery:
    """The jobs of a sweep, its own and those that it shares, each with the first place where it stands."""
    own = select(JobRow.id.label("job_id"), JobRow.position).where(JobRow.sweep_id == sweep_id)
    shared = select(SharedCellRow.job_id, SharedCellRow.position).where(SharedCellRow.sweep_id == sweep_id)
    cells = union_all(own, shared).subquery()
    return select(cells.c.job_id, func.min(cells.c.position).label("position")).group_by(cells.c.job_id).subquery()
