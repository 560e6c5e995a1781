"""The tables, the same on SQLite (embedded) and PostgreSQL. `migrations/` is the only thing that creates them."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Double,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    String,
    Text,
    and_,
    false,
    text,
)
from sqlalchemy.orm import DeclarativeBase, Mapped, foreign, mapped_column, relationship

from stylefarm.shared.db.clock import UtcDateTime, now
from stylefarm.shared.db.doubles import Doubles
from stylefarm.shared.db.json_values import JsonList, JsonObject
from stylefarm.shared.db.states import ArtifactRole, State, WorkerState
from stylefarm.shared.queue.routes import DEFAULT_PRIORITY

# SQLite assigns ids only to a column of type INTEGER.
Counter = BigInteger().with_variant(Integer, "sqlite")

# Jobs that may be rendered in a batch; one that has failed before is rendered alone.
BATCHABLE = "state = 'queued' AND attempt = 0 AND batch_key IS NOT NULL"


class Base(DeclarativeBase):
    """The base of all tables. Names every constraint, so that a migration can name it, too."""

    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "fk": "fk_%(table_name)s_%(column_0_name)s",
            "pk": "pk_%(table_name)s",
        }
    )
    type_annotation_map = {  # noqa: RUF012 - SQLAlchemy's own protocol
        datetime: UtcDateTime(),
        dict[str, Any]: JsonObject(),
        dict[str, int]: JsonObject(),
        dict[str, float]: JsonObject(),
        list[str]: JsonList(),
        float: Double(),
        str: Text(),
    }


class SweepRow(Base):
    """A grid of jobs that were submitted together."""

    __tablename__ = "sweeps"

    id: Mapped[str] = mapped_column(String(36), primary_key=True)
    name: Mapped[str]
    axes: Mapped[dict[str, Any]]
    """For each axis of the grid its values as the user wrote them, in order."""
    created_at: Mapped[datetime] = mapped_column(default=now())
    max_running: Mapped[int | None]
    """How many of its jobs may run at a time; None is any number."""
    key: Mapped[str | None] = mapped_column(String(64), index=True, unique=True)
    """The hash of the request, by which the sweep is found when it is submitted again; None: it is not."""
    tags: Mapped[list[str]] = mapped_column(default=list, server_default="[]")
    """What its user wrote on it to find it again, sorted."""
    note: Mapped[str | None]
    """What its user wrote about it."""


class SharedCellRow(Base):
    """A cell of a sweep whose job is another sweep's, or is in another cell, too."""

    __tablename__ = "shared_cells"

    sweep_id: Mapped[str] = mapped_column(ForeignKey("sweeps.id", ondelete="CASCADE"), primary_key=True)
    position: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    cell: Mapped[dict[str, Any]]
    job_id: Mapped[str] = mapped_column(ForeignKey("jobs.id", ondelete="CASCADE"), index=True)


class JobRow(Base):
    """One stylization. Every column below `state` is written by `stylefarm.shared.store` alone."""

    __tablename__ = "jobs"
    __table_args__ = (
        Index(None, "sweep_id", "position"),
        Index(None, "sweep_id", "state"),
        Index(None, "sweep_id", "updated_at"),
        Index(None, "state", "lease_until"),
        Index("ix_jobs_backlog", "state", "device", "label", "priority", "created_at", "position"),
        Index(
            "ix_jobs_batch",
            *("batch_key", "priority", "created_at", "position"),
            postgresql_where=text(BATCHABLE),
            sqlite_where=text(BATCHABLE),
        ),
    )

    id: Mapped[str] = mapped_column(String(36), primary_key=True)
    sweep_id: Mapped[str | None] = mapped_column(ForeignKey("sweeps.id", ondelete="CASCADE"))
    position: Mapped[int] = mapped_column(default=0)
    """The job's place in its sweep, counted in the order of the axes."""
    cell: Mapped[dict[str, Any]] = mapped_column(default=dict)
    """The job's value on each axis of its sweep, as the user wrote it."""
    spec_key: Mapped[str] = mapped_column(String(64), index=True)
    content_name: Mapped[str]
    style_name: Mapped[str]
    created_at: Mapped[datetime] = mapped_column(default=now())
    device: Mapped[str] = mapped_column(String(8), default="auto", server_default="auto")
    """Where it may be rendered: auto, cpu or gpu."""
    label: Mapped[str] = mapped_column(String(64), default="", server_default="")
    """Only workers of this label take it; an empty one is none."""
    priority: Mapped[int] = mapped_column(default=DEFAULT_PRIORITY, server_default=str(DEFAULT_PRIORITY))
    time_limit: Mapped[float | None]
    """Seconds that an attempt may take."""
    batch_key: Mapped[str | None] = mapped_column(String(32))
    """Jobs of one key may be rendered together; none: it is rendered alone."""
    max_attempts: Mapped[int | None]
    """Attempts that may fail, in whatever way, before the job does."""

    state: Mapped[State] = mapped_column(String(16), default=State.QUEUED)
    attempt: Mapped[int] = mapped_column(default=0)
    worker: Mapped[str | None]
    lease_until: Mapped[datetime | None]
    cancel_requested: Mapped[bool] = mapped_column(default=False, server_default=false())
    pause_requested: Mapped[bool] = mapped_column(default=False, server_default=false())
    updated_at: Mapped[datetime] = mapped_column(default=now(), onupdate=now())
    started_at: Mapped[datetime | None]
    finished_at: Mapped[datetime | None]
    iteration: Mapped[int] = mapped_column(default=0)
    iterations: Mapped[int]
    loss: Mapped[float | None]
    metrics: Mapped[dict[str, float]] = mapped_column(default=dict, server_default="{}")
    """What was measured of the result, by name; more or less than today's names if another release rendered it."""
    error_class: Mapped[str | None] = mapped_column(String(16))
    error: Mapped[str | None]
    failures: Mapped[dict[str, int]] = mapped_column(default=dict, server_default="{}")
    """How many attempts failed, by kind (`stylefarm.shared.db.failures`)."""

    request: Mapped[JobRequestRow] = relationship(lazy="joined", innerjoin=True, viewonly=True)
    result: Mapped[ArtifactRow | None] = relationship(
        lazy="joined", viewonly=True, uselist=False, primaryjoin=lambda: _has_role(ArtifactRole.RESULT)
    )
    """The artifact that a done job has; loaded with the job."""
    checkpoint: Mapped[ArtifactRow | None] = relationship(
        lazy="raise", viewonly=True, uselist=False, primaryjoin=lambda: _has_role(ArtifactRole.CHECKPOINT)
    )
    """The artifact that another attempt goes on from; loaded by `Queries.job` and by a claim."""

    @property
    def spec(self) -> dict[str, Any]:
        """What is to be rendered."""
        return self.request.spec

    @property
    def notes(self) -> list[str]:
        """The notes of its submission."""
        return self.request.notes

    @property
    def tags(self) -> list[str]:
        """What its user wrote on it to find it again."""
        return self.request.tags

    @property
    def note(self) -> str | None:
        """What its user wrote about it."""
        return self.request.note

    @property
    def loss_terms(self) -> list[str]:
        """The names of the values of each point of its loss curve, "total" first; loaded by `Queries.job`."""
        return self.request.loss_terms

    @property
    def is_to_be_smaller(self) -> bool:
        """Whether an attempt has run out of memory: the next one is to take less, whatever it costs in time."""
        return self.failures.get("memory", 0) > 0


class JobRequestRow(Base):
    """The request for a job: its spec, which never changes, and what its user wrote on it.

    A table of its own, since every move and every heartbeat rewrites a job's whole row.
    """

    __tablename__ = "job_requests"

    job_id: Mapped[str] = mapped_column(ForeignKey("jobs.id", ondelete="CASCADE"), primary_key=True)
    spec: Mapped[dict[str, Any]]
    notes: Mapped[list[str]] = mapped_column(default=list)
    """What "auto" became, and what was converted, in words."""
    loss_terms: Mapped[list[str]] = mapped_column(deferred=True, deferred_raiseload=True)
    """The names of the values of each point of the loss curve, in order, "total" first; loaded by `Queries.job`."""
    tags: Mapped[list[str]] = mapped_column(default=list, server_default="[]")
    """What its user wrote on it to find it again, sorted."""
    note: Mapped[str | None]
    """What its user wrote about it; `notes` are the farm's."""


class ArtifactRow(Base):
    """Something stored for a job in the object store: its result, a snapshot, a checkpoint."""

    __tablename__ = "artifacts"
    __table_args__ = (Index(None, "job_id", "role", "iteration", "key", unique=True),)

    id: Mapped[int] = mapped_column(Counter, primary_key=True)
    job_id: Mapped[str] = mapped_column(ForeignKey("jobs.id", ondelete="CASCADE"))
    attempt: Mapped[int]
    """The attempt that stored it."""
    role: Mapped[ArtifactRole] = mapped_column(String(16))
    iteration: Mapped[int]
    """The steps after which it was taken."""
    key: Mapped[str]
    sha256: Mapped[str] = mapped_column(String(64))
    bytes: Mapped[int] = mapped_column(BigInteger)
    media_type: Mapped[str] = mapped_column(String(64))
    width: Mapped[int | None]
    """Pixels; null for what is no picture, and for what a release before artifacts stored."""
    height: Mapped[int | None]


class AttemptRow(Base):
    """One claim of a job by a worker, and how it ended."""

    __tablename__ = "attempts"

    job_id: Mapped[str] = mapped_column(ForeignKey("jobs.id", ondelete="CASCADE"), primary_key=True)
    attempt: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    worker: Mapped[str]
    started_at: Mapped[datetime] = mapped_column(default=now())
    ended_at: Mapped[datetime | None]
    outcome: Mapped[str | None] = mapped_column(String(16))
    record: Mapped[dict[str, Any]] = mapped_column(default=dict)
    """How it was computed: device, precision, versions, seconds."""


class EventRow(Base):
    """A move of a job, with its reason."""

    __tablename__ = "events"

    id: Mapped[int] = mapped_column(Counter, primary_key=True)
    job_id: Mapped[str] = mapped_column(ForeignKey("jobs.id", ondelete="CASCADE"), index=True)
    at: Mapped[datetime] = mapped_column(default=now())
    attempt: Mapped[int]
    state: Mapped[State] = mapped_column(String(16))
    worker: Mapped[str | None]
    reason: Mapped[str]


class LossRow(Base):
    """A point of a job's loss curve: the weighted losses of the picture after `iteration` steps."""

    __tablename__ = "loss_points"

    job_id: Mapped[str] = mapped_column(ForeignKey("jobs.id", ondelete="CASCADE"), primary_key=True)
    iteration: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    losses: Mapped[tuple[float, ...]] = mapped_column(Doubles)
    """One value for each of the job's `loss_terms`, in their order."""


class WeightsRow(Base):
    """Pretrained weights by name; the file is in the object store, under its hash."""

    __tablename__ = "weights"

    name: Mapped[str] = mapped_column(String(64), primary_key=True)
    sha256: Mapped[str] = mapped_column(String(64))
    architecture: Mapped[str] = mapped_column(String(16))
    source: Mapped[str]
    """What the file was made from: the name of another, a URL, or "torchvision"."""
    bytes: Mapped[int] = mapped_column(BigInteger)
    created_at: Mapped[datetime] = mapped_column(default=now())


class WebhookRow(Base):
    """A call that a sweep makes once, when an event has happened."""

    __tablename__ = "webhooks"

    sweep_id: Mapped[str] = mapped_column(ForeignKey("sweeps.id", ondelete="CASCADE"), primary_key=True)
    event: Mapped[str] = mapped_column(String(16), primary_key=True)
    url: Mapped[str]
    due_at: Mapped[datetime | None]
    """When it is to be tried, or tried again; none: it has not happened yet."""
    tries: Mapped[int] = mapped_column(default=0)
    delivered_at: Mapped[datetime | None]
    error: Mapped[str | None]
    """Why the last try has failed."""


class LeaderLockRow(Base):
    """A lock for a task that one process at a time does for the whole farm: its holder, and when it expires."""

    __tablename__ = "leader_locks"

    name: Mapped[str] = mapped_column(String(64), primary_key=True)
    holder: Mapped[str]
    until: Mapped[datetime]


class WorkerRow(Base):
    """A slot of a worker as it last reported; the jobs that it runs name it."""

    __tablename__ = "workers"

    name: Mapped[str] = mapped_column(primary_key=True)
    host: Mapped[str]
    device: Mapped[str] = mapped_column(String(8))
    queues: Mapped[list[str]]
    labels: Mapped[list[str]]
    state: Mapped[WorkerState] = mapped_column(String(16), default=WorkerState.ACTIVE)
    reason: Mapped[str | None]
    """Why it takes no jobs."""
    trouble: Mapped[str | None]
    """What is wrong with its process, which is started again; its supervisor reports it."""
    failures: Mapped[int] = mapped_column(default=0)
    """How many attempts in a row have failed here for infrastructure."""
    started_at: Mapped[datetime] = mapped_column(default=now())
    seen_at: Mapped[datetime] = mapped_column(default=now())


class DependencyRow(Base):
    """A job that waits until another one, its parent, is done."""

    __tablename__ = "dependencies"

    job_id: Mapped[str] = mapped_column(ForeignKey("jobs.id", ondelete="CASCADE"), primary_key=True)
    parent_id: Mapped[str] = mapped_column(ForeignKey("jobs.id", ondelete="CASCADE"), primary_key=True, index=True)


class HeldObjectRow(Base):
    """An object of the store that something is about to name, and that must not be deleted until then."""

    __tablename__ = "held_objects"

    key: Mapped[str] = mapped_column(primary_key=True)
    holder: Mapped[str] = mapped_column(String(36), primary_key=True)
    """Who holds it: an id of the submission's own."""
    until: Mapped[datetime]
    """When it is held no more: at the end of the submission, or a day after its beginning."""
    named: Mapped[bool] = mapped_column(default=False, server_default=false())
    """Whether the submission has named it in the end."""


class DroppedObjectRow(Base):
    """An object, or a folder of them, that a deleted job has named: it is deleted unless something else names it."""

    __tablename__ = "dropped_objects"

    key: Mapped[str] = mapped_column(primary_key=True)
    dropped_at: Mapped[datetime] = mapped_column(default=now())
    emptied: Mapped[bool] = mapped_column(default=False, server_default=false())
    """Whether the objects of a folder were deleted already; what a late worker uploads is not there yet."""


def _has_role(role: ArtifactRole) -> ColumnElement[bool]:
    """Return the join from a job to its artifacts of one role, of which it has at most one."""
    return and_(JobRow.id == foreign(ArtifactRow.job_id), ArtifactRow.role == role)
