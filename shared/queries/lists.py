"""What is asked about many jobs and sweeps: lists, newest first, and a sweep in a few numbers."""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Callable, Generator, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from typing import Any

from sqlalchemy import ColumnElement, Select, func, select, union_all

from stylefarm.shared.db.clock import now
from stylefarm.shared.db.states import State
from stylefarm.shared.db.tables import Job, SharedCell, Sweep
from stylefarm.shared.queries.jobs import CHUNK, Reading, moved

# The time over which a sweep's throughput is taken.
PACE_SECONDS = 600.0
ROWS_AT_A_TIME = 200


@dataclass(frozen=True)
class Wanted:
    """Which jobs a list is to have: those in one of the states, of a sweep, submitted in a span of time, that fit."""

    states: Sequence[State] = ()
    sweep: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    fits: Callable[[Job], bool] | None = None


@dataclass(frozen=True)
class Listed:
    """A sweep, and how many of its jobs are in each state; states without jobs are left out."""

    sweep: Sweep
    counts: dict[State, int]


class Listing(Reading):
    """Lists of jobs and sweeps. Raises ServiceUnavailable and NotMigrated."""

    def sweeps(self, limit: int) -> list[Listed]:
        """The newest sweeps, at most `limit`."""
        newest = select(Sweep).order_by(Sweep.created_at.desc(), Sweep.id).limit(limit)
        with self._reading() as session:
            rows = session.scalars(newest).all()
            counts: dict[str, Counter[State]] = {row.id: Counter() for row in rows}
            for start in range(0, len(rows), CHUNK):
                ids = [row.id for row in rows[start : start + CHUNK]]
                for column, statement in (
                    (Job.sweep_id, select(Job.sweep_id, Job.state, func.count())),
                    (SharedCell.sweep_id, select(SharedCell.sweep_id, Job.state, func.count()).join(Job)),
                ):
                    found = session.execute(statement.where(column.in_(ids)).group_by(column, Job.state))
                    for sweep_id, state, count in found.all():
                        counts[str(sweep_id)][State(state)] += count
        return [Listed(row, dict(counts[row.id])) for row in rows]

    def jobs(self, wanted: Wanted, limit: int | None) -> list[Job]:
        """The jobs that are wanted, at most `limit`: newest first, those of one sweep in the order of its cells."""
        with ExitStack() as until_then:
            streams = [until_then.enter_context(closing(stream)) for stream in self._streams(wanted, limit)]
            merged = streams[0] if wanted.sweep is None else heapq.merge(*streams, key=lambda job: job.position)
            return list(islice(merged, limit))

    def _streams(self, wanted: Wanted, limit: int | None) -> list[Generator[Job]]:
        """The same in one stream, or of a sweep in two: its own jobs, and those that it shares."""
        conditions = _conditions(wanted)
        if wanted.sweep is not None:
            own = select(Job).where(Job.sweep_id == wanted.sweep, *conditions).order_by(Job.position)
            of_others = self._shared(wanted.sweep).where(*conditions).order_by(SharedCell.position)
            return [self._stream(own, wanted, limit), self._stream(of_others, wanted, limit)]
        newest = (Job.created_at.desc(), Job.sweep_id, Job.position, Job.id)
        statement = select(Job).where(*conditions).order_by(*newest)
        if wanted.fits is None and limit is not None:
            # Found without their orders, which else are joined to all jobs before a few are taken.
            few = select(Job.id).where(*conditions).order_by(*newest).limit(limit)
            statement = select(Job).where(Job.id.in_(few)).order_by(*newest)
        return [self._stream(statement, wanted, limit)]

    def failures(self, sweep_id: str, limit: int) -> list[Job]:
        """The jobs of a sweep that failed last, the newest first."""
        newest = (Job.finished_at.desc(), Job.id)
        wanted = Wanted((State.FAILED,))
        own = select(Job).where(Job.sweep_id == sweep_id, *_conditions(wanted)).order_by(*newest)
        of_others = self._shared(sweep_id).where(*_conditions(wanted)).order_by(*newest)
        found = [*self._stream(own, wanted, limit), *self._stream(of_others, wanted, limit)]
        return sorted(found, key=lambda job: job.finished_at or job.updated_at, reverse=True)[:limit]

    def pace(self, sweep_id: str) -> float:
        """How fast the sweep's jobs are done: jobs a second of the last ten minutes; 0.0 if none was done in them.

        Of those that it shares, what was done before there was this sweep says nothing of its pace.
        """
        recent = (Job.state == State.DONE) & (Job.finished_at >= now(-PACE_SECONDS))
        # The index has the times of changes.
        times = select(Job.started_at, Job.finished_at).where(recent, Job.updated_at >= now(-PACE_SECONDS))
        own = times.where(Job.sweep_id == sweep_id)
        since = select(Sweep.created_at).where(Sweep.id == sweep_id).scalar_subquery()
        cells = select(SharedCell.job_id).where(SharedCell.sweep_id == sweep_id)
        shared = times.where(Job.id.in_(cells), Job.finished_at >= since)
        found = union_all(own, shared).subquery()
        numbers = select(func.count(), func.min(found.c.started_at), now())
        with self._reading() as session:
            done, first, at = session.execute(numbers).one()
        if not done:
            return 0.0
        passed = PACE_SECONDS if first is None else min(PACE_SECONDS, (at - first).total_seconds())
        return float(done / max(passed, 1e-3))

    def _stream(self, statement: Select[Any], wanted: Wanted, limit: int | None) -> Generator[Job]:
        """The jobs of a statement, that of a sweep's shared cell as it stands in that sweep."""
        if wanted.fits is None:
            statement = statement.limit(limit)
        # A cursor of the server takes several answers of it, which a few rows come without.
        few = wanted.fits is None and limit is not None and limit <= ROWS_AT_A_TIME
        options = {} if few else {"yield_per": ROWS_AT_A_TIME}
        with self._reading() as session, session.execute(statement, execution_options=options) as rows:
            for job, *place in rows:
                shown = moved(job, *place) if place else job
                if wanted.fits is None or wanted.fits(shown):
                    yield shown

    def _shared(self, sweep_id: str) -> Select[tuple[Job, int, dict[str, Any]]]:
        cells = select(Job, SharedCell.position, SharedCell.cell).join(SharedCell, SharedCell.job_id == Job.id)
        return cells.where(SharedCell.sweep_id == sweep_id)


def _conditions(wanted: Wanted) -> list[ColumnElement[bool]]:
    conditions: list[ColumnElement[bool]] = []
    if wanted.states:
        conditions.append(Job.state.in_(wanted.states))
    if wanted.since is not None:
        conditions.append(Job.created_at >= wanted.since)
    if wanted.until is not None:
        conditions.append(Job.created_at <= wanted.until)
    return conditions
