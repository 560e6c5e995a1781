"""The queued jobs, the most urgent first: what is to be announced."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import ColumnElement, Row, Select, select, tuple_
from sqlalchemy.orm import Session

from stylefarm.shared.db.states import State
from stylefarm.shared.db.tables import DependencyRow, JobRow, SweepRow
from stylefarm.shared.queries.jobs import CHUNK, DatabaseReader
from stylefarm.shared.queue.routes import HIGHEST, LOWEST, Hint, queue_name
from stylefarm.shared.store.limits import is_limited, running

Route = tuple[str, str]


class Backlog(DatabaseReader):
    """Queries the jobs that a worker could claim now; of a limited sweep, no more than may run.

    Raises ServiceUnavailable and NotMigrated.
    """

    def hints_of(self, ids: Sequence[str]) -> list[Hint]:
        """Return hints for those of the jobs that can be claimed, in the order of the ids.

        For jobs of limited sweeps, those of the same sweeps that are next come after them.
        """
        found: dict[str, Hint] = {}
        limited: dict[str, int] = {}
        with self._session() as session:
            for start in range(0, len(ids), CHUNK):
                these = JobRow.id.in_(ids[start : start + CHUNK])
                rows = session.execute(_queued().where(these, ~is_limited())).all()
                found.update((hint.job_id, hint) for hint in map(_hint, rows))
                limited.update(_limits(session, these))
            ordered = [found[job_id] for job_id in ids if job_id in found]
            return ordered + _next_of(session, limited)

    def after(self, job_id: str) -> list[Hint]:
        """Return hints for what can be claimed now that this job has ended: its children, and the next of its sweep."""
        children = select(DependencyRow.job_id).where(DependencyRow.parent_id == job_id)
        with self._session() as session:
            released = map(_hint, session.execute(_queued().where(JobRow.id.in_(children), ~is_limited())).all())
            return [*released, *_next_of(session, _limits(session, JobRow.id.in_(children) | (JobRow.id == job_id)))]

    def routes(self) -> list[Route]:
        """Return device and label of the queues that have jobs, in order.

        Each is looked up behind the one before it: DISTINCT would look at every job of a backlog.
        """
        place = tuple_(JobRow.device, JobRow.label)
        found: list[Route] = []
        with self._session() as session:
            while True:
                queued = (
                    select(JobRow.device, JobRow.label)
                    .where(JobRow.state == State.QUEUED)
                    .order_by(JobRow.device, JobRow.label)
                )
                behind = queued.where(place > found[-1]) if found else queued
                row = session.execute(behind.limit(1)).one_or_none()
                if row is None:
                    return found
                found.append((row[0], row[1]))

    def most_urgent(self, route: Route, count: int) -> list[Hint]:
        """Return hints for the next jobs of one queue, at most `count`: by priority, then by age."""
        hints: list[Hint] = []
        of_route = _queued().where(JobRow.device == route[0], JobRow.label == route[1], ~is_limited())
        with self._session() as session:
            # One query for each priority: an index then returns the jobs in order, without sorting the backlog.
            for priority in range(HIGHEST, LOWEST - 1, -1):
                if len(hints) < count:
                    in_order = of_route.where(JobRow.priority == priority).order_by(JobRow.created_at, JobRow.position)
                    hints.extend(map(_hint, session.execute(in_order.limit(count - len(hints))).all()))
            queue = queue_name(*route)
            hints += [hint for hint in _next_of(session, _limits(session)) if hint.queue == queue]
        return sorted(hints, key=lambda hint: -hint.priority)[:count]


def _queued() -> Select[str, str, str, int]:
    return select(JobRow.id, JobRow.device, JobRow.label, JobRow.priority).where(JobRow.state == State.QUEUED)


def _hint(row: Row[str, str, str, int]) -> Hint:
    job_id, device, label, priority = row
    return Hint(job_id, queue_name(device, label), priority)


def _limits(session: Session, jobs: ColumnElement[bool] | None = None) -> dict[str, int]:
    """Return the limited sweeps of these jobs, or all of them that have queued jobs, each with its limit."""
    of_jobs = select(JobRow.sweep_id).where(JobRow.state == State.QUEUED if jobs is None else jobs)
    limited = select(SweepRow.id, SweepRow.max_running).where(
        SweepRow.max_running.is_not(None), SweepRow.id.in_(of_jobs)
    )
    return {sweep_id: limit for sweep_id, limit in session.execute(limited).all() if limit is not None}


def _next_of(session: Session, limits: dict[str, int]) -> list[Hint]:
    """Return the jobs of limited sweeps that there is room for."""
    hints: list[Hint] = []
    for sweep_id, limit in limits.items():
        in_order = _queued().where(JobRow.sweep_id == sweep_id).order_by(JobRow.priority.desc(), JobRow.position)
        room = max(0, limit - running(session, sweep_id))
        hints.extend(map(_hint, session.execute(in_order.limit(room)).all()))
    return hints
