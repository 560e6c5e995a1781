"""Reads of jobs; what changes them is in `stylefarm.shared.store`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import Any, NamedTuple, TypeVar

from sqlalchemy import Engine, Text, cast, func, select, true
from sqlalchemy.orm import Session, aliased, joinedload
from sqlalchemy.orm.interfaces import ORMOption

from stylefarm.shared.db.base import Base
from stylefarm.shared.db.cells import picture_names
from stylefarm.shared.db.clock import settled
from stylefarm.shared.db.connection import reading_session
from stylefarm.shared.db.records import LossPoint
from stylefarm.shared.db.states import FINAL, ArtifactRole, State, read_state
from stylefarm.shared.db.tables import (
    ArtifactRow,
    AttemptRow,
    DependencyRow,
    EventRow,
    JobRequestRow,
    JobRow,
    LossRow,
    SharedCellRow,
    SweepRow,
)
from stylefarm.shared.errors import NotFound
from stylefarm.shared.queries.references import NEWEST_JOBS, find_id, find_kind

Row = TypeVar("Row", bound=Base)
Running = aliased(JobRow)

# The latest done jobs, from which the farm's speed is estimated.
TIMED_JOBS = 200

# Ids in one query; SQLite allows 32,766 parameters.
CHUNK = 1000


class JobChange(NamedTuple):
    """The progress of a job, for polling many jobs."""

    id: str
    position: int
    state: State
    attempt: int
    iteration: int
    loss: float | None
    updated_at: datetime


class QueueTotal(NamedTuple):
    """The number of jobs of one queue in one state."""

    state: State
    device: str
    label: str
    jobs: int


class Changes(NamedTuple):
    """The jobs that have changed, oldest first, and the cursor for the next poll."""

    jobs: Sequence[JobChange]
    cursor: datetime


class DatabaseReader:
    """The base of what reads the database and changes nothing."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine

    @contextmanager
    def _session(self) -> Iterator[Session]:
        with reading_session(self.engine) as session:
            yield session


class Queries(DatabaseReader):
    """Reads of jobs and single sweeps. Rows are detached: they hold what was true when they were read.

    Raises ServiceUnavailable and NotMigrated.
    """

    # Columns that lists of jobs do not load.
    _WHOLE = (joinedload(JobRow.checkpoint), joinedload(JobRow.request).undefer(JobRequestRow.loss_terms))

    def check(self) -> None:
        """Check that the database answers. Raises ServiceUnavailable or NotMigrated."""
        with self._session() as session:
            session.execute(select(JobRow.id).limit(1))

    def job(self, job_id: str) -> JobRow:
        """Return the job of that id. Raises NotFound."""
        return self._get(JobRow, "job", job_id, *self._WHOLE)

    def progress(self, job_id: str) -> JobChange:
        """Return how far the job of that id is, by one small query. Raises NotFound."""
        columns = [getattr(JobRow, name) for name in JobChange._fields]
        with self._session() as session:
            row = session.execute(select(*columns).where(JobRow.id == job_id)).one_or_none()
        if row is None:
            raise NotFound(f"there is no job {job_id}")
        return JobChange(*row)._replace(state=read_state(row.state))

    def sweep(self, sweep_id: str) -> SweepRow:
        """Return the sweep of that id. Raises NotFound."""
        return self._get(SweepRow, "sweep", sweep_id)

    def full_id(self, kind: type[JobRow] | type[SweepRow], reference: str) -> str:
        """Return the id of what a user calls so: see `references.find_id`. Raises NotFound and InvalidRequest."""
        with self._session() as session:
            return find_id(session, kind, reference)

    def kind_of(self, reference: str) -> type[JobRow] | type[SweepRow]:
        """Return whether a user means a job or a sweep: see `references.find_kind`. Raises NotFound, InvalidRequest."""
        with self._session() as session:
            return find_kind(session, reference)

    def jobs(self, ids: Sequence[str]) -> list[JobRow]:
        """Return the jobs of these ids, in the order of the ids; unknown ids are left out."""
        found: dict[str, JobRow] = {}
        for start in range(0, len(ids), CHUNK):
            rows = self._all(select(JobRow).where(JobRow.id.in_(ids[start : start + CHUNK])))
            found.update((row.id, row) for row in rows)
        return [found[job_id] for job_id in ids if job_id in found]

    def ancestors(self, ids: Sequence[str]) -> list[str]:
        """Return the jobs that these wait for, directly or by way of others; not these themselves."""
        seen, latest = set(ids), list(ids)
        found: list[str] = []
        with self._session() as session:
            while latest:
                parents: set[str] = set()
                for start in range(0, len(latest), CHUNK):
                    of_these = DependencyRow.job_id.in_(latest[start : start + CHUNK])
                    parents.update(session.scalars(select(DependencyRow.parent_id).where(of_these)))
                latest = sorted(parents - seen)
                seen.update(latest)
                found += latest
        return found

    def find_done(self, spec_key: str) -> JobRow | None:
        """Return the newest done job of that key, if there is one."""
        done = select(JobRow).where(JobRow.spec_key == spec_key, JobRow.state == State.DONE)
        return next(iter(self._all(done.order_by(JobRow.finished_at.desc()).limit(1))), None)

    def next_queued(self) -> str | None:
        """Return the id of the job that is rendered next, None if there is none: the most urgent, of these the oldest.

        Jobs of sweeps of which as many run as may are left out.
        """
        running = select(func.count()).where(Running.sweep_id == SweepRow.id, Running.state == State.RUNNING)
        full = select(SweepRow.id).where(SweepRow.max_running <= running.scalar_subquery())
        queued = select(JobRow.id).where(JobRow.state == State.QUEUED)
        has_room = JobRow.sweep_id.is_(None) | JobRow.sweep_id.not_in(full)
        order = JobRow.priority.desc(), JobRow.created_at, JobRow.sweep_id, JobRow.position
        with self._session() as session:
            return session.scalars(queued.where(has_room).order_by(*order).limit(1)).first()

    def training(self, model: str) -> JobRow | None:
        """Return the newest unfinished job that trains the model of that name, if there is one."""
        unfinished = JobRow.state.not_in(sorted(FINAL))
        # As `TrainingSpec.document` writes it; names need no escapes.
        asked = select(JobRequestRow.job_id).where(
            cast(JobRequestRow.spec, Text).contains('"kind": "train"'),
            cast(JobRequestRow.spec, Text).contains(f'"name": "{model}"', autoescape=True),
        )
        newest = select(JobRow).where(unfinished, JobRow.id.in_(asked)).order_by(*NEWEST_JOBS)
        return next(iter(self._all(newest.limit(1))), None)

    def known_keys(self, keys: Sequence[str]) -> set[str]:
        """Return those of the spec keys for which a job is done, or will be if all goes well."""
        found: set[str] = set()
        lost = (State.FAILED, State.CANCELLED)
        with self._session() as session:
            for start in range(0, len(keys), CHUNK):
                of_keys = select(JobRow.spec_key).where(JobRow.spec_key.in_(keys[start : start + CHUNK]))
                found.update(session.scalars(of_keys.where(JobRow.state.not_in(lost))))
        return found

    def seconds_per_iteration(self, method: str, size: int) -> list[float]:
        """Return the seconds per iteration of the newest done jobs of a method and a size."""
        alike = (JobRequestRow.spec["method"].as_string() == method) & (JobRequestRow.spec["size"].as_integer() == size)
        seconds = JobRow.metrics["seconds"].as_float()
        timed = select(seconds, JobRow.iterations).join(JobRequestRow, JobRequestRow.job_id == JobRow.id)
        timed = timed.where(JobRow.state == State.DONE, alike, seconds.is_not(None))
        with self._session() as session:
            newest = session.execute(timed.order_by(JobRow.finished_at.desc()).limit(TIMED_JOBS)).all()
        return [taken / iterations for taken, iterations in newest]

    def sweep_jobs(self, sweep_id: str, limit: int | None = None) -> list[JobRow]:
        """Return the first `limit` jobs of a sweep in the order of its cells, each with its cell and position there.

        The `sweep_id` of a job that the sweep shares with an older one is that of the older one.
        """
        own = self._all(select(JobRow).where(JobRow.sweep_id == sweep_id).order_by(JobRow.position).limit(limit))
        cells = select(SharedCellRow.position, SharedCellRow.cell, JobRow).join(
            JobRow, JobRow.id == SharedCellRow.job_id
        )
        shared = cells.where(SharedCellRow.sweep_id == sweep_id).order_by(SharedCellRow.position).limit(limit)
        with self._session() as session:
            rows = session.execute(shared).all()
        jobs = [*own, *(at_cell(job, place, cell) for place, cell, job in rows)]
        return sorted(jobs, key=lambda job: job.position)[:limit]

    def counts(self, sweep_id: str) -> dict[State, int]:
        """Return how many jobs of a sweep are in each state; states without jobs are left out."""
        own = select(JobRow.state).where(JobRow.sweep_id == sweep_id)
        shared = (
            select(JobRow.state)
            .join(SharedCellRow, SharedCellRow.job_id == JobRow.id)
            .where(SharedCellRow.sweep_id == sweep_id)
        )
        counts: Counter[State] = Counter()
        with self._session() as session:
            for states in (own, shared):
                for state, count in session.execute(states.add_columns(func.count()).group_by(JobRow.state)).all():
                    counts[read_state(state)] += count
        return dict(counts)

    def totals(self) -> list[QueueTotal]:
        """Return how many jobs the whole farm has, by state and queue; what has none is left out."""
        place = (JobRow.state, JobRow.device, JobRow.label)
        with self._session() as session:
            rows = session.execute(select(*place, func.count()).group_by(*place)).all()
        return [QueueTotal(read_state(state), device, label, jobs) for state, device, label, jobs in rows]

    def changed(self, sweep_id: str, since: datetime | None = None) -> Changes:
        """Return what has changed in a sweep since the cursor of an earlier answer; all of its jobs without one.

        A job may be named again: what was changed by transactions that had not ended at that answer is not left out.
        """
        columns = {name: getattr(JobRow, name) for name in JobChange._fields}
        own = select(*columns.values()).where(JobRow.sweep_id == sweep_id)
        shared = select(*{**columns, "position": SharedCellRow.position}.values()).join(
            JobRow, JobRow.id == SharedCellRow.job_id
        )
        later = true() if since is None else JobRow.updated_at >= since
        with self._session() as session:
            cursor = session.execute(select(settled())).scalar_one()
            rows = [
                *session.execute(own.where(later)).all(),
                *session.execute(shared.where(SharedCellRow.sweep_id == sweep_id, later)).all(),
            ]
        named = (JobChange(*row) for row in rows)
        changes = sorted(
            (change._replace(state=read_state(change.state)) for change in named), key=lambda change: change.updated_at
        )
        return Changes(changes, cursor)

    def losses(self, job_id: str) -> list[LossPoint]:
        """Return the job's loss curve, by iteration; `JobRow.loss_terms` names what each point holds."""
        points = select(LossRow.iteration, LossRow.losses).where(LossRow.job_id == job_id).order_by(LossRow.iteration)
        with self._session() as session:
            return [LossPoint(*row) for row in session.execute(points)]

    def loss_curves(self, job_ids: Sequence[str]) -> dict[str, tuple[list[str], list[LossPoint]]]:
        """Return the loss curves of those of the jobs that have one, by id: its terms, and its points by iteration."""
        terms = select(JobRequestRow.job_id, JobRequestRow.loss_terms).where(JobRequestRow.job_id.in_(job_ids))
        points = select(LossRow.job_id, LossRow.iteration, LossRow.losses).where(LossRow.job_id.in_(job_ids))
        with self._session() as session:
            curves = {job_id: (named, list[LossPoint]()) for job_id, named in session.execute(terms)}
            for job_id, iteration, losses in session.execute(points.order_by(LossRow.job_id, LossRow.iteration)):
                curves[job_id][1].append(LossPoint(iteration, losses))
        return {job_id: curve for job_id, curve in curves.items() if curve[1]}

    def snapshots(self, job_id: str) -> list[ArtifactRow]:
        """Return the job's snapshots, by iteration."""
        return self.artifacts(job_id, ArtifactRole.SNAPSHOT)

    def artifacts(self, job_id: str, role: ArtifactRole | None = None) -> list[ArtifactRow]:
        """Return what is stored for the job, or what of it has one role: by role, then by iteration."""
        rows = select(ArtifactRow).where(ArtifactRow.job_id == job_id)
        if role is not None:
            rows = rows.where(ArtifactRow.role == role)
        return self._all(rows.order_by(ArtifactRow.role, ArtifactRow.iteration, ArtifactRow.key))

    def events(self, job_id: str) -> list[EventRow]:
        """Return the job's events, oldest first."""
        return self._all(select(EventRow).where(EventRow.job_id == job_id).order_by(EventRow.id))

    def attempts(self, job_id: str) -> Sequence[AttemptRow]:
        """Return the job's attempts, oldest first."""
        return self._all(select(AttemptRow).where(AttemptRow.job_id == job_id).order_by(AttemptRow.attempt))

    def _get(self, kind: type[Row], noun: str, row_id: str, *options: ORMOption) -> Row:
        with self._session() as session:
            row = session.get(kind, row_id, options=options)
        if row is None:
            raise NotFound(f"there is no {noun} {row_id}")
        return row

    def _all(self, statement: Any) -> list[Any]:
        with self._session() as session:
            return list(session.scalars(statement).all())


def at_cell(job: JobRow, position: int, cell: dict[str, Any]) -> JobRow:
    """Return the same job as it stands in another sweep's cell, with what its pictures are called there."""
    values = {name: getattr(job, name) for name in JobRow.__table__.columns.keys()}  # noqa: SIM118 - they are columns
    here = {"position": position, "cell": cell, **picture_names(cell)}
    return JobRow(**{**values, **here}, request=job.request, result=job.result)
