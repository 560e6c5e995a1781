"""Reads of the cells of a sweep for a page that shows thousands of them: plain columns, few queries."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Text, cast, func, select, true

from stylefarm.shared.db.clock import settled
from stylefarm.shared.db.states import ArtifactRole, State, read_state
from stylefarm.shared.db.tables import ArtifactRow, JobRequestRow, JobRow, SharedCellRow
from stylefarm.shared.queries.jobs import CHUNK, DatabaseReader
from stylefarm.shared.queries.sweeps import members

PICTURES = (ArtifactRole.RESULT, ArtifactRole.SNAPSHOT)


class CellRow(NamedTuple):
    """A cell of a sweep, and its job at one moment."""

    position: int
    cell: dict[str, Any]
    job: str
    state: State
    iteration: int
    iterations: int
    loss: float | None
    metrics: dict[str, float]
    error: str | None
    updated_at: datetime


class NewestPicture(NamedTuple):
    """The newest picture of a job, by its hash, and the iterations after which it was taken."""

    sha256: str
    iteration: int


class CellChanges(NamedTuple):
    """Cells by position, the newest pictures by job, and the cursor for the next poll."""

    cells: Sequence[CellRow]
    pictures: dict[str, NewestPicture]
    cursor: datetime


class CellReads(DatabaseReader):
    """Reads of the cells of sweeps. Every method raises ServiceUnavailable and NotMigrated."""

    def cells(self, sweep_id: str, since: datetime | None = None) -> CellChanges:
        """Return the cells of a sweep that have changed since the cursor of an earlier answer; all without one.

        A cell may be named again: what was changed by transactions that had not ended at that answer is not left out.
        """
        later = true() if since is None else JobRow.updated_at >= since
        return self._cells(sweep_id, later)

    def of_jobs(self, sweep_id: str, jobs: Sequence[str]) -> CellChanges:
        """Return the cells of a sweep whose jobs are these, at most a thousand of them."""
        return self._cells(sweep_id, JobRow.id.in_(jobs[:CHUNK]))

    def _cells(self, sweep_id: str, which: ColumnElement[bool]) -> CellChanges:
        columns = (
            *(JobRow.id, JobRow.state, JobRow.iteration, JobRow.iterations, JobRow.loss, JobRow.metrics, JobRow.error),
            JobRow.updated_at,
        )
        own = select(JobRow.position, JobRow.cell, *columns).where(JobRow.sweep_id == sweep_id, which)
        shared = select(SharedCellRow.position, SharedCellRow.cell, *columns).join(
            JobRow, JobRow.id == SharedCellRow.job_id
        )
        with self._session() as session:
            cursor = session.execute(select(settled())).scalar_one()
            rows = [
                *session.execute(own).all(),
                *session.execute(shared.where(SharedCellRow.sweep_id == sweep_id, which)).all(),
            ]
        cells = sorted((CellRow(*row)._replace(state=read_state(row[3])) for row in rows), key=lambda cell: cell[0])
        jobs = list(dict.fromkeys(cell.job for cell in cells))
        return CellChanges(cells, self.newest_pictures(jobs), cursor)

    def newest_pictures(self, jobs: Sequence[str]) -> dict[str, NewestPicture]:
        """Return the result of each job, or the newest snapshot of one that has none; jobs without are left out."""
        found: dict[str, NewestPicture] = {}
        # A result comes after the last snapshot, or after as many iterations where the job was stopped early.
        order = (ArtifactRow.role == ArtifactRole.RESULT).desc(), ArtifactRow.iteration.desc()
        place = func.row_number().over(partition_by=ArtifactRow.job_id, order_by=order)
        with self._session() as session:
            for start in range(0, len(jobs), CHUNK):
                these = ArtifactRow.job_id.in_(jobs[start : start + CHUNK]) & ArtifactRow.role.in_(PICTURES)
                columns = (ArtifactRow.job_id, ArtifactRow.sha256, ArtifactRow.iteration, place.label("place"))
                ranked = select(*columns).where(these).subquery()
                newest = select(ranked.c.job_id, ranked.c.sha256, ranked.c.iteration).where(ranked.c.place == 1)
                found.update((job, NewestPicture(sha, iteration)) for job, sha, iteration in session.execute(newest))
        return found

    def first_pictures(self, sweeps: Sequence[str], count: int) -> dict[str, list[str]]:
        """Return the hashes of the results in the first cells of each sweep, in their order."""
        first = JobRow.sweep_id.in_(sweeps) & (JobRow.position < count)
        rows = (
            select(JobRow.sweep_id, ArtifactRow.sha256)
            .join(ArtifactRow, (ArtifactRow.job_id == JobRow.id) & (ArtifactRow.role == ArtifactRole.RESULT))
            .where(first)
            .order_by(JobRow.position)
        )
        found: dict[str, list[str]] = {}
        with self._session() as session:
            for sweep_id, sha256 in session.execute(rows):
                found.setdefault(str(sweep_id), []).append(sha256)
        return found

    def has_picture(self, sweep_id: str, sha256: str) -> bool:
        """Return whether a picture is a result or a snapshot of a sweep, or what one of its jobs was made from."""
        of_sweep = select(members(sweep_id).c.job_id)
        made = select(ArtifactRow.id).where(
            ArtifactRow.sha256 == sha256, ArtifactRow.role.in_(PICTURES), ArtifactRow.job_id.in_(of_sweep)
        )
        named = cast(JobRequestRow.spec, Text).contains(f'"sha256:{sha256}"', autoescape=True)
        given = select(JobRequestRow.job_id).where(JobRequestRow.job_id.in_(of_sweep), named)
        with self._session() as session:
            found = (session.scalars(statement.limit(1)).first() for statement in (made, given))
            return any(one is not None for one in found)

    def picture(self, sha256: str) -> ArtifactRow | None:
        """Return a result or a snapshot that has that hash, if there is one."""
        these = (ArtifactRow.sha256 == sha256) & ArtifactRow.role.in_(PICTURES)
        with self._session() as session:
            return session.scalars(select(ArtifactRow).where(these).limit(1)).first()
