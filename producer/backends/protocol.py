"""What a Farm, its jobs and its sweeps ask of the farm behind them, in plain values."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, Literal, Protocol

from stylefarm.producer.views.status import Status
from stylefarm.shared.db.records import Deletion, JobSelector, StoredObject
from stylefarm.shared.db.states import State
from stylefarm.shared.db.tables import SweepRow
from stylefarm.shared.queries.jobs import Changes
from stylefarm.shared.queries.sweeps import StoredSnapshot
from stylefarm.shared.schema.documents import AttemptDocument, EventDocument
from stylefarm.shared.spec.marks import NO_MARKS, Marks
from stylefarm.shared.spec.ratings import Rating
from stylefarm.shared.spec.terms import DEFAULT_TERMS, Terms

if TYPE_CHECKING:
    from stylefarm.producer.grids import Grid
    from stylefarm.producer.views.losses import Losses
    from stylefarm.shared.spec.spec import JobSpec
    from stylefarm.shared.store.reviews import ReviewAction

Kind = Literal["job", "sweep"]
Action = Literal["cancel", "pause", "resume", "retry", "prioritize"]


@dataclass(frozen=True)
class Command:
    """What a user wants done to jobs: `priority` to prioritize; to retry, only `failed` ones, or `from_checkpoint`."""

    action: Action
    priority: int | None = None
    failed: bool = False
    from_checkpoint: bool = False


@dataclass(frozen=True)
class CommandCount:
    """The result of a command: how many jobs it has `changed`; `afresh` of these have no checkpoint to go on from."""

    changed: int
    afresh: int = 0


@dataclass(frozen=True)
class JobQuery:
    """Which jobs are wanted; what is empty filters nothing. A sweep is named by its whole id."""

    states: Sequence[State] = ()
    sweep: str | None = None
    where: Mapping[str, Sequence[Any]] | None = None
    since: datetime | None = None
    until: datetime | None = None
    tags: Sequence[str] = ()
    stars: int | None = None
    flags: Sequence[str] = ()


@dataclass(frozen=True)
class SweepFacts:
    """A sweep: what it is called, when it was submitted, its axes, and what its user wrote on it."""

    id: str
    name: str
    created_at: datetime
    axes: Mapping[str, Sequence[Any]]
    marks: Marks = NO_MARKS

    @classmethod
    def of(cls, row: SweepRow) -> SweepFacts:
        """Return what a row of the database says."""
        return cls(row.id, row.name, row.created_at, row.axes, Marks(tuple(row.tags), row.note))


@dataclass(frozen=True)
class ListedSweep:
    """A sweep in a list, and how many of its jobs are in each state; states without jobs are left out."""

    sweep: SweepFacts
    counts: Mapping[State, int]


@dataclass(frozen=True)
class History:
    """The events of a job and the attempts at it, oldest first."""

    events: Sequence[EventDocument]
    attempts: Sequence[AttemptDocument]


@dataclass(frozen=True)
class JobSubmission:
    """A job to submit; `force` renders once more what was rendered before."""

    spec: JobSpec
    terms: Terms = DEFAULT_TERMS
    marks: Marks = NO_MARKS
    force: bool = False


@dataclass(frozen=True)
class SubmittedJob:
    """The job that a submission led to, and whether it is new."""

    id: str
    created: bool


@dataclass(frozen=True)
class SweepSubmission:
    """A sweep to submit: a grid, its terms, those of them that were `given`, and the rest as `Farm.sweep` takes it."""

    grid: Grid
    terms: Terms
    given: Mapping[str, Any]
    max_running: int | None = None
    marks: Marks = NO_MARKS
    parent: str | None = None
    force: bool = False
    skip_bad: bool = False


@dataclass(frozen=True)
class SubmittedSweep:
    """The sweep that a submission led to, and what the submission did: see the attributes of Sweep."""

    sweep: SweepFacts
    created: frozenset[str]
    skipped: int = 0
    problems: Sequence[str] = ()
    kept: Sequence[str] = ()
    folded: str = ""


@dataclass(frozen=True)
class Forecast:
    """How many cells a sweep has, how many of them are still to be rendered, and how long that takes.

    `machine_hours` is what one worker alone would take.
    `known` pictures are rendered or submitted already, `new` ones are not; `hours` is for all new ones on `workers`,
    None where it is unknown, and `basis` says what it was computed from, or what is missing.

    Example:
        found = farm.forecast(grid)
        print(f"{found.new} of {found.cells} cells: {found.hours} hours on {found.workers} workers ({found.basis})")
    """

    cells: int
    axes: Mapping[str, Sequence[Any]]
    skipped: int
    known: int
    new: int
    hours: float | None
    machine_hours: float | None
    workers: int
    basis: str
    notes: Sequence[str]


class WaitTasks(Protocol):
    """What a program does for the farm while it waits for jobs."""

    renders: bool
    """Whether the jobs are rendered only while somebody waits."""

    def before_poll(self) -> None:
        """Do what is due before the jobs are looked at."""
        ...

    def after_poll(self, statuses: Sequence[Status]) -> None:
        """Do what follows from where they stand."""
        ...

    def rest(self, seconds: float) -> None:
        """Wait so long before the jobs are looked at again, or less where it is known that something has changed."""
        ...

    def close(self) -> None:
        """Let others do it."""
        ...


class PictureSource(Protocol):
    """Where stored pictures are fetched from."""

    def fetch(self, stored: StoredObject) -> bytes:
        """Return the bytes of a picture, checked by their hash.

        Raises NotFound if it was deleted; DamagedObject if other bytes come back.
        """
        ...


class Backend(PictureSource, Protocol):
    """A farm as its clients ask it. Ids are whole; every method may raise ServiceUnavailable, and NotMigrated."""

    @property
    def address(self) -> str:
        """Where it is, without passwords."""
        ...

    def close(self) -> None:
        """Let go of all connections."""
        ...

    def find(self, reference: str, kind: Kind | None = None) -> tuple[Kind, str]:
        """Return what a user calls so, of one kind or of either. Raises NotFound and InvalidRequest."""
        ...

    def statuses(self, ids: Sequence[str]) -> list[Status]:
        """Return where jobs stand, with ratings, in the order of the ids; unknown ids are left out."""
        ...

    def progress(self, ids: Sequence[str]) -> list[Status]:
        """Return the same for who asks often: the ratings may be missing, or of an earlier moment."""
        ...

    def rated(self, statuses: Sequence[Status]) -> list[Status]:
        """Return the same with the ratings of the user."""
        ...

    def jobs(self, query: JobQuery, limit: int | None) -> list[Status]:
        """Return jobs with ratings, newest first, those of one sweep in the order of its cells."""
        ...

    def losses(self, job_id: str) -> Losses:
        """Return the loss curve of a job. Raises NotFound."""
        ...

    def snapshots(self, job_id: str) -> list[StoredSnapshot]:
        """Return the snapshots of a job, by iteration."""
        ...

    def history(self, job_id: str) -> History:
        """Return what has happened to a job."""
        ...

    def sweep(self, sweep_id: str) -> SweepFacts:
        """Return a sweep. Raises NotFound."""
        ...

    def sweeps(self, limit: int, tags: Sequence[str] = ()) -> list[ListedSweep]:
        """Return the newest sweeps that have all of these tags."""
        ...

    def sweep_statuses(self, sweep_id: str, limit: int | None = None) -> list[Status]:
        """Return where the jobs of a sweep stand, with ratings, in the order of its cells."""
        ...

    def counts(self, sweep_id: str) -> dict[State, int]:
        """Return how many jobs of a sweep are in each state; states without jobs are left out."""
        ...

    def changes(self, sweep_id: str, cursor: datetime | None) -> Changes:
        """Return what has changed in a sweep since a cursor."""
        ...

    def failures(self, sweep_id: str, limit: int) -> list[Status]:
        """Return the jobs of a sweep that failed last, with ratings, the newest first."""
        ...

    def pace(self, sweep_id: str) -> float:
        """Return how many jobs of a sweep are done in a second."""
        ...

    def sweep_snapshots(self, sweep_id: str) -> dict[str, list[StoredSnapshot]]:
        """Return the snapshots of each job of a sweep that has any, by iteration."""
        ...

    def sweep_losses(self, sweep_id: str) -> Iterator[tuple[str, Losses]]:
        """Yield the loss curve of each job of a sweep that has one, with its id, in the order of its cells."""
        ...

    def wait_tasks(self, ids: Sequence[str]) -> WaitTasks:
        """Return what is done for the farm while a program waits for these jobs."""
        ...

    def command(self, selector: JobSelector, command: Command) -> CommandCount:
        """Carry out a command."""
        ...

    def mark(
        self, kind: Kind, row_id: str, add: Sequence[str] = (), remove: Sequence[str] = (), note: str | None = None
    ) -> Marks:
        """Add tags to a job or a sweep, remove some, and set its note; return what it has then. Raises NotFound."""
        ...

    def rate(self, changes: Mapping[str, Mapping[str, Any]]) -> Mapping[str, Rating]:
        """Change ratings of the user as one action; return those of the jobs. Raises NotFound and InvalidRequest."""
        ...

    def undo(self) -> ReviewAction | None:
        """Undo the newest action of the user; None if there is none."""
        ...

    def redo(self) -> ReviewAction | None:
        """Do again what was undone last; None if there is nothing."""
        ...

    def delete(self, jobs: Sequence[str], sweeps: Sequence[str]) -> Deletion:
        """Delete jobs and sweeps, all or none. Raises NotFound and InvalidRequest."""
        ...

    def submit(self, submission: JobSubmission) -> SubmittedJob:
        """Submit a job, unless it is there."""
        ...

    def submit_sweep(self, submission: SweepSubmission) -> SubmittedSweep:
        """Submit the jobs of a sweep that are not there yet."""
        ...

    def forecast(self, submission: SweepSubmission) -> Forecast:
        """Return what a sweep would ask of the farm; no job is stored."""
        ...
