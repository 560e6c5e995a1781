"""Commands of users to jobs: cancel, pause, resume, retry, another priority."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from sqlalchemy import ColumnElement, select, update
from sqlalchemy.orm import Session

from stylefarm.shared.db.clock import now
from stylefarm.shared.db.records import CommandResult, JobSelector
from stylefarm.shared.db.states import FINAL, MOVES, Move, State
from stylefarm.shared.db.tables import JobRow
from stylefarm.shared.store import transitions
from stylefarm.shared.store.moves import Transactions, lock_in_order


class JobCommands(Transactions):
    """Commands of users. Those to a running job are requests to its worker, which reads them with its heartbeat."""

    def cancel(self, selector: JobSelector) -> CommandResult:
        """Cancel jobs that do not run, and ask the workers of those that do to stop; ended jobs stay as they are."""
        resting = JobRow.state.in_(MOVES[Move.CANCEL][0] - {State.RUNNING})
        with self._transaction() as session:
            _hold(session, selector)
            changed = transitions.cancel(session, selector.condition & resting, "cancelled before it ran")
            return CommandResult(
                changed, _ask(session, selector, JobRow.cancel_requested.is_(False), cancel_requested=True)
            )

    def pause(self, selector: JobSelector) -> CommandResult:
        """Take jobs out of the queue until they are resumed, and ask the workers of those that run to release them."""
        with self._transaction() as session:
            _hold(session, selector)
            changed = transitions.pause(session, selector.condition)
            return CommandResult(
                changed, _ask(session, selector, JobRow.pause_requested.is_(False), pause_requested=True)
            )

    def resume(self, selector: JobSelector) -> CommandResult:
        """Put paused jobs back into the queue; a job that was to be paused and still runs goes on."""
        with self._transaction() as session:
            _hold(session, selector)
            changed = transitions.resume(session, selector.condition)
            return CommandResult(
                changed, _ask(session, selector, JobRow.pause_requested.is_(True), pause_requested=False)
            )

    def retry(
        self, selector: JobSelector, states: Collection[State] = FINAL, *, from_checkpoint: bool = False
    ) -> CommandResult:
        """Queue jobs that have ended in one of `states` once more, to start over.

        If they are to, those that were stopped on their way go on `from_checkpoint`; a done job has none.
        """
        reason = f"tried again at the user's request{', from its checkpoint if it has one' if from_checkpoint else ''}"
        with self._transaction() as session:
            _hold(session, selector)
            return CommandResult(
                transitions.retry(session, selector.condition, states, reason, from_checkpoint=from_checkpoint)
            )

    def reprioritize(self, selector: JobSelector, priority: int) -> CommandResult:
        """Give jobs that have not ended another priority; hints of the old one do no harm."""
        changed = selector.condition & JobRow.state.not_in(FINAL)
        statement = update(JobRow).where(changed).values(priority=priority, updated_at=now()).returning(JobRow.id)
        with self._transaction() as session:
            _hold(session, selector)
            return CommandResult(session.scalars(statement, execution_options={"synchronize_session": False}).all())


def _hold(session: Session, selector: JobSelector) -> None:
    """Lock the jobs, so that no worker moves one between two statements."""
    session.execute(lock_in_order(select(JobRow.id).where(selector.condition)))


def _ask(session: Session, selector: JobSelector, unless: ColumnElement[bool], **changes: Any) -> list[str]:
    statement = (
        update(JobRow)
        .where(selector.condition, JobRow.state == State.RUNNING, unless)
        .values(**changes)
        .returning(JobRow.id)
    )
    return list(session.scalars(statement, execution_options={"synchronize_session": False}).all())
