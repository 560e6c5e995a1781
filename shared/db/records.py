"""What is handed to the store and comes back from it, as values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy import ColumnElement

from stylefarm.shared.db.tables import JobRow
from stylefarm.shared.spec.terms import DEFAULT_TERMS, Terms

if TYPE_CHECKING:
    from stylefarm.shared.spec.spec import JobSpec


@dataclass(frozen=True)
class NewJob:
    """A job as it is submitted: a resolved spec, what the user called things, and how it is to be done."""

    spec: JobSpec
    content_name: str
    style_name: str
    notes: Sequence[str] = ()
    cell: Mapping[str, Any] | None = None
    terms: Terms = DEFAULT_TERMS
    batch_key: str | None = None
    """`stylefarm.shared.spec.batching.batch_key`: with which others it may be painted."""


@dataclass(frozen=True)
class JobSelector:
    """Which jobs are meant: one, or all of a sweep."""

    job: str | None = None
    sweep: str | None = None

    @property
    def condition(self) -> ColumnElement[bool]:
        """The same for the database. Raises ValueError unless it is one of the two."""
        if (self.job is None) == (self.sweep is None):
            raise ValueError("one of a job and a sweep is meant")
        return JobRow.sweep_id == self.sweep if self.job is None else JobRow.id == self.job


@dataclass(frozen=True)
class CommandResult:
    """What became of a user's wish: the jobs that were changed, and those whose workers were asked to."""

    changed: Sequence[str]
    requested: Sequence[str] = ()

    def __len__(self) -> int:
        return len(self.changed) + len(self.requested)


@dataclass(frozen=True)
class Submission:
    """What became of a submitted sweep: its id, the job of each cell in order, and the jobs that it has queued.

    `new` says that no such sweep was there: then what it queued has the terms that were given.
    """

    sweep_id: str
    ids: Sequence[str]
    queued: frozenset[str]
    new: bool


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
class Checkpoint:
    """A stored state that a job can be gone on with, after `iteration` steps, and the attempt that stored it."""

    stored: StoredObject
    iteration: int
    attempt: int

    @classmethod
    def of(cls, job: JobRow) -> Checkpoint | None:
        """The one that the job's row names, if it does."""
        if job.checkpoint_key is None or job.checkpoint_sha256 is None:
            return None
        stored = StoredObject(job.checkpoint_key, job.checkpoint_sha256, job.checkpoint_bytes or 0)
        return cls(stored, job.checkpoint_iteration or 0, job.checkpoint_attempt or 0)


# The columns of a job that names none.
NO_CHECKPOINT: dict[str, Any] = {
    "checkpoint_key": None,
    "checkpoint_sha256": None,
    "checkpoint_bytes": None,
    "checkpoint_iteration": None,
    "checkpoint_attempt": None,
}


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
    """What a worker hears of its job when it renews the lease or records: if it is still ours, what its user wants.

    True as long as the job is ours.
    """

    ours: bool
    cancel: bool = False
    pause: bool = False

    def __bool__(self) -> bool:
        return self.ours
