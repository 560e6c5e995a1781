"""Writes of checkpoints, from which a job is resumed if its worker is lost."""

from __future__ import annotations

from typing import Any

from sqlalchemy import insert, update
from sqlalchemy.orm import Session

from stylefarm.shared.db.clock import now
from stylefarm.shared.db.records import Checkpoint, Fence
from stylefarm.shared.db.states import ArtifactRole
from stylefarm.shared.db.tables import ArtifactRow, JobRow
from stylefarm.shared.store import prepared_statements
from stylefarm.shared.store.moves import Transactions, is_fenced
from stylefarm.shared.store.transitions import forget_artifacts


class Checkpoints(Transactions):
    """Writes a job's checkpoint for its running attempt; False says that the job is no longer this attempt's."""

    def save(self, fence: Fence, checkpoint: Checkpoint) -> bool:
        """Record a stored checkpoint, in place of the one before it: the next attempt goes on from there.

        The curve and the snapshots up to its iteration are to be stored by then: that attempt does not render them.
        """
        with self._transaction() as session:
            if _changed(session, fence, {}) is None:
                return False
            forget_artifacts(session, [fence.job_id], [ArtifactRole.CHECKPOINT])
            values = {
                "job_id": fence.job_id,
                "role": ArtifactRole.CHECKPOINT,
                "attempt": checkpoint.attempt,
                "iteration": checkpoint.iteration,
                **prepared_statements.artifact_values(checkpoint.stored),
            }
            session.execute(insert(ArtifactRow).values(values))
        return True

    def discard(self, fence: Fence, reason: str) -> bool:
        """Forget a checkpoint that cannot be used, and what was kept with it: the attempt starts over."""
        with self._transaction() as session:
            job = _changed(session, fence, {"iteration": 0, "loss": None})
            if job is None:
                return False
            forget_artifacts(session, [fence.job_id], [ArtifactRole.CHECKPOINT])
            prepared_statements.forget(session, fence.job_id)
            prepared_statements.add_event(session, job, f"begun afresh: {reason}")
        return True


def _changed(session: Session, fence: Fence, values: dict[str, Any]) -> JobRow | None:
    statement = update(JobRow).where(is_fenced(fence)).values(updated_at=now(), **values)
    options = {"synchronize_session": False, "populate_existing": True}
    return session.scalars(statement.returning(JobRow), execution_options=options).one_or_none()
