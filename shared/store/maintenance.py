"""What is put right again when workers die."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import insert, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from stylefarm.shared.db.clock import now
from stylefarm.shared.db.failures import ATTEMPTS, DEATH, LOST, counted, is_tried_again
from stylefarm.shared.db.states import State
from stylefarm.shared.db.tables import Duty, Job
from stylefarm.shared.errors import Quarantined, TimeLimitExceeded
from stylefarm.shared.store.failing import end_badly
from stylefarm.shared.store.moves import Transactions, in_lock_order


class Upkeep(Transactions):
    """What nobody asks for, and somebody must do: `stylefarm.shared.dispatch.reconcile` does."""

    def requeue_expired(self) -> list[str]:
        """Takes back the jobs whose worker let the lease run out; returns their ids.

        Those that were to be cancelled are cancelled; a hint for one of them does no harm.
        """
        with self._transaction() as session:
            # Skipping what others hold: it is being renewed, or taken back, at this moment.
            expired = select(Job, now()).where(Job.state == State.RUNNING, Job.lease_until < now())
            lost = session.execute(expired.with_for_update(of=Job, key_share=True, skip_locked=True)).all()
            for job, at in lost:
                _expire(session, job, at)
            return [job.id for job, _ in lost]

    def bury(self, process: str) -> list[str]:
        """Takes back the jobs of a process that died, `process` being a part of its worker's name; returns their ids.

        What has killed too many processes fails.
        """
        with self._transaction() as session:
            held = select(Job).where(Job.state == State.RUNNING, Job.worker.contains(process, autoescape=True))
            orphans = session.scalars(in_lock_order(held)).all()
            for job in orphans:
                often = f"it has killed the process that painted it {ATTEMPTS[DEATH]} times"
                error = Quarantined("the process that painted it died" if _lives(job, DEATH) else _kept(often))
                end_badly(session, job, DEATH, error, "died", {})
            return [job.id for job in orphans]

    def take_duty(self, name: str, holder: str, seconds: float) -> bool:
        """Makes `holder` the one who does something for so long, unless another does it; False if so."""
        free = (Duty.name == name) & ((Duty.holder == holder) | (Duty.until <= now()))
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


def _expire(session: Session, job: Job, at: datetime) -> None:
    if job.time_limit and job.started_at and (at - job.started_at).total_seconds() > job.time_limit:
        # A worker that hangs renews its lease no more once the time is over.
        late = TimeLimitExceeded(f"it ran for longer than its time_limit of {job.time_limit:g} seconds, and hung")
        end_badly(session, job, late.failure_class, late, "expired", {})
        return
    often = f"its worker was not heard of any more in {ATTEMPTS[LOST]} attempts"
    error = Quarantined(f"the lease of {job.worker} ran out" if _lives(job, LOST) else _kept(often))
    end_badly(session, job, LOST, error, "expired", {})


def _lives(job: Job, kind: str) -> bool:
    return is_tried_again(counted(job.failures, kind), kind)


def _kept(often: str) -> str:
    return f"quarantined: {often}; see the workers' logs and memory, ask for a smaller size, or retry it by itself"
