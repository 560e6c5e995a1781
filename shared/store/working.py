"""What a worker writes: it claims a job, tells how far it is, and ends it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Insert, delete, insert, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from shared.clock import now
from shared.errors import FarmError
from shared.routes import LOWEST
from shared.states import MOVES, Move, State
from shared.store.dependents import tell_children
from shared.store.failing import count_against, end_badly, requeue, speak_for, takes_jobs
from shared.store.limits import has_room, is_limited
from shared.store.moves import Transactions, close_attempt, has_ended, held, move, note
from shared.store.records import Fence, Heartbeat, LossPoint, StoredObject
from shared.tables import Attempt, Job, Loss, Snapshot

LEASE_SECONDS = 30.0


class Working(Transactions):
    """The moves of a worker. All but the claim are fenced: False says that the job is no longer ours."""

    def claim(self, job_id: str, worker: str, *, lease: float = LEASE_SECONDS, priority: int = LOWEST) -> Job | None:
        """Takes a queued job for `worker`, as its next attempt; None if it is not queued (any more), or the
        worker takes no jobs.

        `priority` is that of the hint: a job that has become less urgent is left to the hint that says so.

        What an earlier attempt recorded of the curve and of snapshots is dropped: this one starts afresh. A worker,
        whose name is its own for ever, may ask again when the answer got lost.
        """
        values = {
            "attempt": Job.attempt + 1,
            "worker": worker,
            "lease_until": now(lease),
            "started_at": now(),
            "iteration": 0,
            "loss": None,
        }
        claimable = (Job.id == job_id) & (Job.priority >= priority) & takes_jobs(worker)
        with self._transaction() as session:
            job = move(session, Move.CLAIM, claimable & ~is_limited(), values)
            if job is None and has_room(session, job_id):
                job = move(session, Move.CLAIM, claimable, values)
            if job is None:
                ours = (Job.id == job_id) & (Job.state == State.RUNNING) & (Job.worker == worker)
                return session.scalars(select(Job).where(ours)).one_or_none()
            session.execute(delete(Loss).where(Loss.job_id == job_id))
            session.execute(delete(Snapshot).where(Snapshot.job_id == job_id))
            session.execute(insert(Attempt).values(job_id=job_id, attempt=job.attempt, worker=worker))
            note(session, job, "claimed")
        return job

    def renew(self, fence: Fence, *, lease: float = LEASE_SECONDS) -> Heartbeat:
        """Renews the lease and hears whether the job is to be cancelled or paused."""
        statement = update(Job).where(held(fence)).values(lease_until=now(lease))
        with self._transaction() as session:
            heard = session.execute(statement.returning(Job.cancel_requested, Job.pause_requested)).one_or_none()
        return Heartbeat(renewed=False) if heard is None else Heartbeat(True, *heard)

    def record(self, fence: Fence, points: Sequence[LossPoint]) -> bool:
        """Stores points of the loss curve, in order; False if the job is no longer ours (nothing is stored)."""
        last = points[-1]
        with self._transaction() as session:
            if not _touch(session, fence, iteration=last.iteration, loss=last.total):
                return False
            session.execute(_insert_once(session, Loss), [{"job_id": fence.job_id, **vars(point)} for point in points])
        return True

    def add_snapshot(self, fence: Fence, iteration: int, stored: StoredObject) -> bool:
        """Names an uploaded snapshot; False if the job is no longer ours (it stays unnamed)."""
        with self._transaction() as session:
            if not _touch(session, fence):
                return False
            row = {"job_id": fence.job_id, "iteration": iteration, **vars(stored)}
            session.execute(_insert_once(session, Snapshot), [row])
        return True

    def finish(self, fence: Fence, result: StoredObject, record: Mapping[str, Any]) -> bool:
        """Done: names the result. False if the job is no longer ours."""
        values = {
            "result_key": result.key,
            "result_sha256": result.sha256,
            "result_bytes": result.bytes,
            "finished_at": now(),
        }
        return self._end(Move.FINISH, fence, values, "painted", record)

    def fail(self, fence: Fence, error: FarmError, record: Mapping[str, Any]) -> State | None:
        """The attempt failed, with a sentence that a person can act on; the job is tried again if that can help.

        Returns where the job stands now, or None if it is no longer ours.
        """
        with self._transaction() as session:
            job = session.scalars(select(Job).where(held(fence)).with_for_update()).one_or_none()
            if job is None:
                ended = has_ended(session, fence, "failed")
                return session.scalars(select(Job.state).where(Job.id == fence.job_id)).one() if ended else None
            if error.failure_class == "infrastructure" and job.worker is not None:
                count_against(session, job.worker, str(error))
            return end_badly(session, job, error.failure_class, error, "failed", record)

    def stopped(self, fence: Fence, record: Mapping[str, Any]) -> bool:
        """Cancelled by its own worker, which heard of the request. False if the job is no longer ours."""
        return self._end(Move.CANCEL, fence, {"finished_at": now()}, "stopped at the user's request", record)

    def release(self, fence: Fence, reason: str, record: Mapping[str, Any]) -> bool:
        """Back into the queue, for another attempt, or on to where its user wants it. False if it is not ours."""
        with self._transaction() as session:
            if requeue(session, held(fence), "released", reason, record) is not None:
                return True
            return has_ended(session, fence, "released")

    def _end(self, kind: Move, fence: Fence, values: Mapping[str, Any], reason: str, record: Mapping[str, Any]) -> bool:
        with self._transaction() as session:
            job = move(session, kind, held(fence), {**values, "lease_until": None})
            if job is None:
                return has_ended(session, fence, MOVES[kind][1])
            close_attempt(session, job, job.state, record)
            if kind is Move.FINISH and job.worker is not None:
                speak_for(session, job.worker)
            note(session, job, reason)
            tell_children(session, [job.id])
        return True


def _touch(session: Session, fence: Fence, **values: Any) -> bool:
    """Takes the job's row for this transaction, if it is still ours."""
    statement = update(Job).where(held(fence)).values(updated_at=now(), **values).returning(Job.id)
    return session.execute(statement).first() is not None


def _insert_once(session: Session, table: type[Loss] | type[Snapshot]) -> Insert:
    """An INSERT that passes over rows that are there: a write whose answer got lost is written again."""
    if session.get_bind().dialect.name == "postgresql":
        return postgresql.insert(table).on_conflict_do_nothing()
    return sqlite.insert(table).on_conflict_do_nothing()
