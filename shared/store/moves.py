"""The parts of every move: a transaction, a conditional UPDATE, and events."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, TypeVarTuple

from sqlalchemy import ColumnElement, Engine, Select, insert, select, update
from sqlalchemy.orm import Session

from stylefarm.shared.db.clock import now
from stylefarm.shared.db.connection import translate_errors
from stylefarm.shared.db.records import Fence
from stylefarm.shared.db.states import MOVES, Move, State
from stylefarm.shared.db.tables import AttemptRow, EventRow, JobRow

# Rows in one statement; SQLite allows 32,766 parameters.
CHUNK = 1000

Columns = TypeVarTuple("Columns")


class Transactions:
    """The base of what writes to the database: each method is one transaction."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine

    @contextmanager
    def _transaction(self) -> Iterator[Session]:
        with translate_errors(self.engine), Session(self.engine, expire_on_commit=False) as session, session.begin():
            yield session


def is_fenced(fence: Fence) -> ColumnElement[bool]:
    """Return whether a job is still the fence's."""
    return (JobRow.id == fence.job_id) & (JobRow.attempt == fence.attempt) & (JobRow.state == State.RUNNING)


def lock_in_order(jobs: Select[*Columns]) -> Select[*Columns]:
    """Return the query with each row locked for this transaction, in the one order in which several are ever locked.

    Other orders could deadlock. The order is that of age, since a job is younger than those it waits for.
    What else refers to a job's row, as a sweep that comes to share it, need not wait.
    """
    return jobs.order_by(JobRow.created_at, JobRow.id).with_for_update(of=JobRow, key_share=True)


def move(session: Session, kind: Move, which: ColumnElement[bool], values: Mapping[str, Any]) -> JobRow | None:
    """Make a move by one conditional UPDATE; return the moved job, or None if it could not be moved."""
    sources, target = MOVES[kind]
    statement = update(JobRow).where(which, JobRow.state.in_(sources)).values(state=target, updated_at=now(), **values)
    # A job may move twice in one transaction; the row is then read again into the same object.
    options = {"synchronize_session": False, "populate_existing": True}
    return session.scalars(statement.returning(JobRow), execution_options=options).one_or_none()


def move_all(
    session: Session,
    kind: Move,
    which: ColumnElement[bool],
    values: Mapping[str, Any],
    reason: str,
    worker: str | None = None,
) -> list[str]:
    """Make one move of many jobs, each with its event; return the ids of those that could be moved.

    `worker` is the one that the events name.
    """
    sources, target = MOVES[kind]
    statement = update(JobRow).where(which, JobRow.state.in_(sources)).values(state=target, updated_at=now(), **values)
    options = {"synchronize_session": False}
    moved = session.execute(statement.returning(JobRow.id, JobRow.attempt), execution_options=options).all()
    for start in range(0, len(moved), CHUNK):
        events = [
            {"job_id": job_id, "attempt": attempt, "state": target, "worker": worker, "reason": reason}
            for job_id, attempt in moved[start : start + CHUNK]
        ]
        session.execute(insert(EventRow), events)
    return [job_id for job_id, _ in moved]


def has_ended(session: Session, fence: Fence, outcome: str) -> bool:
    """Return whether the attempt ended with this outcome already: a move is repeated when its answer was lost."""
    of_fence = (AttemptRow.job_id == fence.job_id) & (AttemptRow.attempt == fence.attempt)
    ended = select(AttemptRow.job_id).where(of_fence, AttemptRow.outcome == outcome)
    return session.execute(ended).first() is not None
