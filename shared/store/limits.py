"""How many jobs of a sweep may run at a time."""

from __future__ import annotations

from sqlalchemy import ColumnElement, func, select
from sqlalchemy.orm import Session

from stylefarm.shared.db.states import State
from stylefarm.shared.db.tables import JobRow, SweepRow


def is_limited() -> ColumnElement[bool]:
    """Return whether a job belongs to a sweep with a limit on running jobs."""
    limited = select(SweepRow.id).where(SweepRow.max_running.is_not(None))
    return JobRow.sweep_id.is_not(None) & JobRow.sweep_id.in_(limited)


def has_room(session: Session, job_id: str) -> bool:
    """Return whether a queued job's limited sweep has room for it; locks the sweep for this transaction.

    Held, because two that count at once would both find the last place free. Only limited sweeps pay for it.
    """
    sweep_id = select(JobRow.sweep_id).where(JobRow.id == job_id, JobRow.state == State.QUEUED).scalar_subquery()
    held = select(SweepRow.id, SweepRow.max_running).where(SweepRow.id == sweep_id, SweepRow.max_running.is_not(None))
    sweep = session.execute(held.with_for_update()).one_or_none()
    return sweep is not None and running(session, sweep[0]) < (sweep[1] or 0)


def running(session: Session, sweep_id: str) -> int:
    """Return how many jobs of a sweep run."""
    count = select(func.count()).where(JobRow.sweep_id == sweep_id, JobRow.state == State.RUNNING)
    return session.execute(count).scalar_one()
