"""What a user asks of jobs that are submitted already."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from sqlalchemy import ColumnElement, select, update
from sqlalchemy.orm import Session

from stylefarm.shared.db.clock import now
from stylefarm.shared.db.records import NO_CHECKPOINT, Of, Steered
from stylefarm.shared.db.states import FINAL, MOVES, Move, State
from stylefarm.shared.db.tables import Job
from stylefarm.shared.store.dependents import has_parents, settle, tell_children
from stylefarm.shared.store.moves import Transactions, in_lock_order, move_all

# What a job forgets when it is tried again.
AGAIN: dict[str, Any] = {
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


class Steering(Transactions):
    """What a user asks for; what concerns a running job is asked of its worker, which hears of it with its lease."""

    def cancel(self, of: Of) -> Steered:
        """Cancels jobs that do not run, and asks the workers of those that do; what has ended stays as it is."""
        resting = Job.state.in_(MOVES[Move.CANCEL][0] - {State.RUNNING})
        with self._transaction() as session:
            _hold(session, of)
            ended = {"finished_at": now()}
            changed = move_all(session, Move.CANCEL, of.rows & resting, ended, "cancelled before it ran")
            tell_children(session, changed)
            return Steered(changed, _ask(session, of, Job.cancel_requested.is_(False), cancel_requested=True))

    def pause(self, of: Of) -> Steered:
        """Takes jobs out of the queue until they are resumed, and asks the workers of those that run to let go."""
        with self._transaction() as session:
            _hold(session, of)
            changed = move_all(session, Move.PAUSE, of.rows, {}, "paused at the user's request")
            return Steered(changed, _ask(session, of, Job.pause_requested.is_(False), pause_requested=True))

    def resume(self, of: Of) -> Steered:
        """Puts paused jobs back into the queue; a job that was to be paused and still runs goes on."""
        with self._transaction() as session:
            _hold(session, of)
            changed = queue_again(session, Move.RESUME, of.rows, [State.PAUSED], {}, "resumed at the user's request")
            return Steered(changed, _ask(session, of, Job.pause_requested.is_(True), pause_requested=False))

    def retry(self, of: Of, states: Collection[State] = FINAL, *, from_checkpoint: bool = False) -> Steered:
        """Queues jobs that have ended in one of `states` once more, to begin afresh.

        If they are to, those that were stopped on their way go on `from_checkpoint`; a done job has none.
        """
        values = AGAIN if from_checkpoint else {**AGAIN, **NO_CHECKPOINT}
        reason = f"tried again at the user's request{', from its checkpoint if it has one' if from_checkpoint else ''}"
        with self._transaction() as session:
            _hold(session, of)
            return Steered(queue_again(session, Move.RETRY, of.rows, states, values, reason))

    def reprioritise(self, of: Of, priority: int) -> Steered:
        """Gives jobs that have not ended another priority; hints of the old one do no harm."""
        changed = of.rows & Job.state.not_in(FINAL)
        statement = update(Job).where(changed).values(priority=priority, updated_at=now()).returning(Job.id)
        with self._transaction() as session:
            _hold(session, of)
            return Steered(session.scalars(statement, execution_options={"synchronize_session": False}).all())


def queue_again(
    session: Session,
    kind: Move,
    rows: ColumnElement[bool],
    states: Collection[State],
    values: Mapping[str, Any],
    reason: str,
) -> list[str]:
    """Puts jobs back into the queue, those before others that wait for them; or lets them wait for these."""
    which = rows & Job.state.in_(states)
    queued = move_all(session, kind, which & ~has_parents(), values, reason)
    held = move_all(session, Move.HOLD, which, values, reason)
    if held:
        settle(session, rows)
    return queued + held


def _hold(session: Session, of: Of) -> None:
    """Holds the jobs still, so that no worker moves one between two questions."""
    session.execute(in_lock_order(select(Job.id).where(of.rows)))


def _ask(session: Session, of: Of, unless: ColumnElement[bool], **wish: Any) -> list[str]:
    statement = update(Job).where(of.rows, Job.state == State.RUNNING, unless).values(**wish).returning(Job.id)
    return list(session.scalars(statement, execution_options={"synchronize_session": False}).all())
