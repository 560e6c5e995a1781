"""Writes of workers: claims, heartbeats, losses, snapshots, and the end of an attempt."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from types import MappingProxyType
from typing import Any

from sqlalchemy import TextClause, exists, select, text, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session, joinedload

from stylefarm.shared.db.clock import now
from stylefarm.shared.db.records import Fence, Heartbeat, LossPoint, StoredObject
from stylefarm.shared.db.states import ArtifactRole, State
from stylefarm.shared.db.tables import ArtifactRow, JobRequestRow, JobRow
from stylefarm.shared.errors import FarmError
from stylefarm.shared.queue.routes import LOWEST
from stylefarm.shared.store import prepared_statements, transitions
from stylefarm.shared.store.dependents import settle_children
from stylefarm.shared.store.failures import count_worker_failure, fail_attempt, reset_failures
from stylefarm.shared.store.library import NewModel, put_trained_model, stored_model
from stylefarm.shared.store.limits import has_room
from stylefarm.shared.store.moves import Transactions, has_ended, is_fenced, lock_in_order
from stylefarm.shared.store.prepared_statements import add_event, artifact_values, close_attempt
from stylefarm.shared.store.transitions import forget_artifacts

LEASE_SECONDS = 30.0

_SQLITE_POINTS = sqlite.insert(prepared_statements.LOSSES).on_conflict_do_nothing()


class Attempts(Transactions):
    """Writes of a worker. All but claims are fenced: False means that the job is no longer the attempt's."""

    def claim(self, job_id: str, worker: str, *, lease: float = LEASE_SECONDS, priority: int = LOWEST) -> JobRow | None:
        """Take a queued job for `worker`, as its next attempt; None if that cannot be.

        That is: it is not queued (any more), the worker is to take no jobs, or the job's sweep has no room. `priority`
        is that of the hint: a job that has become less urgent is left to the hint that says so.

        What earlier attempts recorded of the curve and of snapshots is kept up to the checkpoint that the job names,
        from which this one goes on; what comes after it is dropped, without one all of it. A worker, whose name is its
        own for ever, may ask again when the answer got lost.
        """
        jobs = self.claim_batch(job_id, worker, lease=lease, priority=priority, most=1)
        return next((job for job in jobs if job.id == job_id), None)

    def claim_batch(
        self, job_id: str, worker: str, *, lease: float = LEASE_SECONDS, priority: int = LOWEST, most: int
    ) -> list[JobRow]:
        """Take a job as `claim` does, and others that are rendered together with it: in all `most`, or fewer; or none.

        They are as urgent, have not been claimed before, and are of no sweep of which only so many may run.
        """
        with self._transaction() as session:
            job = prepared_statements.claim(session, job_id, worker, lease, priority, limited=False)
            if job is None and has_room(session, job_id):
                job = prepared_statements.claim(session, job_id, worker, lease, priority, limited=True)
            if job is None:
                return _claimed_before(session, job_id, worker)
            jobs = [job]
            if most > 1 and job.batch_key is not None and job.attempt == 1:
                jobs += prepared_statements.claim_like(session, job, worker, lease, most - 1)
            for each in jobs:
                prepared_statements.begin_attempt(session, each)
                add_event(session, each, "claimed")
        return jobs

    def renew(self, fence: Fence, *, lease: float = LEASE_SECONDS) -> Heartbeat:
        """Renew the lease, and return whether the job is to be cancelled or paused."""
        with self._transaction() as session:
            return _written(session, fence, {"lease_until": now(lease)})

    def record_losses(self, fence: Fence, points: Sequence[LossPoint]) -> Heartbeat:
        """Store points of the loss curve, in order; return the same. Store nothing if the job is another attempt's."""
        last = points[-1]
        with self._transaction() as session:
            heartbeat = _touch(session, fence, iteration=last.iteration, loss=last.total)
            if heartbeat:
                _insert_points(session, fence.job_id, points)
        return heartbeat

    def record_iteration(self, fence: Fence, iteration: int) -> Heartbeat:
        """Store how far a job is that has no losses; return the same."""
        with self._transaction() as session:
            return _touch(session, fence, iteration=iteration)

    def add_snapshot(self, fence: Fence, iteration: int, stored: StoredObject) -> bool:
        """Record an uploaded snapshot; False if the job is no longer this attempt's (it stays unnamed)."""
        with self._transaction() as session:
            if not _touch(session, fence):
                return False
            _put_snapshot(session, fence, iteration, stored)
        return True

    def finish(
        self,
        fence: Fence,
        result: StoredObject,
        record: Mapping[str, Any],
        metrics: Mapping[str, float] = MappingProxyType({}),
        model: NewModel | None = None,
    ) -> bool:
        """Finish the job with its result and what was measured of it: running -> done.

        The `model` of a training job is registered with it; an older one of that name is replaced. Its checkpoint is
        forgotten. Returns False if the job is no longer this attempt's.
        """
        with self._transaction() as session:
            done = prepared_statements.finish(session, fence, result, metrics)
            if done is None:
                return has_ended(session, fence, State.DONE)
            close_attempt(session, done, State.DONE, record)
            if model is not None:
                prepared_statements.add_artifact(
                    session, fence, ArtifactRole.MODEL, done.iteration, stored_model(model)
                )
                put_trained_model(session, model, done.id)
            add_event(session, done, "rendered" if model is None else "trained")
            if done.has_checkpoint:
                forget_artifacts(session, [done.id], [ArtifactRole.CHECKPOINT])
            if done.has_children:
                settle_children(session, [done.id])
            if done.worker_has_failures:
                reset_failures(session, done.worker)
        return True

    def fail(self, fence: Fence, error: FarmError, record: Mapping[str, Any]) -> State | None:
        """End the attempt with an error: running -> queued if another attempt can help, else -> failed.

        Returns where the job stands now, or None if it is no longer ours.
        """
        with self._transaction() as session:
            job = session.scalars(lock_in_order(select(JobRow).where(is_fenced(fence)))).one_or_none()
            if job is None:
                ended = has_ended(session, fence, "failed")
                return session.scalars(select(JobRow.state).where(JobRow.id == fence.job_id)).one() if ended else None
            if error.failure_class == "infrastructure" and job.worker is not None:
                count_worker_failure(session, job.worker, str(error))
            return fail_attempt(session, job, error.failure_class, error, "failed", record)

    def set_loss_terms(self, fence: Fence, terms: Sequence[str]) -> bool:
        """State what the points of a running job's loss curve hold, where its method has terms of its own.

        To be called before the first point. Returns False if the job is no longer this attempt's.
        """
        ours = exists(select(JobRow.id).where(is_fenced(fence)))
        statement = update(JobRequestRow).where(JobRequestRow.job_id == fence.job_id, ours)
        with self._transaction() as session:
            changed = session.execute(statement.values(loss_terms=list(terms)).returning(JobRequestRow.job_id))
            return changed.one_or_none() is not None

    def confirm_cancel(self, fence: Fence, record: Mapping[str, Any]) -> bool:
        """Cancel a running job whose worker has stopped as it was asked to: running -> cancelled.

        If the job was asked for again meanwhile: running -> queued. Returns False if the job is no longer this
        attempt's.
        """
        reason = "stopped at the user's request"
        with self._transaction() as session:
            job = session.scalars(lock_in_order(select(JobRow).where(is_fenced(fence)))).one_or_none()
            if job is None:
                return has_ended(session, fence, State.CANCELLED) or has_ended(session, fence, "released")
            if job.cancel_requested:
                close_attempt(session, job, State.CANCELLED, record)
                transitions.cancel(session, is_fenced(fence), reason, job.worker)
            else:
                transitions.release(session, is_fenced(fence), "released", f"{reason}, and asked for again", record)
        return True

    def release(self, fence: Fence, reason: str, record: Mapping[str, Any]) -> bool:
        """Let a job go for another attempt: running -> queued, or on to cancelled or paused where that was asked for.

        Returns False if the job is no longer this attempt's.
        """
        with self._transaction() as session:
            if transitions.release(session, is_fenced(fence), "released", reason, record) is not None:
                return True
            return has_ended(session, fence, "released")


def _claimed_before(session: Session, job_id: str, worker: str) -> list[JobRow]:
    """Return the worker's running jobs of that job's batch if the job is among them: its claim is repeated.

    What it has left to its lease, since the database was away, is of other batches, which are not rendered with this.
    """
    ours = (JobRow.state == State.RUNNING) & (JobRow.worker == worker)
    running = select(JobRow).where(ours).options(joinedload(JobRow.checkpoint))
    jobs = {job.id: job for job in session.scalars(running)}
    job = jobs.pop(job_id, None)
    if job is None or job.batch_key is None:
        return [] if job is None else [job]
    return [job, *(other for other in jobs.values() if other.batch_key == job.batch_key)]


def _touch(session: Session, fence: Fence, **values: Any) -> Heartbeat:
    """Lock the job's row for this transaction, if it is still ours."""
    return _written(session, fence, {"updated_at": now(), **values})


def _written(session: Session, fence: Fence, values: Mapping[str, Any]) -> Heartbeat:
    statement = update(JobRow).where(is_fenced(fence)).values(**values)
    heartbeat = session.execute(statement.returning(JobRow.cancel_requested, JobRow.pause_requested)).one_or_none()
    return Heartbeat(ours=False) if heartbeat is None else Heartbeat(True, *heartbeat)


def _insert_points(session: Session, job_id: str, points: Sequence[LossPoint]) -> None:
    # Points that exist are skipped: a write is repeated if its answer was lost.
    if session.get_bind().dialect.name != "postgresql":
        session.connection().execute(_SQLITE_POINTS, [{"job_id": job_id, **vars(point)} for point in points])
        return
    # One statement with a column in each parameter: several times as fast as one for each row.
    columns: dict[str, Any] = {"iterations": [point.iteration for point in points]}
    terms = zip(*(point.losses for point in points), strict=True)
    columns.update((f"term{number}", list(values)) for number, values in enumerate(terms))
    session.connection().execute(_postgresql_points(len(columns) - 1), {"job_id": job_id, **columns})


@cache
def _postgresql_points(terms: int) -> TextClause:
    """Return the INSERT of points with so many terms: PostgreSQL's unnest takes no arrays of arrays apart."""
    names = [f"term{number}" for number in range(terms)]
    arrays = ", ".join(f"CAST(:{name} AS float8[])" for name in names)
    return text(
        "INSERT INTO loss_points (job_id, iteration, losses)"  # noqa: S608 - names of our own
        f" SELECT :job_id, iteration, ARRAY[{', '.join(names)}]"
        f" FROM unnest(CAST(:iterations AS integer[]), {arrays}) AS points(iteration, {', '.join(names)})"
        " ON CONFLICT DO NOTHING"
    )


def _put_snapshot(session: Session, fence: Fence, iteration: int, stored: StoredObject) -> None:
    """Insert a snapshot, or replace the one that this attempt has stored before its memory ran out."""
    insert = postgresql.insert if session.get_bind().dialect.name == "postgresql" else sqlite.insert
    key = {"job_id": fence.job_id, "role": ArtifactRole.SNAPSHOT, "iteration": iteration, "key": stored.key}
    values = {"attempt": fence.attempt, **artifact_values(stored)}
    row = insert(ArtifactRow).values(**key, **{name: value for name, value in values.items() if name != "key"})
    session.execute(row.on_conflict_do_update(index_elements=list(key), set_=values))
