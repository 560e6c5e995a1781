"""What a job can be gone on with, should its worker be lost."""

from __future__ import annotations

from typing import Any

from sqlalchemy import update
from sqlalchemy.orm import Session

from stylefarm.shared.db.clock import now
from stylefarm.shared.db.records import NO_CHECKPOINT, Checkpoint, Fence
from stylefarm.shared.db.states import State
from stylefarm.shared.db.tables import JobRow
from stylefarm.shared.store import prepared_statements
from stylefarm.shared.store.moves import Transactions, is_fenced


class Checkpoints(Transactions):
    """The moves of a job's checkpoint, fenced: False says that the job is no longer ours."""

    def save(self, fence: Fence, checkpoint: Checkpoint) -> bool:
        """Names a stored checkpoint, in the place of any before it: the next attempt goes on from there.

        The curve and the snapshots up to its iteration are to be stored by then: that attempt does not paint them.
        """
        stored = checkpoint.stored
        values = {
            "checkpoint_key": stored.key,
            "checkpoint_sha256": stored.sha256,
            "checkpoint_bytes": stored.bytes,
            "checkpoint_iteration": checkpoint.iteration,
            "checkpoint_attempt": checkpoint.attempt,
        }
        with self._transaction() as session:
            return _changed(session, fence, values) is not None

    def discard(self, fence: Fence, reason: str) -> bool:
        """Forgets a checkpoint that cannot be used, and what was kept with it: the attempt begins afresh."""
        with self._transaction() as session:
            job = _changed(session, fence, {**NO_CHECKPOINT, "iteration": 0, "loss": None})
            if job is None:
                return False
            prepared_statements.forget(session, fence.job_id)
            prepared_statements.note(
                session, fence.job_id, fence.attempt, State.RUNNING, job.worker, f"begun afresh: {reason}"
            )
        return True


def _changed(session: Session, fence: Fence, values: dict[str, Any]) -> JobRow | None:
    statement = update(JobRow).where(is_fenced(fence)).values(updated_at=now(), **values)
    options = {"synchronize_session": False, "populate_existing": True}
    return session.scalars(statement.returning(JobRow), execution_options=options).one_or_none()
