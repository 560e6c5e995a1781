"""What a user asks of jobs that are submitted already."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from sqlalchemy import ColumnElement, select, update
from sqlalchemy.orm import Session

from stylefarm.shared.db.clock import now
from stylefarm.shared.db.records import NO_CHECKPOINT, CommandResult, JobSelector
from stylefarm.shared.db.states import FINAL, MOVES, Move, State
from stylefarm.shared.db.tables import JobRow
from stylefarm.shared.store.dependents import has_parents, settle, settle_children
from stylefarm.shared.store.moves import Transactions, lock_in_order, move_all

# What a job forgets when it is tried again.
RETRY_VALUES: dict[str, Any] = {
    "cancel_requested": False,
    "pause_requested": False,
    "finished_at": None,
    "result_key": None,
    "metrics": {},
    "result_sha256": None,
    "result_bytes": None,
    "error_class": None,
    "error": None,
    "failures": {},
}


class JobCommands(Transactions):
    """What a user asks for; what concerns a running job is asked of its worker, which hears of it with its lease."""

    def cancel(self, selector: JobSelector) -> CommandResult:
        """Cancels jobs that do not run, and asks the workers of those that do; what has ended stays as it is."""
        resting = JobRow.state.in_(MOVES[Move.CANCEL][0] - {State.RUNNING})
        with self._transaction() as session:
            _hold(session, selector)
            ended = {"finished_at": now()}
            changed = move_all(session, Move.CANCEL, selector.condition & resting, ended, "cancelled before it ran")
            settle_children(session, changed)
            return CommandResult(
                changed, _ask(session, selector, JobRow.cancel_requested.is_(False), cancel_requested=True)
            )

    def pause(self, selector: JobSelector) -> CommandResult:
        """Takes jobs out of the queue until they are resumed, and asks the workers of those that run to let go."""
        with self._transaction() as session:
            _hold(session, selector)
            changed = move_all(session, Move.PAUSE, selector.condition, {}, "paused at the user's request")
            return CommandResult(
                changed, _ask(session, selector, JobRow.pause_requested.is_(False), pause_requested=True)
            )

    def resume(self, selector: JobSelector) -> CommandResult:
        """Puts paused jobs back into the queue; a job that was to be paused and still runs goes on."""
        with self._transaction() as session:
            _hold(session, selector)
            changed = requeue_all(
                session, Move.RESUME, selector.condition, [State.PAUSED], {}, "resumed at the user's request"
            )
            return CommandResult(
                changed, _ask(session, selector, JobRow.pause_requested.is_(True), pause_requested=False)
            )

    def retry(
        self, selector: JobSelector, states: Collection[State] = FINAL, *, from_checkpoint: bool = False
    ) -> CommandResult:
        """Queues jobs that have ended in one of `states` once more, to begin afresh.

        If they are to, those that were stopped on their way go on `from_checkpoint`; a done job has none.
        """
        values = RETRY_VALUES if from_checkpoint else {**RETRY_VALUES, **NO_CHECKPOINT}
        reason = f"tried again at the user's request{', from its checkpoint if it has one' if from_checkpoint else ''}"
        with self._transaction() as session:
            _hold(session, selector)
            return CommandResult(requeue_all(session, Move.RETRY, selector.condition, states, values, reason))

    def reprioritise(self, selector: JobSelector, priority: int) -> CommandResult:
        """Gives jobs that have not ended another priority; hints of the old one do no harm."""
        changed = selector.condition & JobRow.state.not_in(FINAL)
        statement = update(JobRow).where(changed).values(priority=priority, updated_at=now()).returning(JobRow.id)
        with self._transaction() as session:
            _hold(session, selector)
            return CommandResult(session.scalars(statement, execution_options={"synchronize_session": False}).all())


def requeue_all(
    session: Session,
    kind: Move,
    rows: ColumnElement[bool],
    states: Collection[State],
    values: Mapping[str, Any],
    reason: str,
) -> list[str]:
    """Puts jobs back into the queue, those before others that wait for them; or lets them wait for these."""
    which = rows & JobRow.state.in_(states)
    queued = move_all(session, kind, which & ~has_parents(), values, reason)
    held = move_all(session, Move.HOLD, which, values, reason)
    if held:
        settle(session, rows)
    return queued + held


def _hold(session: Session, selector: JobSelector) -> None:
    """Holds the jobs still, so that no worker moves one between two questions."""
    session.execute(lock_in_order(select(JobRow.id).where(selector.condition)))


def _ask(session: Session, selector: JobSelector, unless: ColumnElement[bool], **wish: Any) -> list[str]:
    statement = (
        update(JobRow)
        .where(selector.condition, JobRow.state == State.RUNNING, unless)
        .values(**wish)
        .returning(JobRow.id)
    )
    return list(session.scalars(statement, execution_options={"synchronize_session": False}).all())
