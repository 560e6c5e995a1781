"""The tables, the same on SQLite (embedded) and PostgreSQL. `migrations/` is the only thing that creates them."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    ForeignKey,
    Index,
    String,
    and_,
    false,
    text,
)
from sqlalchemy.orm import Mapped, foreign, mapped_column, relationship

from stylefarm.shared.db import access_tables, library_tables, object_tables, review_tables
from stylefarm.shared.db.base import Base, Counter
from stylefarm.shared.db.clock import now
from stylefarm.shared.db.doubles import Doubles
from stylefarm.shared.db.states import ArtifactRole, State, WorkerState
from stylefarm.shared.queue.routes import DEFAULT_PRIORITY

# Imported so that their tables are among all of them.
OTHER_TABLES = (access_tables, library_tables, object_tables, review_tables)
METADATA = Base.metadata

# Jobs that may be rendered in a batch; one that has failed before is rendered alone.
BATCHABLE = "state = 'queued' AND attempt = 0 AND batch_key IS NOT NULL"


class SweepRow(Base):
    """A grid of jobs that were submitted together."""

    __tablename__ = "sweeps"

    id: Mapped[str] = mapped_column(String(36), primary_key=True, comment="Its id, a UUID.")
    name: Mapped[str] = mapped_column(comment="What its user calls it; several sweeps may have one name.")
    axes: Mapped[dict[str, Any]] = mapped_column(
        comment="For each axis of the grid its values as the user wrote them, in order."
    )
    created_at: Mapped[datetime] = mapped_column(default=now(), comment="When it was submitted.")
    max_running: Mapped[int | None] = mapped_column(comment="How many of its jobs may run at a time; null: any number.")
    key: Mapped[str | None] = mapped_column(
        String(64),
        index=True,
        unique=True,
        comment="The hash of the request, by which the sweep is found when it is submitted again; null: it is not.",
    )
    tags: Mapped[list[str]] = mapped_column(
        default=list, server_default="[]", comment="What its user wrote on it to find it again, sorted."
    )
    note: Mapped[str | None] = mapped_column(comment="What its user wrote about it.")
    parent_id: Mapped[str | None] = mapped_column(
        String(36), comment="The sweep from one of whose cells this one was made, which may be deleted; null: none."
    )


class SharedCellRow(Base):
    """A cell of a sweep whose job is another sweep's, or is in another cell, too."""

    __tablename__ = "shared_cells"

    sweep_id: Mapped[str] = mapped_column(
        ForeignKey("sweeps.id", ondelete="CASCADE"), primary_key=True, comment="The sweep that the cell is in."
    )
    position: Mapped[int] = mapped_column(
        primary_key=True, autoincrement=False, comment="The cell's place in that sweep."
    )
    cell: Mapped[dict[str, Any]] = mapped_column(comment="Its value on each axis of that sweep, as the user wrote it.")
    job_id: Mapped[str] = mapped_column(
        ForeignKey("jobs.id", ondelete="CASCADE"), index=True, comment="The job that renders it."
    )


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

    id: Mapped[str] = mapped_column(String(36), primary_key=True, comment="Its id, a UUID.")
    sweep_id: Mapped[str | None] = mapped_column(
        ForeignKey("sweeps.id", ondelete="CASCADE"), comment="The sweep that it is the own job of; null: none."
    )
    position: Mapped[int] = mapped_column(
        default=0, comment="The job's place in its sweep, counted in the order of the axes."
    )
    cell: Mapped[dict[str, Any]] = mapped_column(
        default=dict, comment="The job's value on each axis of its sweep, as the user wrote it."
    )
    spec_key: Mapped[str] = mapped_column(
        String(64), index=True, comment="The hash of its spec: jobs of one key render one picture."
    )
    content_name: Mapped[str] = mapped_column(comment="What its user calls the content.")
    style_name: Mapped[str] = mapped_column(comment="What its user calls the styles, joined by +.")
    created_at: Mapped[datetime] = mapped_column(default=now(), comment="When it was submitted.")
    device: Mapped[str] = mapped_column(
        String(8), default="auto", server_default="auto", comment="Where it may be rendered: auto, cpu or gpu."
    )
    label: Mapped[str] = mapped_column(
        String(64), default="", server_default="", comment="Only workers of this label take it; empty: any worker."
    )
    priority: Mapped[int] = mapped_column(
        default=DEFAULT_PRIORITY, server_default=str(DEFAULT_PRIORITY), comment="0 to 9; higher is rendered first."
    )
    time_limit: Mapped[float | None] = mapped_column(comment="Seconds that an attempt may take.")
    batch_key: Mapped[str | None] = mapped_column(
        String(32), comment="Jobs of one key may be rendered together; null: it is rendered alone."
    )
    max_attempts: Mapped[int | None] = mapped_column(
        comment="Attempts that may fail, in whatever way, before the job does."
    )

    state: Mapped[State] = mapped_column(
        String(16), default=State.QUEUED, comment="waiting, queued, running, paused, done, failed or cancelled."
    )
    attempt: Mapped[int] = mapped_column(
        default=0, comment="The number of its last attempt, from 1; 0 before the first."
    )
    worker: Mapped[str | None] = mapped_column(comment="Who has it, or had it last.")
    lease_until: Mapped[datetime | None] = mapped_column(
        comment="When its worker loses it unless the lease is renewed."
    )
    cancel_requested: Mapped[bool] = mapped_column(
        default=False, server_default=false(), comment="Whether its worker is to stop it."
    )
    pause_requested: Mapped[bool] = mapped_column(
        default=False, server_default=false(), comment="Whether its worker is to let it go until it is resumed."
    )
    updated_at: Mapped[datetime] = mapped_column(
        default=now(), onupdate=now(), comment="When the row was last written, but for leases."
    )
    started_at: Mapped[datetime | None] = mapped_column(comment="When its last attempt began.")
    finished_at: Mapped[datetime | None] = mapped_column(comment="When it ended, well or not; null before.")
    iteration: Mapped[int] = mapped_column(default=0, comment="The steps that are done.")
    iterations: Mapped[int] = mapped_column(comment="The steps that it takes, at all scales together.")
    loss: Mapped[float | None] = mapped_column(comment="The last total loss.")
    metrics: Mapped[dict[str, float]] = mapped_column(
        default=dict,
        server_default="{}",
        comment="What was measured of the result, by name; other names if another release rendered it.",
    )
    error_class: Mapped[str | None] = mapped_column(String(16), comment="The kind of its failure.")
    error: Mapped[str | None] = mapped_column(comment="Why it failed, in a sentence.")
    failures: Mapped[dict[str, int]] = mapped_column(
        default=dict, server_default="{}", comment="How many attempts failed, by kind (see shared/db/failures.py)."
    )

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

    job_id: Mapped[str] = mapped_column(ForeignKey("jobs.id", ondelete="CASCADE"), primary_key=True, comment="The job.")
    spec: Mapped[dict[str, Any]] = mapped_column(
        comment="What is rendered: every parameter; pictures by their SHA-256."
    )
    notes: Mapped[list[str]] = mapped_column(
        default=list, comment='What "auto" became, and what was converted, in words.'
    )
    loss_terms: Mapped[list[str]] = mapped_column(
        deferred=True,
        deferred_raiseload=True,
        comment='The names of the values of each point of the loss curve, in order, "total" first.',
    )
    tags: Mapped[list[str]] = mapped_column(
        default=list, server_default="[]", comment="What its user wrote on it to find it again, sorted."
    )
    note: Mapped[str | None] = mapped_column(comment="What its user wrote about it; `notes` are the farm's.")


class ArtifactRow(Base):
    """Something stored for a job in the object store: its result, a snapshot, a checkpoint."""

    __tablename__ = "artifacts"
    __table_args__ = (Index(None, "job_id", "role", "iteration", "key", unique=True), Index(None, "sha256"))

    id: Mapped[int] = mapped_column(Counter, primary_key=True, comment="A number of its own.")
    job_id: Mapped[str] = mapped_column(
        ForeignKey("jobs.id", ondelete="CASCADE"), comment="The job that it was stored for."
    )
    attempt: Mapped[int] = mapped_column(comment="The attempt that stored it.")
    role: Mapped[ArtifactRole] = mapped_column(
        String(16), comment="What it is to its job: result, snapshot, checkpoint."
    )
    iteration: Mapped[int] = mapped_column(comment="The steps after which it was taken.")
    key: Mapped[str] = mapped_column(comment="The key of its object.")
    sha256: Mapped[str] = mapped_column(String(64), comment="The hash of its bytes, in hex.")
    bytes: Mapped[int] = mapped_column(BigInteger, comment="The size of its object.")
    media_type: Mapped[str] = mapped_column(String(64), comment="The media type of its object, such as image/png.")
    width: Mapped[int | None] = mapped_column(
        comment="Pixels; null for what is no picture, and for what a release before artifacts stored."
    )
    height: Mapped[int | None] = mapped_column(comment="Pixels, as the width.")


class AttemptRow(Base):
    """One claim of a job by a worker, and how it ended."""

    __tablename__ = "attempts"
    # What workers have done of late is counted by it.
    __table_args__ = (Index(None, "ended_at"),)

    job_id: Mapped[str] = mapped_column(ForeignKey("jobs.id", ondelete="CASCADE"), primary_key=True, comment="The job.")
    attempt: Mapped[int] = mapped_column(primary_key=True, autoincrement=False, comment="Its number, from 1.")
    worker: Mapped[str] = mapped_column(comment="Who claimed the job.")
    started_at: Mapped[datetime] = mapped_column(default=now(), comment="When it was claimed.")
    ended_at: Mapped[datetime | None] = mapped_column(comment="When the attempt ended; null: it runs.")
    outcome: Mapped[str | None] = mapped_column(String(16), comment="How it ended, in a word; null: it runs.")
    record: Mapped[dict[str, Any]] = mapped_column(
        default=dict, comment="How it was computed: device, precision, versions, seconds."
    )


class EventRow(Base):
    """A move of a job, with its reason."""

    __tablename__ = "events"

    id: Mapped[int] = mapped_column(
        Counter, primary_key=True, comment="A number of its own; later events have higher ones."
    )
    job_id: Mapped[str] = mapped_column(ForeignKey("jobs.id", ondelete="CASCADE"), index=True, comment="The job.")
    at: Mapped[datetime] = mapped_column(default=now(), comment="When it happened.")
    attempt: Mapped[int] = mapped_column(comment="The job's attempt at that time.")
    state: Mapped[State] = mapped_column(String(16), comment="The state that the job has moved to.")
    worker: Mapped[str | None] = mapped_column(comment="The worker that moved it, if one did.")
    reason: Mapped[str] = mapped_column(comment="Why, in words.")


class LossRow(Base):
    """A point of a job's loss curve: the weighted losses of the picture after `iteration` steps."""

    __tablename__ = "loss_points"

    job_id: Mapped[str] = mapped_column(ForeignKey("jobs.id", ondelete="CASCADE"), primary_key=True, comment="The job.")
    iteration: Mapped[int] = mapped_column(
        primary_key=True, autoincrement=False, comment="The steps that were done; 0 is the start."
    )
    losses: Mapped[tuple[float, ...]] = mapped_column(
        Doubles, comment="One value for each of the job's `loss_terms`, in their order."
    )


class WeightsRow(Base):
    """Pretrained weights by name; the file is in the object store, under its hash."""

    __tablename__ = "weights"

    name: Mapped[str] = mapped_column(String(64), primary_key=True, comment="What specs call them.")
    sha256: Mapped[str] = mapped_column(String(64), comment="The hash of the file, and the name of its object.")
    architecture: Mapped[str] = mapped_column(String(16), comment="The network: vgg19, vgg16 or squeezenet.")
    source: Mapped[str] = mapped_column(
        comment='What the file was made from: the name of another, a URL, or "torchvision".'
    )
    bytes: Mapped[int] = mapped_column(BigInteger, comment="The size of the file.")
    created_at: Mapped[datetime] = mapped_column(default=now(), comment="When they were registered.")


class WebhookRow(Base):
    """A call that a sweep makes once, when an event has happened."""

    __tablename__ = "webhooks"

    sweep_id: Mapped[str] = mapped_column(
        ForeignKey("sweeps.id", ondelete="CASCADE"), primary_key=True, comment="The sweep."
    )
    event: Mapped[str] = mapped_column(
        String(16), primary_key=True, comment="failed: its first job has failed; ended: all have ended."
    )
    url: Mapped[str] = mapped_column(comment="The address that is called.")
    due_at: Mapped[datetime | None] = mapped_column(
        comment="When it is to be tried, or tried again; null: it has not happened yet."
    )
    tries: Mapped[int] = mapped_column(default=0, comment="How often it was tried.")
    delivered_at: Mapped[datetime | None] = mapped_column(comment="When it was answered well; null: it was not yet.")
    error: Mapped[str | None] = mapped_column(comment="Why the last try has failed.")


class LeaderLockRow(Base):
    """A lock for a task that one process at a time does for the whole farm: its holder, and when it expires."""

    __tablename__ = "leader_locks"

    name: Mapped[str] = mapped_column(String(64), primary_key=True, comment="The task.")
    holder: Mapped[str] = mapped_column(comment="The process that does it.")
    until: Mapped[datetime] = mapped_column(comment="When another may take it.")


class WorkerRow(Base):
    """A slot of a worker as it last reported; the jobs that it runs name it."""

    __tablename__ = "workers"

    name: Mapped[str] = mapped_column(
        primary_key=True, comment="The slot, such as gpu0@host; the processes in it add to that."
    )
    host: Mapped[str] = mapped_column(comment="Its machine.")
    device: Mapped[str] = mapped_column(String(8), comment="cpu or gpu.")
    queues: Mapped[list[str]] = mapped_column(comment="The queues that it takes jobs from.")
    labels: Mapped[list[str]] = mapped_column(comment="The labels whose jobs it takes, too.")
    state: Mapped[WorkerState] = mapped_column(
        String(16), default=WorkerState.ACTIVE, comment="active, draining or benched."
    )
    reason: Mapped[str | None] = mapped_column(comment="Why it takes no jobs.")
    trouble: Mapped[str | None] = mapped_column(
        comment="What is wrong with its process, which is started again; its supervisor reports it."
    )
    failures: Mapped[int] = mapped_column(
        default=0, comment="How many attempts in a row have failed here for infrastructure."
    )
    started_at: Mapped[datetime] = mapped_column(default=now(), comment="When it started.")
    seen_at: Mapped[datetime] = mapped_column(default=now(), comment="When it last reported.")


class DependencyRow(Base):
    """A job that waits until another one, its parent, is done."""

    __tablename__ = "dependencies"

    job_id: Mapped[str] = mapped_column(
        ForeignKey("jobs.id", ondelete="CASCADE"), primary_key=True, comment="The job that waits."
    )
    parent_id: Mapped[str] = mapped_column(
        ForeignKey("jobs.id", ondelete="CASCADE"),
        primary_key=True,
        index=True,
        comment="The job that must be done first.",
    )


def _has_role(role: ArtifactRole) -> ColumnElement[bool]:
    """Return the join from a job to its artifacts of one role, of which it has at most one."""
    return and_(JobRow.id == foreign(ArtifactRow.job_id), ArtifactRow.role == role)
