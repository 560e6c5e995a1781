"""Failed attempts: the job is queued again, or fails for good; its worker may be benched."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import update
from sqlalchemy.orm import Session

from stylefarm.shared.db.clock import now
from stylefarm.shared.db.failures import ATTEMPTS, BENCH_AFTER, add_failure, is_retried
from stylefarm.shared.db.states import Move, State, WorkerState
from stylefarm.shared.db.tables import JobRow, WorkerRow
from stylefarm.shared.errors import FarmError
from stylefarm.shared.store.dependents import settle_children
from stylefarm.shared.store.moves import move
from stylefarm.shared.store.prepared_statements import add_event, close_attempt, slot_of
from stylefarm.shared.store.transitions import release


def fail_attempt(
    session: Session, job: JobRow, kind: str, error: FarmError, outcome: str, record: Mapping[str, Any]
) -> State:
    """End the attempt of a running job, whose row is held, for a failure of this kind; where the job stands then.

    One that was to be cancelled is cancelled, however bad its end.
    """
    failures = add_failure(job.failures, kind)
    which, values = JobRow.id == job.id, {"failures": failures}
    if job.cancel_requested:
        return release(session, which, outcome, str(error), record, values) or State(job.state)
    if is_retried(failures, kind, job.max_attempts):
        most = min(ATTEMPTS[kind], job.max_attempts or ATTEMPTS[kind])
        reason = f"{error} (tried again, failure {failures[kind]} of {most})"
        return release(session, which, outcome, reason, record, values) or State(job.state)
    ended = {"error": str(error), "error_class": error.failure_class, "finished_at": now(), "lease_until": None}
    failed = move(session, Move.FAIL, which, {**values, **ended}) or job
    close_attempt(session, failed, outcome, record)
    add_event(session, failed, str(error))
    settle_children(session, [job.id])
    return State.FAILED


def count_worker_failure(session: Session, worker: str, reason: str) -> None:
    """Count a failure for infrastructure against the worker, and bench it after too many in a row."""
    which = WorkerRow.name == slot_of(worker)
    count = update(WorkerRow).where(which).values(failures=WorkerRow.failures + 1).returning(WorkerRow.failures)
    failures = session.execute(count).scalar_one_or_none()
    if failures is not None and failures >= BENCH_AFTER:
        said = f"{failures} attempts in a row failed here, the last one so: {reason}"
        bench = update(WorkerRow).where(which, WorkerRow.state == WorkerState.ACTIVE)
        session.execute(bench.values(state=WorkerState.BENCHED, reason=said))


def reset_failures(session: Session, worker: str) -> None:
    """Reset the worker's count of failures, after an attempt that went well."""
    session.execute(
        update(WorkerRow).where(WorkerRow.name == slot_of(worker), WorkerRow.failures > 0).values(failures=0)
    )
