"""Repairs after workers have died, and the locks of the processes that repair."""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy import insert, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from stylefarm.shared.db.clock import now
from stylefarm.shared.db.failures import ATTEMPTS, DEATH, LOST, add_failure, is_retried
from stylefarm.shared.db.states import State
from stylefarm.shared.db.tables import JobRow, LeaderLockRow
from stylefarm.shared.errors import Quarantined, TimeLimitExceeded
from stylefarm.shared.store.attempts import LEASE_SECONDS
from stylefarm.shared.store.failures import fail_attempt
from stylefarm.shared.store.moves import Transactions, lock_in_order


class Maintenance(Transactions):
    """Writes of the reconciler (`stylefarm.shared.dispatch.reconcile`) and of supervisors."""

    def requeue_expired(self, *, lease: float = LEASE_SECONDS) -> list[str]:
        """Requeue the jobs whose lease has expired; return their ids. `lease` is how long one lasts.

        Those that were to be cancelled are cancelled; a hint for one of them does no harm.
        """
        with self._transaction() as session:
            # Rows that others have locked are skipped: their leases are being renewed, or taken back.
            expired = select(JobRow).where(JobRow.state == State.RUNNING, JobRow.lease_until < now())
            lost = session.scalars(expired.with_for_update(of=JobRow, key_share=True, skip_locked=True)).all()
            for job in lost:
                _expire(session, job, timedelta(seconds=lease))
            return [job.id for job in lost]

    def reclaim_dead(self, process: str) -> list[str]:
        """Requeue the jobs of a process that died; return their ids. `process` is a part of its worker's name.

        A job that has killed too many processes fails.
        """
        with self._transaction() as session:
            held = select(JobRow).where(JobRow.state == State.RUNNING, JobRow.worker.contains(process, autoescape=True))
            orphans = session.scalars(lock_in_order(held)).all()
            for job in orphans:
                often = f"it has killed the process that rendered it {ATTEMPTS[DEATH]} times"
                reason = (
                    "the process that rendered it died"
                    if _is_retried_after(job, DEATH)
                    else _quarantine_sentence(often)
                )
                error = Quarantined(reason)
                fail_attempt(session, job, DEATH, error, "died", {})
            return [job.id for job in orphans]

    def acquire_lock(self, name: str, holder: str, seconds: float) -> bool:
        """Take the lock `name` for so many seconds; return False if another holder has it."""
        free = (LeaderLockRow.name == name) & ((LeaderLockRow.holder == holder) | (LeaderLockRow.until <= now()))
        take = update(LeaderLockRow).where(free).values(holder=holder, until=now(seconds)).returning(LeaderLockRow.name)
        with self._transaction() as session:
            if session.execute(take).first() is not None:
                return True
            if session.get(LeaderLockRow, name) is not None:
                return False
        try:
            with self._transaction() as session:
                session.execute(insert(LeaderLockRow).values(name=name, holder=holder, until=now(seconds)))
        except IntegrityError:  # another was the first ever
            return False
        return True

    def release_lock(self, name: str, holder: str) -> None:
        """Release the lock, if `holder` has it."""
        with self._transaction() as session:
            session.execute(
                update(LeaderLockRow)
                .where(LeaderLockRow.name == name, LeaderLockRow.holder == holder)
                .values(until=now())
            )


def _expire(session: Session, job: JobRow, lease: timedelta) -> None:
    # When its worker was last heard of: how long the job lay there since says nothing of how long it ran.
    ran = job.lease_until - lease - job.started_at if job.lease_until and job.started_at else timedelta(0)
    if job.time_limit and ran.total_seconds() > job.time_limit:
        # A worker goes on for one more lease when a job is over its time limit, so that a hanging one loses it.
        late = TimeLimitExceeded(f"it ran for longer than its time_limit of {job.time_limit:g} seconds, and hung")
        fail_attempt(session, job, late.failure_class, late, "expired", {})
        return
    often = f"its worker was not heard of any more in {ATTEMPTS[LOST]} attempts"
    reason = f"the lease of {job.worker} ran out" if _is_retried_after(job, LOST) else _quarantine_sentence(often)
    error = Quarantined(reason)
    fail_attempt(session, job, LOST, error, "expired", {})


def _is_retried_after(job: JobRow, kind: str) -> bool:
    return is_retried(add_failure(job.failures, kind), kind)


def _quarantine_sentence(often: str) -> str:
    return f"quarantined: {often}; see the workers' logs and memory, ask for a smaller size, or retry it by itself"
