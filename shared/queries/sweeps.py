"""What is asked of all jobs of a sweep at once: their snapshots, their losses."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from sqlalchemy import Subquery, func, select, union_all

from stylefarm.shared.db.records import LossPoint, StoredObject
from stylefarm.shared.db.tables import Job, Loss, SharedCell, Snapshot
from stylefarm.shared.queries.jobs import Reading

ROWS_AT_A_TIME = 10_000


class Shot(NamedTuple):
    """A snapshot, in the object store."""

    iteration: int
    stored: StoredObject


class Looking(Reading):
    """The questions of those who look at whole sweeps. Raises ServiceUnavailable and NotMigrated."""

    def snapshots(self, sweep_id: str) -> dict[str, list[Shot]]:
        """The snapshots of each job of the sweep that has any, by iteration."""
        statement = (
            select(Snapshot.job_id, Snapshot.iteration, Snapshot.key, Snapshot.sha256, Snapshot.bytes)
            .where(Snapshot.job_id.in_(select(members(sweep_id).c.job_id)))
            .order_by(Snapshot.job_id, Snapshot.iteration)
        )
        found: dict[str, list[Shot]] = {}
        with self._reading() as session:
            for job_id, iteration, key, sha256, size in session.execute(statement):
                found.setdefault(job_id, []).append(Shot(iteration, StoredObject(key, sha256, size)))
        return found

    def losses(self, sweep_id: str) -> Iterator[tuple[str, LossPoint]]:
        """Each point of the loss curves of the sweep's jobs with the id of its job: by cell, then by iteration."""
        of_sweep = members(sweep_id)
        statement = (
            select(Loss.job_id, Loss.iteration, Loss.total, Loss.content, Loss.style, Loss.tv)
            .join(of_sweep, of_sweep.c.job_id == Loss.job_id)
            .order_by(of_sweep.c.position, Loss.iteration)
        )
        with self._reading() as session:
            rows = session.execute(statement.execution_options(yield_per=ROWS_AT_A_TIME))
            for job_id, iteration, total, content, style, tv in rows:
                yield job_id, LossPoint(iteration, total, content, style, tv)


def members(sweep_id: str) -> Subquery:
    """The jobs of a sweep, its own and those that it shares, each with the first place where it stands."""
    own = select(Job.id.label("job_id"), Job.position).where(Job.sweep_id == sweep_id)
    shared = select(SharedCell.job_id, SharedCell.position).where(SharedCell.sweep_id == sweep_id)
    cells = union_all(own, shared).subquery()
    return select(cells.c.job_id, func.min(cells.c.position).label("position")).group_by(cells.c.job_id).subquery()
