"""How an attempt that failed is written down: the job is tried again, or fails for good; its worker may be benched."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import ColumnElement, update
from sqlalchemy.orm import Session

from stylefarm.shared.db.clock import now
from stylefarm.shared.db.failures import ATTEMPTS, BENCH_AFTER, counted, is_tried_again
from stylefarm.shared.db.states import Move, State, WorkerState
from stylefarm.shared.db.tables import Job, Worker
from stylefarm.shared.errors import FarmError
from stylefarm.shared.store.dependents import tell_children
from stylefarm.shared.store.moves import close_attempt, move, note
from stylefarm.shared.store.prepared_statements import slot_of


def requeue(
    session: Session,
    which: ColumnElement[bool],
    outcome: str,
    reason: str,
    record: Mapping[str, Any],
    values: Mapping[str, Any] | None = None,
) -> Job | None:
    """Moves a running job back into the queue, and on to where its user has asked for it meanwhile."""
    job = move(session, Move.RELEASE, which, {"lease_until": None, **(values or {})})
    if job is None:
        return None
    close_attempt(session, job, outcome, record)
    note(session, job, reason)
    if job.cancel_requested:
        cancelled = move(session, Move.CANCEL, Job.id == job.id, {"finished_at": now()})
        note(session, cancelled or job, "cancelled before it ran again")
        tell_children(session, [job.id])
    elif job.pause_requested:
        paused = move(session, Move.PAUSE, Job.id == job.id, {"pause_requested": False})
        note(session, paused or job, "paused at the user's request")
    return job


def end_badly(
    session: Session, job: Job, kind: str, error: FarmError, outcome: str, record: Mapping[str, Any]
) -> State:
    """Ends the attempt of a running job, whose row is held, for a failure of this kind; where the job stands then.

    One that was to be cancelled is cancelled, however bad its end.
    """
    failures = counted(job.failures, kind)
    which, values = Job.id == job.id, {"failures": failures}
    if job.cancel_requested:
        return State((requeue(session, which, outcome, str(error), record, values) or job).state)
    if is_tried_again(failures, kind, job.max_attempts):
        most = min(ATTEMPTS[kind], job.max_attempts or ATTEMPTS[kind])
        reason = f"{error} (tried again, failure {failures[kind]} of {most})"
        return State((requeue(session, which, outcome, reason, record, values) or job).state)
    ended = {"error": str(error), "error_class": error.failure_class, "finished_at": now(), "lease_until": None}
    failed = move(session, Move.FAIL, which, {**values, **ended}) or job
    close_attempt(session, failed, outcome, record)
    note(session, failed, str(error))
    tell_children(session, [job.id])
    return State.FAILED


def count_against(session: Session, worker: str, reason: str) -> None:
    """Counts a failure for infrastructure against the worker, and benches it after too many in a row."""
    which = Worker.name == slot_of(worker)
    count = update(Worker).where(which).values(failures=Worker.failures + 1).returning(Worker.failures)
    failures = session.execute(count).scalar_one_or_none()
    if failures is not None and failures >= BENCH_AFTER:
        said = f"{failures} attempts in a row failed here, the last one so: {reason}"
        bench = update(Worker).where(which, Worker.state == WorkerState.ACTIVE)
        session.execute(bench.values(state=WorkerState.BENCHED, reason=said))


def speak_for(session: Session, worker: str) -> None:
    """Forgets what was counted against the worker: an attempt has gone well."""
    session.execute(update(Worker).where(Worker.name == slot_of(worker), Worker.failures > 0).values(failures=0))
