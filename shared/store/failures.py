"""How an attempt that failed is written down: the job is tried again, or fails for good; its worker may be benched."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import ColumnElement, update
from sqlalchemy.orm import Session

from stylefarm.shared.db.clock import now
from stylefarm.shared.db.failures import ATTEMPTS, BENCH_AFTER, add_failure, is_retried
from stylefarm.shared.db.states import Move, State, WorkerState
from stylefarm.shared.db.tables import JobRow, WorkerRow
from stylefarm.shared.errors import FarmError
from stylefarm.shared.store.dependents import settle_children
from stylefarm.shared.store.moves import add_event, close_attempt, move
from stylefarm.shared.store.prepared_statements import slot_of


def requeue(
    session: Session,
    which: ColumnElement[bool],
    outcome: str,
    reason: str,
    record: Mapping[str, Any],
    values: Mapping[str, Any] | None = None,
) -> JobRow | None:
    """Moves a running job back into the queue, and on to where its user has asked for it meanwhile."""
    job = move(session, Move.RELEASE, which, {"lease_until": None, **(values or {})})
    if job is None:
        return None
    close_attempt(session, job, outcome, record)
    add_event(session, job, reason)
    if job.cancel_requested:
        cancelled = move(session, Move.CANCEL, JobRow.id == job.id, {"finished_at": now()})
        add_event(session, cancelled or job, "cancelled before it ran again")
        settle_children(session, [job.id])
    elif job.pause_requested:
        paused = move(session, Move.PAUSE, JobRow.id == job.id, {"pause_requested": False})
        add_event(session, paused or job, "paused at the user's request")
    return job


def fail_attempt(
    session: Session, job: JobRow, kind: str, error: FarmError, outcome: str, record: Mapping[str, Any]
) -> State:
    """Ends the attempt of a running job, whose row is held, for a failure of this kind; where the job stands then.

    One that was to be cancelled is cancelled, however bad its end.
    """
    failures = add_failure(job.failures, kind)
    which, values = JobRow.id == job.id, {"failures": failures}
    if job.cancel_requested:
        return State((requeue(session, which, outcome, str(error), record, values) or job).state)
    if is_retried(failures, kind, job.max_attempts):
        most = min(ATTEMPTS[kind], job.max_attempts or ATTEMPTS[kind])
        reason = f"{error} (tried again, failure {failures[kind]} of {most})"
        return State((requeue(session, which, outcome, reason, record, values) or job).state)
    ended = {"error": str(error), "error_class": error.failure_class, "finished_at": now(), "lease_until": None}
    failed = move(session, Move.FAIL, which, {**values, **ended}) or job
    close_attempt(session, failed, outcome, record)
    add_event(session, failed, str(error))
    settle_children(session, [job.id])
    return State.FAILED


def count_worker_failure(session: Session, worker: str, reason: str) -> None:
    """Counts a failure for infrastructure against the worker, and benches it after too many in a row."""
    which = WorkerRow.name == slot_of(worker)
    count = update(WorkerRow).where(which).values(failures=WorkerRow.failures + 1).returning(WorkerRow.failures)
    failures = session.execute(count).scalar_one_or_none()
    if failures is not None and failures >= BENCH_AFTER:
        said = f"{failures} attempts in a row failed here, the last one so: {reason}"
        bench = update(WorkerRow).where(which, WorkerRow.state == WorkerState.ACTIVE)
        session.execute(bench.values(state=WorkerState.BENCHED, reason=said))


def reset_failures(session: Session, worker: str) -> None:
    """Forgets what was counted against the worker: an attempt has gone well."""
    session.execute(
        update(WorkerRow).where(WorkerRow.name == slot_of(worker), WorkerRow.failures > 0).values(failures=0)
    )
