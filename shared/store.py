"""Every change to the state of a job: one function for each move.

The database is the truth. A move is one conditional UPDATE; what a worker writes carries the attempt that it claimed
and changes nothing once another attempt runs (it is fenced). Each move leaves an event with its reason. Questions that
change nothing are in `shared.queries`.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Engine, Insert, delete, insert, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from shared.clock import now
from shared.database import translated
from shared.errors import FarmError
from shared.spec import JobSpec
from shared.states import MOVES, Move, State
from shared.tables import Attempt, Event, Job, Loss, Snapshot, Sweep

LEASE_SECONDS = 30.0

# Rows of one INSERT; SQLite allows 32,766 parameters in a statement.
CHUNK = 1000


@dataclass(frozen=True)
class NewJob:
    """A job as it is submitted: a resolved spec, and what the user called things."""

    spec: JobSpec
    content_name: str
    style_name: str
    notes: Sequence[str] = ()
    cell: Mapping[str, Any] | None = None


@dataclass(frozen=True)
class Fence:
    """The right to write for a job: it ends when the job is claimed again, or is no longer running."""

    job_id: str
    attempt: int


@dataclass(frozen=True)
class StoredObject:
    """An object that was written to the object store: key, SHA-256 in hex, size in bytes."""

    key: str
    sha256: str
    bytes: int


@dataclass(frozen=True)
class LossPoint:
    """The weighted losses of the picture after `iteration` steps."""

    iteration: int
    total: float
    content: float
    style: float
    tv: float


@dataclass(frozen=True)
class Heartbeat:
    """What a renewal of the lease heard: whether the job is still ours, and whether it is to be cancelled."""

    renewed: bool
    cancel: bool


class Store:
    """The writing side of the database. Raises ServiceUnavailable and NotMigrated."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine

    @contextmanager
    def _transaction(self) -> Iterator[Session]:
        with translated(self.engine), Session(self.engine, expire_on_commit=False) as session, session.begin():
            yield session

    def create(self, jobs: Sequence[NewJob]) -> list[str]:
        """Inserts `jobs` as queued, all or none; returns their ids."""
        with self._transaction() as session:
            return _insert(session, jobs, None)

    def create_sweep(self, name: str, axes: Mapping[str, Any], jobs: Sequence[NewJob]) -> tuple[str, list[str]]:
        """Inserts a sweep and its `jobs` as queued, all or none; returns the sweep's id and theirs."""
        sweep_id = str(uuid.uuid4())
        with self._transaction() as session:
            session.execute(insert(Sweep).values(id=sweep_id, name=name, axes=dict(axes)))
            return sweep_id, _insert(session, jobs, sweep_id)

    def claim(self, job_id: str, worker: str, *, lease: float = LEASE_SECONDS) -> Job | None:
        """Takes a queued job for `worker`, as its next attempt; None if it is not queued (any more).

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
        with self._transaction() as session:
            job = _move(session, Move.CLAIM, Job.id == job_id, values)
            if job is None:
                ours = (Job.id == job_id) & (Job.state == State.RUNNING) & (Job.worker == worker)
                return session.scalars(select(Job).where(ours)).one_or_none()
            session.execute(delete(Loss).where(Loss.job_id == job_id))
            session.execute(delete(Snapshot).where(Snapshot.job_id == job_id))
            session.execute(insert(Attempt).values(job_id=job_id, attempt=job.attempt, worker=worker))
            _note(session, job, "claimed")
        return job

    def renew(self, fence: Fence, *, lease: float = LEASE_SECONDS) -> Heartbeat:
        """Renews the lease and hears whether the job is to be cancelled."""
        statement = update(Job).where(_held(fence)).values(lease_until=now(lease)).returning(Job.cancel_requested)
        with self._transaction() as session:
            cancel = session.execute(statement).scalar_one_or_none()
        return Heartbeat(renewed=cancel is not None, cancel=bool(cancel))

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

    def fail(self, fence: Fence, error: FarmError, record: Mapping[str, Any]) -> bool:
        """Failed, with a sentence that a person can act on. False if the job is no longer ours."""
        values = {"error": str(error), "error_class": error.failure_class, "finished_at": now()}
        return self._end(Move.FAIL, fence, values, str(error), record)

    def stopped(self, fence: Fence, record: Mapping[str, Any]) -> bool:
        """Cancelled by its own worker, which heard of the request. False if the job is no longer ours."""
        return self._end(Move.CANCEL, fence, {"finished_at": now()}, "stopped at the user's request", record)

    def release(self, fence: Fence, reason: str, record: Mapping[str, Any]) -> bool:
        """Back into the queue, for another attempt. False if the job is no longer ours."""
        with self._transaction() as session:
            if _requeue(session, _held(fence), reason, record) is not None:
                return True
            return _arrived(session, fence, State.QUEUED)

    def _end(self, move: Move, fence: Fence, values: Mapping[str, Any], reason: str, record: Mapping[str, Any]) -> bool:
        with self._transaction() as session:
            job = _move(session, move, _held(fence), {**values, "lease_until": None})
            if job is None:
                return _arrived(session, fence, MOVES[move][1])
            _close_attempt(session, job, job.state, record)
            _note(session, job, reason)
        return True

    def cancel(self, job_id: str) -> bool:
        """Cancels a job that does not run, and asks the worker of one that does; False if it has ended already."""
        resting = MOVES[Move.CANCEL][0] - {State.RUNNING}
        with self._transaction() as session:
            # Held still, so that no worker moves it between the two questions.
            session.execute(select(Job.id).where(Job.id == job_id).with_for_update())
            job = _move(session, Move.CANCEL, (Job.id == job_id) & Job.state.in_(resting), {"finished_at": now()})
            if job is not None:
                _note(session, job, "cancelled before it ran")
                return True
            ask = update(Job).where(Job.id == job_id, Job.state == State.RUNNING).values(cancel_requested=True)
            return session.execute(ask.returning(Job.id)).first() is not None

    def requeue_expired(self) -> list[str]:
        """Puts the jobs whose worker let the lease run out back into the queue; returns their ids.

        Those that were to be cancelled are cancelled instead; a hint for one of them does no harm.
        """
        with self._transaction() as session:
            expired = select(Job.id, Job.worker).where(Job.state == State.RUNNING, Job.lease_until < now())
            lost = session.execute(expired).all()
            return [
                job_id
                for job_id, worker in lost
                if _requeue(
                    session, (Job.id == job_id) & (Job.lease_until < now()), f"the lease of {worker} ran out", {}
                )
            ]


def _insert(session: Session, jobs: Sequence[NewJob], sweep_id: str | None) -> list[str]:
    rows = [_row(job, sweep_id, position) for position, job in enumerate(jobs)]
    for start in range(0, len(rows), CHUNK):
        chunk = rows[start : start + CHUNK]
        session.execute(insert(Job), chunk)
        session.execute(insert(Event), [_event(row["id"], 0, State.QUEUED, None, "submitted") for row in chunk])
    return [row["id"] for row in rows]


def _held(fence: Fence) -> ColumnElement[bool]:
    return (Job.id == fence.job_id) & (Job.attempt == fence.attempt) & (Job.state == State.RUNNING)


def _arrived(session: Session, fence: Fence, state: State) -> bool:
    """Whether the attempt has brought the job to `state` already: the same move again, whose answer got lost."""
    moved = (Job.id == fence.job_id) & (Job.attempt == fence.attempt) & (Job.state == state)
    return session.execute(select(Job.id).where(moved)).first() is not None


def _move(session: Session, move: Move, which: ColumnElement[bool], values: Mapping[str, Any]) -> Job | None:
    """The one conditional UPDATE that every move is; the moved job, or None if it could not be moved."""
    sources, target = MOVES[move]
    statement = update(Job).where(which, Job.state.in_(sources)).values(state=target, updated_at=now(), **values)
    # A job may move twice in one transaction; what is returned is then read anew into the same object.
    options = {"synchronize_session": False, "populate_existing": True}
    return session.scalars(statement.returning(Job), execution_options=options).one_or_none()


def _touch(session: Session, fence: Fence, **values: Any) -> bool:
    """Takes the job's row for this transaction, if it is still ours."""
    statement = update(Job).where(_held(fence)).values(updated_at=now(), **values).returning(Job.id)
    return session.execute(statement).first() is not None


def _requeue(session: Session, which: ColumnElement[bool], reason: str, record: Mapping[str, Any]) -> Job | None:
    """Moves a running job back into the queue, or, where its user has asked for that meanwhile, cancels it."""
    job = _move(session, Move.RELEASE, which, {"lease_until": None})
    if job is None:
        return None
    _close_attempt(session, job, "released", record)
    _note(session, job, reason)
    if job.cancel_requested:
        cancelled = _move(session, Move.CANCEL, Job.id == job.id, {"finished_at": now()})
        _note(session, cancelled or job, "cancelled before it ran again")
    return job


def _insert_once(session: Session, table: type[Loss] | type[Snapshot]) -> Insert:
    """An INSERT that passes over rows that are there: a write whose answer got lost is written again."""
    if session.get_bind().dialect.name == "postgresql":
        return postgresql.insert(table).on_conflict_do_nothing()
    return sqlite.insert(table).on_conflict_do_nothing()


def _close_attempt(session: Session, job: Job, outcome: str, record: Mapping[str, Any]) -> None:
    which = (Attempt.job_id == job.id) & (Attempt.attempt == job.attempt)
    session.execute(update(Attempt).where(which).values(ended_at=now(), outcome=outcome, record=dict(record)))


def _note(session: Session, job: Job, reason: str) -> None:
    session.execute(insert(Event).values(_event(job.id, job.attempt, job.state, job.worker, reason)))


def _row(job: NewJob, sweep_id: str | None, position: int) -> dict[str, Any]:
    return {
        "id": str(uuid.uuid4()),
        "sweep_id": sweep_id,
        "position": position,
        "cell": dict(job.cell or {}),
        "spec": job.spec.model_dump(mode="json"),
        "spec_key": job.spec.key,
        "content_name": job.content_name,
        "style_name": job.style_name,
        "notes": list(job.notes),
        "iterations": job.spec.total_iterations,
    }


def _event(job_id: str, attempt: int, state: State, worker: str | None, reason: str) -> dict[str, Any]:
    return {"job_id": job_id, "attempt": attempt, "state": state, "worker": worker, "reason": reason}
