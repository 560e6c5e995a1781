"""The moves that every job makes, claimed and ended, as statements that are built once.

Building a statement takes SQLAlchemy longer than the database takes to run it; a farm makes these moves all day.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any, cast

from sqlalchemy import (
    ColumnElement,
    Double,
    Integer,
    Table,
    bindparam,
    delete,
    exists,
    func,
    insert,
    literal_column,
    select,
    text,
    update,
)
from sqlalchemy.orm import Session
from sqlalchemy.sql.base import Executable

from stylefarm.shared.db.clock import now
from stylefarm.shared.db.records import Fence
from stylefarm.shared.db.states import MOVES, Move, State, WorkerState
from stylefarm.shared.db.tables import (
    BATCHABLE,
    AttemptRow,
    DependencyRow,
    EventRow,
    JobRequestRow,
    JobRow,
    LossRow,
    SnapshotRow,
    WorkerRow,
)
from stylefarm.shared.store.limits import is_limited

JOBS, ATTEMPTS, EVENTS = (cast("Table", table.__table__) for table in (JobRow, AttemptRow, EventRow))

_REQUESTS = select(JobRequestRow.__table__).where(JobRequestRow.job_id.in_(bindparam("of_jobs", expanding=True)))
_NEW_ATTEMPT, _NEW_EVENT = insert(ATTEMPTS), insert(EVENTS)
_CLOSE = (
    update(ATTEMPTS)
    .where(ATTEMPTS.c.job_id == bindparam("of_job"), ATTEMPTS.c.attempt == bindparam("number"))
    .values(ended_at=now(), outcome=bindparam("outcome"), record=bindparam("record"))
)
_FORGET = [
    delete(cast("Table", table.__table__)).where(table.job_id == bindparam("of_job"), table.iteration > bindparam("to"))
    for table in (LossRow, SnapshotRow)
]
_CONSEQUENCES = select(
    exists().where(DependencyRow.parent_id == bindparam("of_job")),
    exists().where(WorkerRow.name == bindparam("slot"), WorkerRow.failures > 0),
)


def slot_of(worker: str) -> str:
    """The name that a worker is listed by; in claims, that of its process follows."""
    return worker.partition(":")[0]


def takes_jobs(slot: ColumnElement[str]) -> ColumnElement[bool]:
    """Whether a slot may claim; one that is not listed, as an embedded farm's, may."""
    return ~exists().where(WorkerRow.name == slot, WorkerRow.state != WorkerState.ACTIVE)


def claim(session: Session, job_id: str, worker: str, lease: float, priority: int, *, limited: bool) -> JobRow | None:
    """Makes a queued job the worker's; one of a limited sweep only if `limited`, when there is room for it."""
    parameters = {"of_job": job_id, "by": worker, "slot": slot_of(worker), "lease": lease, "least": priority}
    return next(iter(_claimed(session, _claim(limited), parameters)), None)


def claim_like(session: Session, job: JobRow, worker: str, lease: float, count: int) -> list[JobRow]:
    """Makes up to `count` queued jobs the worker's that can be painted together with `job` and are as urgent."""
    same = {"key": job.batch_key, "urgency": job.priority, "count": count}
    jobs = _claimed(session, _claim_like(), {"by": worker, "lease": lease, **same})
    return sorted(jobs, key=lambda job: (job.created_at, job.position))


def begin_attempt(session: Session, job: JobRow) -> None:
    """Writes down an attempt that was just claimed; what earlier ones recorded after its checkpoint is dropped."""
    connection = session.connection()
    if job.attempt > 1:
        forget(session, job.id, -1 if job.checkpoint_iteration is None else job.checkpoint_iteration)
    connection.execute(_NEW_ATTEMPT, {"job_id": job.id, "attempt": job.attempt, "worker": job.worker, "record": {}})


def forget(session: Session, job_id: str, after: int = -1) -> None:
    """Drops the points of the curve and the snapshots that come after an iteration."""
    for statement in _FORGET:
        session.connection().execute(statement, {"of_job": job_id, "to": after})


def end(session: Session, kind: Move, fence: Fence, values: Mapping[str, Any]) -> str | None:
    """Ends a job that is still the fence's; its worker, or None if it is not."""
    parameters = {"of_job": fence.job_id, "number": fence.attempt, **values}
    row = session.connection().execute(_end(kind, tuple(values)), parameters).one_or_none()
    return None if row is None else str(row[0])


def close_attempt(session: Session, job_id: str, attempt: int, outcome: str, record: Mapping[str, Any]) -> None:
    """Writes down how an attempt ended."""
    parameters = {"of_job": job_id, "number": attempt, "outcome": str(outcome), "record": dict(record)}
    session.connection().execute(_CLOSE, parameters)


def note(session: Session, job_id: str, attempt: int, state: State, worker: str | None, reason: str) -> None:
    """Leaves the event of a move that was just made."""
    row = {"job_id": job_id, "attempt": attempt, "state": str(state), "worker": worker, "reason": reason}
    session.connection().execute(_NEW_EVENT, row)


def consequences(session: Session, job_id: str, worker: str) -> tuple[bool, bool]:
    """Whether others wait for a job, and whether something is counted against its worker: hardly ever either."""
    row = session.connection().execute(_CONSEQUENCES, {"of_job": job_id, "slot": slot_of(worker)}).one()
    return bool(row[0]), bool(row[1])


def _claimed(session: Session, statement: Executable, parameters: Mapping[str, Any]) -> list[JobRow]:
    """The jobs that a claim has made the worker's, with what they were asked for."""
    connection = session.connection()
    rows = connection.execute(statement, parameters).all()
    if not rows:
        return []
    found = connection.execute(_REQUESTS, {"of_jobs": [row.id for row in rows]})
    requests = {request.job_id: JobRequestRow(**request._mapping) for request in found}
    return [JobRow(**row._mapping, request=requests[row.id]) for row in rows]


@cache
def _claim(limited: bool) -> Executable:
    sources, _ = MOVES[Move.CLAIM]
    allowed = [] if limited else [~is_limited()]
    return _claiming(
        (JOBS.c.id == bindparam("of_job"))
        & JOBS.c.state.in_(sorted(sources))
        & (JOBS.c.priority >= bindparam("least"))
        & takes_jobs(bindparam("slot")),
        *allowed,
    )


@cache
def _claim_like() -> Executable:
    # In the words of the index, which a parameter in their place would keep from being used.
    waiting = (
        select(JOBS.c.id)
        .where(text(BATCHABLE), JOBS.c.batch_key == bindparam("key"), JOBS.c.priority == bindparam("urgency"))
        .where(~is_limited())
        .order_by(JOBS.c.created_at, JOBS.c.position)
        .limit(bindparam("count", type_=Integer))
        .with_for_update(skip_locked=True)
    )
    return _claiming(JOBS.c.id.in_(waiting))


def _claiming(*which: ColumnElement[bool]) -> Executable:
    return (
        update(JOBS)
        .where(*which)
        .values(
            state=MOVES[Move.CLAIM][1],
            attempt=JOBS.c.attempt + literal_column("1"),
            worker=bindparam("by"),
            lease_until=now(bindparam("lease", type_=Double)),
            started_at=now(),
            updated_at=now(),
            iteration=func.coalesce(JOBS.c.checkpoint_iteration, literal_column("0")),
            loss=None,
        )
        .returning(*JOBS.c)
    )


@cache
def _end(kind: Move, names: tuple[str, ...]) -> Executable:
    sources, target = MOVES[kind]
    if State.RUNNING not in sources:
        raise ValueError(f"{kind} is no move of a running job")
    held = (JOBS.c.id == bindparam("of_job")) & (JOBS.c.attempt == bindparam("number"))
    values: dict[str, Any] = {name: bindparam(name) for name in names}
    return (
        update(JOBS)
        .where(held, JOBS.c.state == State.RUNNING)
        .values(state=target, finished_at=now(), updated_at=now(), lease_until=None, **values)
        .returning(JOBS.c.worker)
    )
