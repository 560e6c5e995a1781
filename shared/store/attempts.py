"""What a worker writes: it claims a job, tells how far it is, and ends it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

from sqlalchemy import select, text, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from stylefarm.shared.db.clock import now
from stylefarm.shared.db.records import NO_CHECKPOINT, Fence, Heartbeat, LossPoint, StoredObject
from stylefarm.shared.db.states import MOVES, Move, State
from stylefarm.shared.db.tables import JobRow, LossRow, SnapshotRow
from stylefarm.shared.errors import FarmError
from stylefarm.shared.queue.routes import LOWEST
from stylefarm.shared.store import prepared_statements
from stylefarm.shared.store.dependents import settle_children
from stylefarm.shared.store.failures import count_worker_failure, fail_attempt, requeue, reset_failures
from stylefarm.shared.store.limits import has_room
from stylefarm.shared.store.moves import Transactions, add_event, has_ended, is_fenced, lock_in_order

LEASE_SECONDS = 30.0

POINT_COLUMNS = ("iteration", "total", "content", "style", "tv")
_POINTS = text(
    f"INSERT INTO losses (job_id, {', '.join(POINT_COLUMNS)}) SELECT :job_id, * FROM unnest("  # noqa: S608
    "CAST(:iteration AS integer[]), CAST(:total AS float8[]), CAST(:content AS float8[]),"
    " CAST(:style AS float8[]), CAST(:tv AS float8[]))"
    " ON CONFLICT DO NOTHING"
)


class Attempts(Transactions):
    """The moves of a worker. All but the claim are fenced: False says that the job is no longer ours."""

    def claim(self, job_id: str, worker: str, *, lease: float = LEASE_SECONDS, priority: int = LOWEST) -> JobRow | None:
        """Takes a queued job for `worker`, as its next attempt; None if that cannot be.

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
        """Takes a job as `claim` does, and others that are painted together with it: in all `most`, or fewer; or none.

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
        """Renews the lease and hears whether the job is to be cancelled or paused."""
        with self._transaction() as session:
            return _written(session, fence, {"lease_until": now(lease)})

    def record_losses(self, fence: Fence, points: Sequence[LossPoint]) -> Heartbeat:
        """Stores points of the loss curve, in order, and hears the same; nothing if the job is no longer ours."""
        last = points[-1]
        with self._transaction() as session:
            heard = _touch(session, fence, iteration=last.iteration, loss=last.total)
            if heard:
                _insert_points(session, fence.job_id, points)
        return heard

    def add_snapshot(self, fence: Fence, iteration: int, stored: StoredObject) -> bool:
        """Names an uploaded snapshot; False if the job is no longer ours (it stays unnamed)."""
        with self._transaction() as session:
            if not _touch(session, fence):
                return False
            _put_snapshot(session, fence.job_id, iteration, stored)
        return True

    def finish(
        self,
        fence: Fence,
        result: StoredObject,
        record: Mapping[str, Any],
        metrics: Mapping[str, float] = MappingProxyType({}),
    ) -> bool:
        """Done: names the result with its metrics, and no checkpoint any more. False if the job is no longer ours."""
        values = {
            **NO_CHECKPOINT,
            "result_key": result.key,
            "result_sha256": result.sha256,
            "result_bytes": result.bytes,
            "metrics": dict(metrics),
        }
        with self._transaction() as session:
            return _end(session, Move.FINISH, fence, values, "painted", record)

    def fail(self, fence: Fence, error: FarmError, record: Mapping[str, Any]) -> State | None:
        """The attempt failed, with a sentence that a person can act on; the job is tried again if that can help.

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

    def confirm_cancel(self, fence: Fence, record: Mapping[str, Any]) -> bool:
        """Cancelled by its own worker, which heard of the request. False if the job is no longer ours.

        Back into the queue, if the job was asked for again meanwhile.
        """
        with self._transaction() as session:
            asked = session.scalars(
                lock_in_order(select(JobRow.cancel_requested).where(is_fenced(fence)))
            ).one_or_none()
            if asked is False:
                requeue(
                    session, is_fenced(fence), "released", "stopped at the user's request, and asked for again", record
                )
                return True
            ended = _end(session, Move.CANCEL, fence, {}, "stopped at the user's request", record)
            return ended or has_ended(session, fence, "released")

    def release(self, fence: Fence, reason: str, record: Mapping[str, Any]) -> bool:
        """Back into the queue, for another attempt, or on to where its user wants it. False if it is not ours."""
        with self._transaction() as session:
            if requeue(session, is_fenced(fence), "released", reason, record) is not None:
                return True
            return has_ended(session, fence, "released")


def _end(
    session: Session, kind: Move, fence: Fence, values: Mapping[str, Any], reason: str, record: Mapping[str, Any]
) -> bool:
    state = MOVES[kind][1]
    worker = prepared_statements.end(session, kind, fence, values)
    if worker is None:
        return has_ended(session, fence, state)
    prepared_statements.close_attempt(session, fence.job_id, fence.attempt, state, record)
    prepared_statements.note(session, fence.job_id, fence.attempt, state, worker, reason)
    has_children, is_suspect = prepared_statements.consequences(session, fence.job_id, worker)
    if has_children:
        settle_children(session, [fence.job_id])
    if is_suspect and kind is Move.FINISH:
        reset_failures(session, worker)
    return True


def _claimed_before(session: Session, job_id: str, worker: str) -> list[JobRow]:
    """What the worker runs of that job's batch, if that job is among it: it asks again since the answer got lost.

    What it has left to its lease, since the database was away, is of other batches, which are not painted with this.
    """
    ours = (JobRow.state == State.RUNNING) & (JobRow.worker == worker)
    jobs = {job.id: job for job in session.scalars(select(JobRow).where(ours))}
    job = jobs.pop(job_id, None)
    if job is None or job.batch_key is None:
        return [] if job is None else [job]
    return [job, *(other for other in jobs.values() if other.batch_key == job.batch_key)]


def _touch(session: Session, fence: Fence, **values: Any) -> Heartbeat:
    """Takes the job's row for this transaction, if it is still ours."""
    return _written(session, fence, {"updated_at": now(), **values})


def _written(session: Session, fence: Fence, values: Mapping[str, Any]) -> Heartbeat:
    statement = update(JobRow).where(is_fenced(fence)).values(**values)
    heard = session.execute(statement.returning(JobRow.cancel_requested, JobRow.pause_requested)).one_or_none()
    return Heartbeat(ours=False) if heard is None else Heartbeat(True, *heard)


def _insert_points(session: Session, job_id: str, points: Sequence[LossPoint]) -> None:
    if session.get_bind().dialect.name != "postgresql":
        once = sqlite.insert(LossRow).on_conflict_do_nothing()
        session.execute(once, [{"job_id": job_id, **vars(point)} for point in points])
        return
    # One statement with a column in each parameter: several times as fast as one for each row. What is there already
    # is passed over: a write whose answer got lost is written again.
    columns = {name: [getattr(point, name) for point in points] for name in POINT_COLUMNS}
    session.connection().execute(_POINTS, {"job_id": job_id, **columns})


def _put_snapshot(session: Session, job_id: str, iteration: int, stored: StoredObject) -> None:
    """Names a snapshot, also in the place of one that an attempt has painted before its memory ran out."""
    insert = postgresql.insert if session.get_bind().dialect.name == "postgresql" else sqlite.insert
    row = insert(SnapshotRow).values(job_id=job_id, iteration=iteration, **vars(stored))
    session.execute(row.on_conflict_do_update(index_elements=["job_id", "iteration"], set_=vars(stored)))
