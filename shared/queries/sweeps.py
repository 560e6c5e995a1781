"""Reads over all jobs of a sweep at once: their snapshots, their losses."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from typing import NamedTuple

from sqlalchemy import Subquery, func, select, union_all

from stylefarm.shared.db.records import LossPoint, StoredObject, stored_object
from stylefarm.shared.db.states import FINAL, ArtifactRole, State
from stylefarm.shared.db.tables import ArtifactRow, DependencyRow, JobRequestRow, JobRow, LossRow, SharedCellRow
from stylefarm.shared.queries.jobs import DatabaseReader
from stylefarm.shared.spec.terms import Terms

ROWS_AT_A_TIME = 10_000


class StoredSnapshot(NamedTuple):
    """A snapshot, in the object store."""

    iteration: int
    stored: StoredObject


class SweepReads(DatabaseReader):
    """Reads of whole sweeps. Every method raises ServiceUnavailable and NotMigrated."""

    def snapshots(self, sweep_id: str) -> dict[str, list[StoredSnapshot]]:
        """Return the snapshots of each job of the sweep that has any, by iteration."""
        of_sweep = ArtifactRow.job_id.in_(select(members(sweep_id).c.job_id))
        statement = (
            select(ArtifactRow)
            .where(of_sweep, ArtifactRow.role == ArtifactRole.SNAPSHOT)
            .order_by(ArtifactRow.job_id, ArtifactRow.iteration)
        )
        found: dict[str, list[StoredSnapshot]] = {}
        with self._session() as session:
            for row in session.scalars(statement):
                found.setdefault(row.job_id, []).append(StoredSnapshot(row.iteration, stored_object(row)))
        return found

    def losses(self, sweep_id: str) -> Iterator[tuple[str, LossPoint]]:
        """Yield each point of the sweep's loss curves with the id of its job: by cell, then by iteration."""
        of_sweep = members(sweep_id)
        statement = (
            select(LossRow.job_id, LossRow.iteration, LossRow.losses)
            .join(of_sweep, of_sweep.c.job_id == LossRow.job_id)
            .order_by(of_sweep.c.position, LossRow.iteration)
        )
        with self._session() as session:
            rows = session.execute(statement.execution_options(yield_per=ROWS_AT_A_TIME))
            for job_id, iteration, losses in rows:
                yield job_id, LossPoint(iteration, losses)

    def loss_terms(self, sweep_id: str) -> dict[str, list[str]]:
        """Return the names of the values that the points of each job's loss curve hold, "total" first."""
        of_sweep = JobRequestRow.job_id.in_(select(members(sweep_id).c.job_id))
        with self._session() as session:
            rows = session.execute(select(JobRequestRow.job_id, JobRequestRow.loss_terms).where(of_sweep))
            return {job_id: terms for job_id, terms in rows}  # noqa: C416 - a Row is no pair to mypy

    def unfinished_terms(self, sweep_id: str) -> list[tuple[Terms, int]]:
        """Return the terms of the sweep's jobs that have not ended, and how many have these; `after` is left out."""
        names = [name for name in Terms.model_fields if name != "after"]
        columns = [getattr(JobRow, name) for name in names]
        of_sweep = JobRow.id.in_(select(members(sweep_id).c.job_id))
        statement = select(func.count(), *columns).where(of_sweep, JobRow.state.not_in(FINAL)).group_by(*columns)
        with self._session() as session:
            rows = session.execute(statement).all()
        return [(Terms(**dict(zip(names, values, strict=True))), count) for count, *values in rows]

    def not_after(self, sweep_id: str, parents: Sequence[str]) -> int:
        """Return how many jobs of the sweep have not ended, and do not wait for all of these jobs."""
        waited_for = select(func.count()).where(DependencyRow.job_id == JobRow.id, DependencyRow.parent_id.in_(parents))
        of_sweep = JobRow.id.in_(select(members(sweep_id).c.job_id)) & JobRow.state.not_in(FINAL)
        lacking = waited_for.scalar_subquery() < len(set(parents))
        with self._session() as session:
            return session.scalars(select(func.count()).select_from(JobRow).where(of_sweep, lacking)).one()

    def without_checkpoint(self, sweep_id: str, states: Collection[State]) -> int:
        """Return how many of the sweep's own jobs in these states have no checkpoint."""
        stored = select(ArtifactRow.job_id).where(ArtifactRow.role == ArtifactRole.CHECKPOINT)
        lacking = (JobRow.sweep_id == sweep_id) & JobRow.state.in_(states) & JobRow.id.not_in(stored)
        with self._session() as session:
            return session.scalars(select(func.count()).select_from(JobRow).where(lacking)).one()


def members(sweep_id: str) -> Subquery:
    """Return the jobs of a sweep, its own and those that it shares, each with the first place where it stands."""
    own = select(JobRow.id.label("job_id"), JobRow.position).where(JobRow.sweep_id == sweep_id)
    shared = select(SharedCellRow.job_id, SharedCellRow.position).where(SharedCellRow.sweep_id == sweep_id)
    cells = union_all(own, shared).subquery()
    return select(cells.c.job_id, func.min(cells.c.position).label("position")).group_by(cells.c.job_id).subquery()
