"""What is put right again when workers die."""

from __future__ import annotations

from sqlalchemy import insert, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from shared.clock import now
from shared.states import State
from shared.store.moves import Transactions, requeue
from shared.tables import Duty, Job


class Upkeep(Transactions):
    """What nobody asks for, and somebody must do: `shared.reconcile` does."""

    def requeue_expired(self) -> list[str]:
        """Puts the jobs whose worker let the lease run out back into the queue; returns their ids.

        Those that were to be cancelled are cancelled instead; a hint for one of them does no harm.
        """
        with self._transaction() as session:
            expired = select(Job.id, Job.worker).where(Job.state == State.RUNNING, Job.lease_until < now())
            lost = session.execute(expired).all()
            return [job_id for job_id, worker in lost if _expire(session, job_id, worker)]

    def take_duty(self, name: str, holder: str, seconds: float) -> bool:
        """Makes `holder` the one who does something for so long, unless another does it; False if so."""
        free = (Duty.name == name) & ((Duty.holder == holder) | (Duty.until < now()))
        take = update(Duty).where(free).values(holder=holder, until=now(seconds)).returning(Duty.name)
        with self._transaction() as session:
            if session.execute(take).first() is not None:
                return True
            if session.get(Duty, name) is not None:
                return False
        try:
            with self._transaction() as session:
                session.execute(insert(Duty).values(name=name, holder=holder, until=now(seconds)))
        except IntegrityError:  # another was the first ever
            return False
        return True

    def leave_duty(self, name: str, holder: str) -> None:
        """Frees what `holder` does, for another to take."""
        with self._transaction() as session:
            session.execute(update(Duty).where(Duty.name == name, Duty.holder == holder).values(until=now()))


def _expire(session: Session, job_id: str, worker: str | None) -> bool:
    # Asked again, since the worker may have renewed its lease meanwhile.
    which = (Job.id == job_id) & (Job.lease_until < now())
    return requeue(session, which, "expired", f"the lease of {worker} ran out", {}) is not None
