"""What every move is made of: the conditional UPDATE, the event, and the attempt that it ends."""

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
from stylefarm.shared.store import prepared_statements

# Rows of one statement; SQLite allows 32,766 parameters in one.
CHUNK = 1000

Columns = TypeVarTuple("Columns")


class Transactions:
    """Something that changes the database, all of a change or none of it."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine

    @contextmanager
    def _transaction(self) -> Iterator[Session]:
        with translate_errors(self.engine), Session(self.engine, expire_on_commit=False) as session, session.begin():
            yield session


def is_fenced(fence: Fence) -> ColumnElement[bool]:
    """The job, as long as it is the fence's."""
    return (JobRow.id == fence.job_id) & (JobRow.attempt == fence.attempt) & (JobRow.state == State.RUNNING)


def lock_in_order(jobs: Select[*Columns]) -> Select[*Columns]:
    """The same, and each row held for this transaction, in the one order in which several are ever held.

    Those who hold several in other orders wait for each other. By age, since a job is younger than what it waits for.
    What else refers to a job's row, as a sweep that comes to share it, need not wait.
    """
    return jobs.order_by(JobRow.created_at, JobRow.id).with_for_update(of=JobRow, key_share=True)


def move(session: Session, kind: Move, which: ColumnElement[bool], values: Mapping[str, Any]) -> JobRow | None:
    """The one conditional UPDATE that every move is; the moved job, or None if it could not be moved."""
    sources, target = MOVES[kind]
    statement = update(JobRow).where(which, JobRow.state.in_(sources)).values(state=target, updated_at=now(), **values)
    # A job may move twice in one transaction; what is returned is then read anew into the same object.
    options = {"synchronize_session": False, "populate_existing": True}
    return session.scalars(statement.returning(JobRow), execution_options=options).one_or_none()


def move_all(
    session: Session, kind: Move, which: ColumnElement[bool], values: Mapping[str, Any], reason: str
) -> list[str]:
    """The same move of many jobs, each with its event; the ids of those that could be moved."""
    sources, target = MOVES[kind]
    statement = update(JobRow).where(which, JobRow.state.in_(sources)).values(state=target, updated_at=now(), **values)
    options = {"synchronize_session": False}
    moved = session.execute(statement.returning(JobRow.id, JobRow.attempt), execution_options=options).all()
    for start in range(0, len(moved), CHUNK):
        events = [event_row(job_id, attempt, target, None, reason) for job_id, attempt in moved[start : start + CHUNK]]
        session.execute(insert(EventRow), events)
    return [job_id for job_id, _ in moved]


def close_attempt(session: Session, job: JobRow, outcome: str, record: Mapping[str, Any]) -> None:
    """Writes down how the job's present attempt ended."""
    prepared_statements.close_attempt(session, job.id, job.attempt, outcome, record)


def has_ended(session: Session, fence: Fence, outcome: str) -> bool:
    """Whether the attempt has ended so already: the same move again, whose answer got lost."""
    ended = (
        (AttemptRow.job_id == fence.job_id) & (AttemptRow.attempt == fence.attempt) & (AttemptRow.outcome == outcome)
    )
    return session.execute(select(AttemptRow.job_id).where(ended)).first() is not None


def add_event(session: Session, job: JobRow, reason: str) -> None:
    """Leaves the event of a move that was just made."""
    prepared_statements.note(session, job.id, job.attempt, job.state, job.worker, reason)


def event_row(job_id: str, attempt: int, state: State, worker: str | None, reason: str) -> dict[str, Any]:
    """The row of an event."""
    return {"job_id": job_id, "attempt": attempt, "state": state, "worker": worker, "reason": reason}
