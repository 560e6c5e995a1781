"""Lists of jobs and sweeps, newest first, and a sweep in a few numbers."""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Callable, Generator, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from typing import Any

from sqlalchemy import ColumnElement, Select, Text, cast, func, select, union_all

from stylefarm.shared.db.clock import now
from stylefarm.shared.db.review_tables import RatingRow
from stylefarm.shared.db.states import State, read_state
from stylefarm.shared.db.tables import JobRequestRow, JobRow, SharedCellRow, SweepRow
from stylefarm.shared.queries.jobs import CHUNK, DatabaseReader, at_cell
from stylefarm.shared.queries.pages import Place
from stylefarm.shared.queries.references import NEWEST_JOBS, NEWEST_SWEEPS

# The time over which the throughput of a sweep is measured.
THROUGHPUT_SECONDS = 600.0
ROWS_AT_A_TIME = 200


NO_FLAG = "none"


@dataclass(frozen=True)
class RatingFilter:
    """A filter of jobs by the ratings of a user: so many stars or more, and one of these flags, or NO_FLAG."""

    user: str
    stars: int | None = None
    flags: Sequence[str] = ()


@dataclass(frozen=True)
class JobFilter:
    """A filter of jobs: by state, sweep, time of submission, a predicate, tags and rating; empty fields filter nothing.

    A job has a tag if a sweep that it is in has it. `after` is a place in the list, where a page begins.
    """

    states: Sequence[State] = ()
    sweep: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    predicate: Callable[[JobRow], bool] | None = None
    tags: Sequence[str] = ()
    rating: RatingFilter | None = None
    after: Place | None = None


@dataclass(frozen=True)
class SweepCounts:
    """A sweep, and how many of its jobs are in each state; states without jobs are left out."""

    sweep: SweepRow
    counts: dict[State, int]


class Listing(DatabaseReader):
    """Lists of jobs and sweeps. Raises ServiceUnavailable and NotMigrated."""

    def sweeps(self, limit: int, tags: Sequence[str] = (), after: Place | None = None) -> list[SweepCounts]:
        """Return the newest sweeps, at most `limit`, that have all of these tags; those after a place."""
        conditions = [_has_tag(SweepRow, tag) for tag in tags]
        if after is not None:
            conditions.append(after.sweeps_after())
        newest = select(SweepRow).where(*conditions).order_by(*NEWEST_SWEEPS).limit(limit)
        with self._session() as session:
            rows = session.scalars(newest).all()
            counts: dict[str, Counter[State]] = {row.id: Counter() for row in rows}
            for start in range(0, len(rows), CHUNK):
                ids = [row.id for row in rows[start : start + CHUNK]]
                for column, statement in (
                    (JobRow.sweep_id, select(JobRow.sweep_id, JobRow.state, func.count())),
                    (SharedCellRow.sweep_id, select(SharedCellRow.sweep_id, JobRow.state, func.count()).join(JobRow)),
                ):
                    found = session.execute(statement.where(column.in_(ids)).group_by(column, JobRow.state))
                    for sweep_id, state, count in found.all():
                        counts[str(sweep_id)][read_state(state)] += count
        return [SweepCounts(row, dict(counts[row.id])) for row in rows]

    def jobs(self, wanted: JobFilter, limit: int | None) -> list[JobRow]:
        """Return the jobs that a filter matches, at most `limit`: newest first, those of one sweep in cell order."""
        with ExitStack() as until_then:
            streams = [until_then.enter_context(closing(stream)) for stream in self._streams(wanted, limit)]
            merged = streams[0] if wanted.sweep is None else heapq.merge(*streams, key=lambda job: job.position)
            return list(islice(merged, limit))

    def _streams(self, wanted: JobFilter, limit: int | None) -> list[Generator[JobRow]]:
        """Return the jobs as one stream, or of a sweep as two: its own jobs, and those that it shares."""
        conditions = _conditions(wanted)
        if wanted.sweep is not None:
            place = -1 if wanted.after is None else wanted.after.position
            own = select(JobRow).where(JobRow.sweep_id == wanted.sweep, JobRow.position > place, *conditions)
            own = own.order_by(JobRow.position)
            of_others = self._shared(wanted.sweep).where(SharedCellRow.position > place, *conditions)
            of_others = of_others.order_by(SharedCellRow.position)
            return [self._stream(own, wanted, limit), self._stream(of_others, wanted, limit)]
        statement = select(JobRow).where(*conditions).order_by(*NEWEST_JOBS)
        if wanted.predicate is None and limit is not None:
            # Found without their orders, which else are joined to all jobs before a few are taken.
            few = select(JobRow.id).where(*conditions).order_by(*NEWEST_JOBS).limit(limit)
            statement = select(JobRow).where(JobRow.id.in_(few)).order_by(*NEWEST_JOBS)
        return [self._stream(statement, wanted, limit)]

    def failures(self, sweep_id: str, limit: int) -> list[JobRow]:
        """Return the jobs of a sweep that failed last, the newest first."""
        newest = (JobRow.finished_at.desc(), JobRow.id)
        wanted = JobFilter((State.FAILED,))
        own = select(JobRow).where(JobRow.sweep_id == sweep_id, *_conditions(wanted)).order_by(*newest)
        of_others = self._shared(sweep_id).where(*_conditions(wanted)).order_by(*newest)
        found = [*self._stream(own, wanted, limit), *self._stream(of_others, wanted, limit)]
        return sorted(found, key=lambda job: job.finished_at or job.updated_at, reverse=True)[:limit]

    def throughput(self, sweep_id: str) -> float:
        """Return the sweep's done jobs per second over the last ten minutes; 0.0 if there were none.

        Of those that it shares, what was done before there was this sweep says nothing of its pace.
        """
        recent = (JobRow.state == State.DONE) & (JobRow.finished_at >= now(-THROUGHPUT_SECONDS))
        # The index has the times of changes.
        times = select(JobRow.started_at, JobRow.finished_at).where(
            recent, JobRow.updated_at >= now(-THROUGHPUT_SECONDS)
        )
        own = times.where(JobRow.sweep_id == sweep_id)
        since = select(SweepRow.created_at).where(SweepRow.id == sweep_id).scalar_subquery()
        cells = select(SharedCellRow.job_id).where(SharedCellRow.sweep_id == sweep_id)
        shared = times.where(JobRow.id.in_(cells), JobRow.finished_at >= since)
        found = union_all(own, shared).subquery()
        numbers = select(func.count(), func.min(found.c.started_at), now())
        with self._session() as session:
            done, first, read_at = session.execute(numbers).one()
        if not done:
            return 0.0
        passed = THROUGHPUT_SECONDS if first is None else min(THROUGHPUT_SECONDS, (read_at - first).total_seconds())
        return float(done / max(passed, 1e-3))

    def _stream(self, statement: Select[Any], wanted: JobFilter, limit: int | None) -> Generator[JobRow]:
        """Yield the jobs of a statement, that of a sweep's shared cell as it stands in that sweep."""
        if wanted.predicate is None:
            statement = statement.limit(limit)
        # A server-side cursor takes several round trips, which few rows do not need.
        few = wanted.predicate is None and limit is not None and limit <= ROWS_AT_A_TIME
        options = {} if few else {"yield_per": ROWS_AT_A_TIME}
        with self._session() as session, session.execute(statement, execution_options=options) as rows:
            for job, *place in rows:
                shown = at_cell(job, *place) if place else job
                if wanted.predicate is None or wanted.predicate(shown):
                    yield shown

    def _shared(self, sweep_id: str) -> Select[tuple[JobRow, int, dict[str, Any]]]:
        cells = select(JobRow, SharedCellRow.position, SharedCellRow.cell).join(
            SharedCellRow, SharedCellRow.job_id == JobRow.id
        )
        return cells.where(SharedCellRow.sweep_id == sweep_id)


def _conditions(wanted: JobFilter) -> list[ColumnElement[bool]]:
    conditions: list[ColumnElement[bool]] = []
    if wanted.states:
        conditions.append(JobRow.state.in_(wanted.states))
    if wanted.since is not None:
        conditions.append(JobRow.created_at >= wanted.since)
    if wanted.until is not None:
        conditions.append(JobRow.created_at <= wanted.until)
    if wanted.after is not None and wanted.sweep is None:
        conditions.append(wanted.after.jobs_after())
    conditions += [_is_tagged(tag) for tag in wanted.tags]
    return conditions + ([] if wanted.rating is None else _rated(wanted.rating))


def _rated(wanted: RatingFilter) -> list[ColumnElement[bool]]:
    of_user = select(RatingRow.job_id).where(RatingRow.user == wanted.user)
    conditions: list[ColumnElement[bool]] = []
    if wanted.stars is not None:
        conditions.append(JobRow.id.in_(of_user.where(RatingRow.stars >= wanted.stars)))
    if wanted.flags:
        flagged = JobRow.id.in_(of_user.where(RatingRow.flag.in_(wanted.flags)))
        without = JobRow.id.not_in(of_user.where(RatingRow.flag.is_not(None)))
        conditions.append(flagged | without if NO_FLAG in wanted.flags else flagged)
    return conditions


def _is_tagged(tag: str) -> ColumnElement[bool]:
    """Return whether a job, or a sweep that it is in, has a tag."""
    sweeps = select(SweepRow.id).where(_has_tag(SweepRow, tag))
    shared = select(SharedCellRow.job_id).where(SharedCellRow.sweep_id.in_(sweeps))
    itself = select(JobRequestRow.job_id).where(_has_tag(JobRequestRow, tag))
    return JobRow.id.in_(itself) | JobRow.sweep_id.in_(sweeps) | JobRow.id.in_(shared)


def _has_tag(kind: type[JobRequestRow] | type[SweepRow], tag: str) -> ColumnElement[bool]:
    # As a list of tags is written: none of their letters is written otherwise.
    return cast(kind.tags, Text).contains(f'"{tag}"', autoescape=True)
