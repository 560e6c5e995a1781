"""What a user asks of jobs that are submitted already."""

from __future__ import annotations

from sqlalchemy import select, update

from shared.clock import now
from shared.states import MOVES, Move, State
from shared.store.moves import Transactions, move, note
from shared.tables import Job


class Steering(Transactions):
    """What a user asks for; what concerns a running job is asked of its worker, which hears of it with its lease."""

    def cancel(self, job_id: str) -> bool:
        """Cancels a job that does not run, and asks the worker of one that does; False if it has ended already."""
        resting = MOVES[Move.CANCEL][0] - {State.RUNNING}
        with self._transaction() as session:
            # Held still, so that no worker moves it between the two questions.
            session.execute(select(Job.id).where(Job.id == job_id).with_for_update())
            job = move(session, Move.CANCEL, (Job.id == job_id) & Job.state.in_(resting), {"finished_at": now()})
            if job is not None:
                note(session, job, "cancelled before it ran")
                return True
            ask = update(Job).where(Job.id == job_id, Job.state == State.RUNNING).values(cancel_requested=True)
            return session.execute(ask.returning(Job.id)).first() is not None
