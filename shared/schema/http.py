"""The answers of the HTTP API on pictures, jobs, sweeps and cells, one JSON object for each route."""

from __future__ import annotations

from typing import Any, Literal, NotRequired

from typing_extensions import TypedDict

from stylefarm.shared.schema.documents import (
    EventDocument,
    JobChangeDocument,
    JobDocument,
    StoredSnapshotDocument,
)
from stylefarm.shared.schema.http_reviews import RatingDocument

Links = dict[str, str]
Counts = dict[str, int]


class UploadedImage(TypedDict):
    """A picture that was sent in: `address` is what specs call it, `notes` say what was changed to read it."""

    address: str
    sha256: str
    width: int
    height: int
    bytes: int
    notes: list[str]


class UploadAnswer(TypedDict):
    """The picture that was stored."""

    image: UploadedImage


class HeldAnswer(TypedDict):
    """The hashes of the pictures that are not here."""

    missing: list[str]


class LinkedJob(TypedDict):
    """A job, and the addresses of what belongs to it."""

    job: JobDocument
    links: Links


class ListedJob(LinkedJob):
    """A job in a list, with the rating of whoever asks."""

    rating: RatingDocument


class JobsPage(TypedDict):
    """Jobs, and the cursor of the next page; null on the last one."""

    jobs: list[ListedJob]
    next: str | None


class SubmittedJobAnswer(LinkedJob):
    """The job; `created` is false where it was rendered before."""

    created: bool


class JobsAnswer(TypedDict):
    """Jobs."""

    jobs: list[LinkedJob]


class ProgressAnswer(TypedDict):
    """How far a job is."""

    id: str
    state: str
    attempt: int
    iteration: int
    loss: float | None
    updated_at: str


class LossesAnswer(TypedDict):
    """A loss curve: the values of each term at each iteration, weighted, the total first."""

    terms: list[str]
    iteration: list[int]
    values: dict[str, list[float | None]]


class LossCurvesAnswer(TypedDict):
    """The loss curves of several jobs, by their ids."""

    losses: dict[str, LossesAnswer]


class SnapshotsAnswer(TypedDict):
    """The snapshots of a job, by iteration."""

    snapshots: list[StoredSnapshotDocument]


class StoredAttempt(TypedDict):
    """One claim of a job by a worker, how it ended, and the record of how it was computed."""

    attempt: int
    worker: str
    started_at: str
    ended_at: str | None
    outcome: str | None
    record: dict[str, Any]


class HistoryAnswer(TypedDict):
    """The attempts at a job and its events, oldest first."""

    attempts: list[StoredAttempt]
    events: list[EventDocument]


class ActionAnswer(LinkedJob):
    """The job after an action: how many jobs it has changed, 0 or 1, and whether it begins afresh."""

    changed: int
    afresh: int


class LinkedSweepDocument(TypedDict):
    """A sweep; `parent` is the sweep from one of whose cells it was made."""

    id: str
    name: str
    created_at: str
    tags: list[str]
    note: str | None
    parent: str | None


class ListedSweep(TypedDict):
    """A sweep, the values of its axes, and how many of its jobs are in each state."""

    sweep: LinkedSweepDocument
    axes: dict[str, list[Any]]
    counts: Counts
    links: Links


class SweepsPage(TypedDict):
    """Sweeps, and the cursor of the next page; null on the last one."""

    sweeps: list[ListedSweep]
    next: str | None


class SweepAnswer(ListedSweep):
    """The same, with its pace over the last ten minutes."""

    done_per_second: float


class SubmittedSweepAnswer(TypedDict):
    """The sweep, the jobs that were queued for it, and sentences on what was left out, kept and folded."""

    sweep: LinkedSweepDocument
    axes: dict[str, list[Any]]
    links: Links
    created: int
    created_jobs: list[str]
    skipped: int
    problems: list[str]
    kept: list[str]
    folded: str


class ValidatedSweepAnswer(TypedDict):
    """What a sweep would ask of the farm: `known` pictures are there, `seconds` are null where they are unknown."""

    jobs: int
    known: int
    new: int
    skipped: int
    seconds: float | None
    worker_seconds: float | None
    workers: int
    basis: str
    axes: dict[str, list[Any]]
    notes: list[str]


class SweepActionAnswer(TypedDict):
    """How many cells were selected, how many jobs were changed, and how many are in each state now."""

    changed: int
    afresh: int
    cells: int
    counts: Counts


class ImportanceAnswer(TypedDict):
    """By metric and axis, 0 to 1: what the axis has to do with the metric; null where that cannot be said."""

    method: Literal["eta_squared", "ped_anova"]
    metrics: dict[str, dict[str, float | None]]


class VariedParameter(TypedDict):
    """A parameter that may be varied: its value, and others around it."""

    name: str
    kind: Literal["number", "choice"]
    value: Any
    suggested: list[Any]
    low: NotRequired[float]
    high: NotRequired[float]


class VariationsAnswer(TypedDict):
    """The beginning of a sweep like a cell."""

    base: dict[str, Any]
    axes: list[VariedParameter]
    job: str
    parent: str


class ChangesAnswer(TypedDict):
    """The jobs that have changed, and the cursor to ask with next."""

    changes: list[JobChangeDocument]
    cursor: str


class SweepSnapshotsAnswer(TypedDict):
    """The snapshots of each job that has any, by its id."""

    snapshots: dict[str, list[StoredSnapshotDocument]]


class CellColumns(TypedDict):
    """Cells in columns: the same place in each is the same cell.

    `at` has for each axis the place of the value in its `values`, `state` the place in `states`; `picture` is the hash
    of the newest picture.
    """

    position: list[int]
    job: list[str]
    at: list[list[int | None]]
    state: list[int]
    iteration: list[int]
    iterations: list[int]
    loss: list[float | None]
    picture: list[str | None]
    picture_iteration: list[int | None]
    metrics: dict[str, list[float | None]]
    error: list[str | None]
    stars: list[int | None]
    flag: list[str | None]


class CellChangesAnswer(TypedDict):
    """The cells that have changed since a cursor, and the cursor to ask with next."""

    cursor: str
    counts: Counts
    cells: CellColumns


class AxisDocument(TypedDict):
    """An axis: its values, how each is labelled, and the hash of the picture that it is, if it is one."""

    name: str
    values: list[Any]
    labels: list[str]
    pictures: list[str | None]


class MetricDocument(TypedDict):
    """A metric of the results."""

    name: str
    description: str
    higher_is_better: bool


class CellsAnswer(CellChangesAnswer):
    """All cells of a sweep."""

    sweep: LinkedSweepDocument
    axes: list[AxisDocument]
    metrics: list[MetricDocument]
    states: list[str]
