"""Values that callers of the store pass in and get back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import astuple, dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Generic

from sqlalchemy import ColumnElement
from typing_extensions import TypeVar

from stylefarm.shared.db.listed import is_listed
from stylefarm.shared.db.tables import ArtifactRow, JobRow
from stylefarm.shared.spec.marks import NO_MARKS, Marks
from stylefarm.shared.spec.terms import DEFAULT_TERMS, Terms

if TYPE_CHECKING:
    from stylefarm.shared.spec.kinds import AnySpec
    from stylefarm.shared.spec.spec import JobSpec


SpecT = TypeVar("SpecT", bound="AnySpec", covariant=True, default="JobSpec")


@dataclass(frozen=True)
class NewJob(Generic[SpecT]):
    """A job to submit: a resolved spec, the user's names of its pictures, its terms and marks."""

    spec: SpecT
    content_name: str
    style_name: str
    notes: Sequence[str] = ()
    cell: Mapping[str, Any] | None = None
    terms: Terms = DEFAULT_TERMS
    batch_key: str | None = None
    """`stylefarm.shared.spec.batching.batch_key`: with which others it may be rendered."""
    marks: Marks = NO_MARKS

    @cached_property
    def document(self) -> str:
        """The spec as JSON, as it is stored."""
        return self.spec.document()

    @cached_property
    def key(self) -> str:
        """The content hash of the spec, by which a picture that is there already is found."""
        # Imported here: JobSpec takes a while to import, and programs that only read do not need it.
        from stylefarm.shared.spec.spec import content_key

        return content_key(self.document)


@dataclass(frozen=True)
class JobSelector:
    """A selection of jobs: one, several, or all of a sweep."""

    job: str | None = None
    sweep: str | None = None
    jobs: Sequence[str] | None = None

    @property
    def condition(self) -> ColumnElement[bool]:
        """The same for the database. Raises ValueError unless it is one of the three."""
        if [self.job, self.sweep, self.jobs].count(None) != 2:
            raise ValueError("one of a job, several, and a sweep is meant")
        if self.jobs is not None:
            return is_listed(JobRow.id, self.jobs)
        return JobRow.sweep_id == self.sweep if self.job is None else JobRow.id == self.job


@dataclass(frozen=True)
class CommandResult:
    """The result of a command: the jobs that were changed, and the running ones whose workers were asked to."""

    changed: Sequence[str]
    requested: Sequence[str] = ()

    def __len__(self) -> int:
        return len(self.changed) + len(self.requested)


@dataclass(frozen=True)
class Deletion:
    """What was deleted: sweeps, jobs, and what was stored for these; `kept` are jobs that other sweeps share.

    `objects` and `bytes` are of results, snapshots and checkpoints; `inputs` counts pictures and weights that no job
    names any more.
    """

    sweeps: int = 0
    jobs: int = 0
    kept: int = 0
    objects: int = 0
    bytes: int = 0
    inputs: int = 0

    def __add__(self, other: Deletion) -> Deletion:
        return Deletion(*(mine + theirs for mine, theirs in zip(astuple(self), astuple(other), strict=True)))


@dataclass(frozen=True)
class Submission:
    """The result of submitting a sweep: its id, the job of each cell in order, and the jobs that were queued.

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
    """An object that was written to the object store: key, SHA-256 in hex, size in bytes.

    `width` and `height` are a picture's, in pixels, where they are known.
    """

    key: str
    sha256: str
    bytes: int
    width: int | None = None
    height: int | None = None

    @property
    def media_type(self) -> str:
        """The media type that the key's suffix stands for, e.g. "image/png"."""
        return MEDIA_TYPES.get(self.key.rpartition(".")[2].lower(), "application/octet-stream")


# Content types by the suffix of an object's key.
MEDIA_TYPES = {
    "png": "image/png",
    "jpeg": "image/jpeg",
    "webp": "image/webp",
    "avif": "image/avif",
    "tiff": "image/tiff",
}


@dataclass(frozen=True)
class Checkpoint:
    """A stored state that a job can be resumed from, after `iteration` steps, and the attempt that stored it."""

    stored: StoredObject
    iteration: int
    attempt: int

    @classmethod
    def of(cls, job: JobRow) -> Checkpoint | None:
        """Return the one that a job has, or None."""
        row = job.checkpoint
        return None if row is None else cls(stored_object(row), row.iteration, row.attempt)


def stored_object(row: ArtifactRow) -> StoredObject:
    """Return the object that an artifact names."""
    return StoredObject(row.key, row.sha256, row.bytes, row.width, row.height)


@dataclass(frozen=True)
class LossPoint:
    """The weighted losses of the picture after `iteration` steps, in the order of the job's loss terms, total first."""

    iteration: int
    losses: tuple[float, ...]

    @property
    def total(self) -> float:
        """The sum of the terms."""
        return self.losses[0]


@dataclass(frozen=True)
class Heartbeat:
    """The answer to a worker that renews its lease or records: whether it still has the job, and the user's requests.

    True as long as the job is ours.
    """

    ours: bool
    cancel: bool = False
    pause: bool = False

    def __bool__(self) -> bool:
        return self.ours
