"""Moves of jobs that several parts of the store make: release, cancel, pause, and back into the queue."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from sqlalchemy import ColumnElement, delete
from sqlalchemy.orm import Session

from stylefarm.shared.db.clock import now
from stylefarm.shared.db.states import ArtifactRole, Move, State
from stylefarm.shared.db.tables import ArtifactRow, JobRow
from stylefarm.shared.store.dependents import has_parents, settle, settle_children
from stylefarm.shared.store.moves import CHUNK, move, move_all
from stylefarm.shared.store.prepared_statements import add_event, close_attempt

# Columns that are reset when a job is retried.
RETRY_VALUES: dict[str, Any] = {
    "cancel_requested": False,
    "pause_requested": False,
    "finished_at": None,
    "metrics": {},
    "error_class": None,
    "error": None,
    "failures": {},
}


def release(
    session: Session,
    which: ColumnElement[bool],
    outcome: str,
    reason: str,
    record: Mapping[str, Any],
    values: Mapping[str, Any] | None = None,
) -> State | None:
    """Move a running job back into the queue, and end its attempt: running -> queued.

    A job that was to be cancelled or paused meanwhile moves on: queued -> cancelled, queued -> paused.

    Args:
        session: the transaction.
        which: the job.
        outcome: how its attempt ended, in a word.
        reason: why, for the event.
        record: how the attempt was computed.
        values: further columns of the job to set.

    Returns:
        The state that the job is in now; None if it was not running.
    """
    job = move(session, Move.RELEASE, which, {"lease_until": None, **(values or {})})
    if job is None:
        return None
    close_attempt(session, job, outcome, record)
    add_event(session, job, reason)
    if job.cancel_requested:
        cancel(session, JobRow.id == job.id, "cancelled before it ran again", job.worker)
        return State.CANCELLED
    if job.pause_requested:
        pause(session, JobRow.id == job.id, job.worker)
        return State.PAUSED
    return State.QUEUED


def cancel(session: Session, which: ColumnElement[bool], reason: str, worker: str | None = None) -> list[str]:
    """Cancel jobs, and fail those that wait for them: waiting, queued, paused, running -> cancelled.

    The caller ends the attempt of a running job, too. Returns the ids of the cancelled jobs.
    """
    cancelled = move_all(session, Move.CANCEL, which, {"finished_at": now(), "lease_until": None}, reason, worker)
    settle_children(session, cancelled)
    return cancelled


def pause(session: Session, which: ColumnElement[bool], worker: str | None = None) -> list[str]:
    """Pause jobs that do not run: waiting, queued -> paused. Return their ids."""
    return move_all(session, Move.PAUSE, which, {"pause_requested": False}, "paused at the user's request", worker)


def resume(session: Session, which: ColumnElement[bool]) -> list[str]:
    """Queue paused jobs: paused -> queued, or -> waiting for jobs that are not done. Returns their ids."""
    return _queue(session, Move.RESUME, which & (JobRow.state == State.PAUSED), {}, "resumed at the user's request")


def retry(
    session: Session, which: ColumnElement[bool], states: Collection[State], reason: str, *, from_checkpoint: bool
) -> list[str]:
    """Queue jobs that have ended: done, failed, cancelled -> queued, or -> waiting for jobs that are not done.

    Their results, errors and counted failures are forgotten; their checkpoints, too, unless `from_checkpoint`.

    Args:
        session: the transaction.
        which: the jobs.
        states: those of their states in which they are queued.
        reason: why, for the events.
        from_checkpoint: whether the next attempt goes on from the checkpoint.

    Returns:
        The ids of the queued jobs.
    """
    ids = _queue(session, Move.RETRY, which & JobRow.state.in_(states), RETRY_VALUES, reason)
    roles = [ArtifactRole.RESULT, ArtifactRole.MODEL, *([] if from_checkpoint else [ArtifactRole.CHECKPOINT])]
    forget_artifacts(session, ids, roles)
    return ids


def forget_artifacts(session: Session, ids: Sequence[str], roles: Sequence[ArtifactRole]) -> None:
    """Delete the rows of these jobs' artifacts of these roles; their objects are deleted as orphans."""
    for start in range(0, len(ids), CHUNK):
        of_jobs = ArtifactRow.job_id.in_(ids[start : start + CHUNK])
        statement = delete(ArtifactRow).where(of_jobs, ArtifactRow.role.in_(roles))
        session.execute(statement, execution_options={"synchronize_session": False})


def _queue(
    session: Session, kind: Move, which: ColumnElement[bool], values: Mapping[str, Any], reason: str
) -> list[str]:
    """Make the move of jobs that wait for nothing, and HOLD those that wait for others; the ids of both."""
    queued = move_all(session, kind, which & ~has_parents(), values, reason)
    held = move_all(session, Move.HOLD, which, values, reason)
    for start in range(0, len(held), CHUNK):
        settle(session, JobRow.id.in_(held[start : start + CHUNK]))
    return queued + held
