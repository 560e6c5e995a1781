"""The statements that every job needs, to claim and to finish it, each built once.

Building a statement takes SQLAlchemy longer than the database takes to run it; a farm makes these moves all day.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any, NamedTuple, Protocol, cast

from sqlalchemy import (
    Column,
    ColumnElement,
    Connection,
    Double,
    Integer,
    Row,
    Table,
    bindparam,
    case,
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
from stylefarm.shared.db.records import Fence, StoredObject
from stylefarm.shared.db.states import MOVES, ArtifactRole, Move, State, WorkerState
from stylefarm.shared.db.tables import (
    BATCHABLE,
    ArtifactRow,
    AttemptRow,
    DependencyRow,
    EventRow,
    JobRequestRow,
    JobRow,
    LossRow,
    WorkerRow,
)
from stylefarm.shared.store.limits import is_limited

JOBS, REQUESTS, ATTEMPTS, EVENTS, ARTIFACTS, LOSSES, WORKERS = (
    cast("Table", table.__table__)
    for table in (JobRow, JobRequestRow, AttemptRow, EventRow, ArtifactRow, LossRow, WorkerRow)
)

# What a worker needs of a request.
_REQUEST = [REQUESTS.c.spec, REQUESTS.c.notes, REQUESTS.c.loss_terms]
_CHECKPOINT = select(ArtifactRow.__table__).where(
    ARTIFACTS.c.job_id == bindparam("of_job"), ARTIFACTS.c.role == ArtifactRole.CHECKPOINT
)
# Inline: the ids that the database assigns are not needed.
_NEW_ATTEMPT, _NEW_EVENT, _NEW_ARTIFACT = (insert(table).inline() for table in (ATTEMPTS, EVENTS, ARTIFACTS))
_CLOSE = (
    update(ATTEMPTS)
    .where(ATTEMPTS.c.job_id == bindparam("of_job"), ATTEMPTS.c.attempt == bindparam("number"))
    .values(ended_at=now(), outcome=bindparam("outcome"), record=bindparam("record"))
)
_FORGET = [
    delete(LOSSES).where(LOSSES.c.job_id == bindparam("of_job"), LOSSES.c.iteration > bindparam("to")),
    delete(ARTIFACTS).where(
        ARTIFACTS.c.job_id == bindparam("of_job"),
        ARTIFACTS.c.role == ArtifactRole.SNAPSHOT,
        ARTIFACTS.c.iteration > bindparam("to"),
    ),
]


class MovedJob(Protocol):
    """The columns that an event records of a job that has just moved."""

    @property
    def id(self) -> str:
        """The job's id."""
        ...

    @property
    def attempt(self) -> int:
        """Its attempt."""
        ...

    @property
    def state(self) -> State:
        """Its new state."""
        ...

    @property
    def worker(self) -> str | None:
        """Its worker, if it has one."""
        ...


class FinishedJob(NamedTuple):
    """A job that has just been finished, and what else must be done then, which is rare."""

    id: str
    attempt: int
    state: State
    worker: str
    iteration: int
    has_children: bool
    worker_has_failures: bool
    has_checkpoint: bool


def slot_of(worker: str) -> str:
    """Return the name that a worker is listed by; in claims, that of its process follows."""
    return worker.partition(":")[0]


def takes_jobs(slot: ColumnElement[str]) -> ColumnElement[bool]:
    """Return whether a slot may claim; one that is not listed, as an embedded farm's, may."""
    return ~exists().where(WorkerRow.name == slot, WorkerRow.state != WorkerState.ACTIVE)


def claim(session: Session, job_id: str, worker: str, lease: float, priority: int, *, limited: bool) -> JobRow | None:
    """Make a queued job the worker's; one of a limited sweep only if `limited`, when there is room for it."""
    parameters = {"of_job": job_id, "by": worker, "slot": slot_of(worker), "lease": lease, "least": priority}
    return next(iter(_claimed(session, _claim(limited), parameters)), None)


def claim_like(session: Session, job: JobRow, worker: str, lease: float, count: int) -> list[JobRow]:
    """Make up to `count` queued jobs the worker's that can be rendered together with `job` and are as urgent."""
    same = {"key": job.batch_key, "urgency": job.priority, "count": count}
    jobs = _claimed(session, _claim_like(), {"by": worker, "lease": lease, **same})
    return sorted(jobs, key=lambda job: (job.created_at, job.position))


def begin_attempt(session: Session, job: JobRow) -> None:
    """Insert the row of an attempt that was just claimed, and drop what earlier ones recorded after its checkpoint."""
    connection = session.connection()
    if job.attempt > 1:
        forget(session, job.id, -1 if job.checkpoint is None else job.checkpoint.iteration)
    connection.execute(_NEW_ATTEMPT, {"job_id": job.id, "attempt": job.attempt, "worker": job.worker, "record": {}})


def forget(session: Session, job_id: str, after: int = -1) -> None:
    """Delete the points of the curve and the snapshots that come after an iteration."""
    for statement in _FORGET:
        session.connection().execute(statement, {"of_job": job_id, "to": after})


def finish(session: Session, fence: Fence, result: StoredObject, metrics: Mapping[str, float]) -> FinishedJob | None:
    """Finish a job that is still the fence's, and insert its result: running -> done. None if it is not."""
    connection = session.connection()
    parameters = {"of_job": fence.job_id, "number": fence.attempt, "metrics": dict(metrics)}
    row = connection.execute(_finish(), parameters).one_or_none()
    if row is None:
        return None
    add_artifact(session, fence, ArtifactRole.RESULT, row[1], result)
    worker, iteration, *consequences = row
    return FinishedJob(fence.job_id, fence.attempt, State.DONE, str(worker), iteration, *map(bool, consequences))


def add_artifact(session: Session, fence: Fence, role: ArtifactRole, iteration: int, stored: StoredObject) -> None:
    """Insert what an attempt has stored for its job."""
    place = {"job_id": fence.job_id, "attempt": fence.attempt, "role": str(role), "iteration": iteration}
    session.connection().execute(_NEW_ARTIFACT, {**place, **artifact_values(stored)})


def artifact_values(stored: StoredObject) -> dict[str, Any]:
    """Return the columns of an artifact that are about its object."""
    return {**vars(stored), "media_type": stored.media_type}


def close_attempt(session: Session, job: MovedJob, outcome: str, record: Mapping[str, Any]) -> None:
    """Record how the job's present attempt ended."""
    parameters = {"of_job": job.id, "number": job.attempt, "outcome": str(outcome), "record": dict(record)}
    session.connection().execute(_CLOSE, parameters)


def add_event(session: Session, job: MovedJob, reason: str) -> None:
    """Insert the event of a move that was just made."""
    event = {"job_id": job.id, "attempt": job.attempt, "state": str(job.state), "worker": job.worker, "reason": reason}
    session.connection().execute(_NEW_EVENT, event)


def _claimed(session: Session, statement: Executable, parameters: Mapping[str, Any]) -> list[JobRow]:
    """Return the jobs that a claim has made the worker's, with their requests and checkpoints."""
    connection = session.connection()
    return [_job(connection, row) for row in connection.execute(statement, parameters)]


def _job(connection: Connection, row: Row[Any]) -> JobRow:
    columns = dict(zip(JOBS.c.keys(), row, strict=False))
    asked = dict(zip((column.name for column in _REQUEST), row[len(columns) :], strict=True))
    found = None
    if columns["attempt"] > 1:
        found = connection.execute(_CHECKPOINT, {"of_job": columns["id"]}).one_or_none()
    checkpoint = None if found is None else ArtifactRow(**found._mapping)
    return JobRow(**columns, request=JobRequestRow(job_id=columns["id"], **asked), checkpoint=checkpoint)


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
    # The same literals as in the index: with parameters in their place, it would not be used.
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
            iteration=case((JOBS.c.attempt == literal_column("0"), literal_column("0")), else_=_checkpointed()),
            loss=None,
        )
        # Loaded with the job, which saves a second query.
        .returning(*JOBS.c, *(_of_request(column) for column in _REQUEST))
    )


def _checkpointed() -> ColumnElement[int]:
    """Return the iteration of the job's checkpoint, or 0."""
    of_job = (ARTIFACTS.c.job_id == JOBS.c.id) & (ARTIFACTS.c.role == ArtifactRole.CHECKPOINT)
    newest = select(func.max(ARTIFACTS.c.iteration)).where(of_job).correlate(JOBS).scalar_subquery()
    return func.coalesce(newest, literal_column("0"))


def _of_request(column: Column[Any]) -> ColumnElement[Any]:
    return select(column).where(REQUESTS.c.job_id == JOBS.c.id).correlate(JOBS).scalar_subquery().label(column.name)


@cache
def _finish() -> Executable:
    sources, target = MOVES[Move.FINISH]
    fenced = (JOBS.c.id == bindparam("of_job")) & (JOBS.c.attempt == bindparam("number"))
    # The name of a worker is that of its slot, or begins with it and a colon.
    of_slot = func.substr(JOBS.c.worker, 1, func.length(WORKERS.c.name) + 1)
    by_slot = (JOBS.c.worker == WORKERS.c.name) | (of_slot == WORKERS.c.name + ":")
    # By the parameter: for SQLite, SQLAlchemy leaves out the table of what is returned, and artifacts have ids, too.
    children = exists().where(DependencyRow.parent_id == bindparam("of_job"))
    failures = exists().where(WORKERS.c.failures > 0, by_slot).correlate(JOBS)
    checkpoint = exists().where(ARTIFACTS.c.job_id == bindparam("of_job"), ARTIFACTS.c.role == ArtifactRole.CHECKPOINT)
    return (
        update(JOBS)
        .where(fenced, JOBS.c.state.in_(sorted(sources)))
        .values(state=target, finished_at=now(), updated_at=now(), lease_until=None, metrics=bindparam("metrics"))
        .returning(JOBS.c.worker, JOBS.c.iteration, children, failures, checkpoint)
    )
