"""Everything a farm has stored, read at once as plain values, so that its invariants are functions of it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, TypeVar

from sqlalchemy import select

from stylefarm.shared.blobs.manifest import read_manifest
from stylefarm.shared.blobs.storage import BlobStore
from stylefarm.shared.db.object_tables import HeldObjectRow
from stylefarm.shared.db.states import State
from stylefarm.shared.db.tables import ArtifactRow, AttemptRow, DependencyRow, EventRow, JobRow, LossRow, SweepRow
from stylefarm.shared.spec.spec import JobSpec
from stylefarm.shared.spec.training import TrainingSpec
from stylefarm.shared.store.object_names import datasets_in, hashes_in
from tests.faults.environment import Environment

# Where the objects are that specs name.
FOLDERS = ("inputs", "weights", "models", "datasets")


@dataclass(frozen=True)
class NamedObject:
    """An object that a row names."""

    job: str
    key: str
    sha256: str
    bytes: int


@dataclass(frozen=True)
class JobFacts:
    """A job's row, as far as the invariants need it."""

    id: str
    spec_key: str
    state: State
    attempt: int
    iterations: int
    sweep: str | None = None
    result: NamedObject | None = None
    error: str | None = None
    error_class: str | None = None
    inputs: frozenset[str] = frozenset()
    """The keys of what it is rendered from: pictures, weights, models, and data sets with their pictures."""
    kind: str = JobSpec.kind
    has_curve: bool = True
    """Whether it is optimized or trained: a model makes its picture in one pass, without losses."""


@dataclass(frozen=True)
class AttemptFacts:
    """A claim of a job."""

    job: str
    attempt: int
    worker: str
    started_at: datetime
    ended_at: datetime | None
    outcome: str | None
    record: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class EventFacts:
    """A move of a job."""

    job: str
    at: datetime
    attempt: int
    state: State
    reason: str


OfJob = TypeVar("OfJob", AttemptFacts, EventFacts)


@dataclass(frozen=True)
class Facts:
    """The tables, each in the order in which things happened, and what lies in the bucket."""

    jobs: Mapping[str, JobFacts]
    attempts: Mapping[str, Sequence[AttemptFacts]]
    events: Mapping[str, Sequence[EventFacts]]
    curves: Mapping[str, Sequence[tuple[int, float]]]
    """Iteration and total loss, by iteration."""
    named: Sequence[NamedObject]
    """Results, snapshots and checkpoints."""
    objects: Mapping[str, str]
    """The SHA-256 of every object, by its key."""
    held: frozenset[str] = frozenset()
    """The keys of objects that a row may still come to name."""
    limits: Mapping[str, int] = field(default_factory=dict)
    """How many jobs of a sweep may run at a time."""
    parents: Mapping[str, Sequence[str]] = field(default_factory=dict)


def facts_of(farm: Environment) -> Facts:
    """Read everything that a farm has stored, when all its jobs have ended."""
    jobs = [job for (job,) in farm.rows(select(JobRow))]
    attempts = farm.rows(select(AttemptRow).order_by(AttemptRow.attempt))
    events = farm.rows(select(EventRow).order_by(EventRow.id))
    losses = [
        (job_id, iteration, values[0])
        for job_id, iteration, values in farm.rows(
            select(LossRow.job_id, LossRow.iteration, LossRow.losses).order_by(LossRow.iteration)
        )
    ]
    artifacts = [
        NamedObject(row.job_id, row.key, row.sha256, row.bytes)
        for (row,) in farm.rows(select(ArtifactRow).order_by(ArtifactRow.key))
    ]
    blobs = farm.truth.blobs
    return Facts(
        {job.id: _job(job, blobs) for job in jobs},
        _by_job([_attempt(row) for (row,) in attempts]),
        _by_job([EventFacts(row.job_id, row.at, row.attempt, State(row.state), row.reason) for (row,) in events]),
        _curves(losses),
        artifacts,
        {key: hashlib.sha256(blobs.get(key)).hexdigest() for key in blobs.keys("")},
        frozenset(key for (key,) in farm.rows(select(HeldObjectRow.key))),
        dict(farm.rows(select(SweepRow.id, SweepRow.max_running).where(SweepRow.max_running.is_not(None)))),
        _parents(farm.rows(select(DependencyRow.job_id, DependencyRow.parent_id))),
    )


def _job(job: JobRow, blobs: BlobStore) -> JobFacts:
    document, kind = json.dumps(job.spec), job.spec.get("kind", JobSpec.kind)
    pictures = [picture.sha256 for found in datasets_in(document) for picture in read_manifest(blobs, found).pictures]
    named = (*hashes_in(document), *pictures)
    return JobFacts(
        job.id,
        # Trainings that differ in the name of their model alone are to give the same curve.
        json.dumps({**job.spec, "name": None}) if kind == TrainingSpec.kind else job.spec_key,
        State(job.state),
        job.attempt,
        job.iterations,
        job.sweep_id,
        _result(job),
        job.error,
        job.error_class,
        frozenset(f"{folder}/{sha256}" for folder in FOLDERS for sha256 in named),
        kind,
        not job.spec.get("model"),
    )


def _result(job: JobRow) -> NamedObject | None:
    found = job.result
    return None if found is None else NamedObject(job.id, found.key, found.sha256, found.bytes)


def _attempt(row: AttemptRow) -> AttemptFacts:
    return AttemptFacts(row.job_id, row.attempt, row.worker, row.started_at, row.ended_at, row.outcome, row.record)


def _by_job(rows: Sequence[OfJob]) -> dict[str, list[OfJob]]:
    found: dict[str, list[OfJob]] = {}
    for row in rows:
        found.setdefault(row.job, []).append(row)
    return found


def _curves(rows: Sequence[Any]) -> dict[str, list[tuple[int, float]]]:
    found: dict[str, list[tuple[int, float]]] = {}
    for job_id, iteration, total in rows:
        found.setdefault(job_id, []).append((iteration, total))
    return found


def _parents(rows: Sequence[Any]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for job_id, parent in rows:
        found.setdefault(job_id, []).append(parent)
    return found
