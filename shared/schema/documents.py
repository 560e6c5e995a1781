"""One JSON object for each noun: job, attempt, event, sweep, worker and so on.

Values are JSON's own: moments are texts in ISO 8601 with their offset, paths are texts. pydantic makes a JSON Schema of
any of them: `TypeAdapter(JobDocument).json_schema()`.
"""

from __future__ import annotations

from typing import Any, NotRequired

from typing_extensions import TypedDict


class JobDocument(TypedDict):
    """A job: where it stands, what it renders, and what came out; `stars` and `flag` are the rating of who asks."""

    id: str
    sweep: str | None
    state: str
    content: str
    style: str
    cell: dict[str, Any]
    priority: int
    device: str
    label: str
    attempt: int
    iteration: int
    iterations: int
    loss: float | None
    error: str | None
    error_class: str | None
    notes: list[str]
    spec: dict[str, Any]
    worker: str | None
    result_key: str | None
    result_sha256: str | None
    result_bytes: int | None
    metrics: dict[str, float]
    created_at: str
    started_at: str | None
    finished_at: str | None
    tags: list[str]
    note: str | None
    stars: int | None
    flag: str | None


class SubmittedJobDocument(JobDocument):
    """A job as its submission reports it: `created` is false where it was there already."""

    created: bool


class EventDocument(TypedDict):
    """A move of a job, with its reason."""

    at: str
    state: str
    attempt: int
    worker: str | None
    reason: str


class AttemptDocument(TypedDict):
    """One claim of a job by a worker, how it ended, and how it was computed."""

    attempt: int
    worker: str
    started_at: str
    ended_at: str | None
    outcome: str | None
    device: NotRequired[str]
    precision: NotRequired[str]
    threads: NotRequired[int]
    host: NotRequired[str]
    torch: NotRequired[str]
    seconds: NotRequired[float]
    batch: NotRequired[int]
    path: NotRequired[dict[str, Any]]
    checkpoints: NotRequired[dict[str, int]]
    checkpoints_without: NotRequired[str]
    resumed: NotRequired[dict[str, int]]
    afresh: NotRequired[str]


class StoredSnapshotDocument(TypedDict):
    """A snapshot in the object store; `bytes` is the size of its file, `width` and `height` are pixels, if known."""

    iteration: int
    key: str
    sha256: str
    bytes: int
    width: int | None
    height: int | None


class SweepDocument(TypedDict):
    """A sweep, the values of its axes, and what its user wrote on it."""

    id: str
    name: str
    axes: dict[str, list[Any]]
    tags: list[str]
    note: str | None


class SweepReference(TypedDict):
    """A sweep by its id."""

    id: str


class ListedSweepDocument(SweepDocument):
    """A sweep in a list, with how many jobs it has in all and in each state."""

    created_at: str
    jobs: int
    counts: dict[str, int]


class DeletionDocument(TypedDict):
    """How many sweeps and jobs were deleted, and how many objects of these, of so many bytes.

    `kept` are jobs that other sweeps share; `inputs` are pictures and weights that nothing names any more.
    """

    sweeps: int
    jobs: int
    kept: int
    objects: int
    bytes: int
    inputs: int


class JobChangeDocument(TypedDict):
    """How far a job is; `position` is its place in the sweep."""

    id: str
    position: int
    state: str
    attempt: int
    iteration: int
    loss: float | None
    updated_at: str


class WebhookDocument(TypedDict):
    """An address that a sweep calls once for an event."""

    event: str
    url: str
    state: str
    tries: int
    delivered_at: str | None
    error: str | None


class DownloadedFileDocument(TypedDict):
    """A file of a download; `written` is false where it was there already."""

    output: str
    job: str
    cell: dict[str, Any]
    sha256: str
    written: bool


class SpreadDocument(TypedDict):
    """The median and the quartiles of a metric, over `count` jobs."""

    count: int
    median: float
    low: float
    high: float


class GroupDocument(TypedDict):
    """The jobs of one group of a comparison, and the spread of each metric over those that are done.

    `at` is their value on the axis that the comparison is over.
    """

    name: str
    at: Any
    jobs: int
    done: int
    numbers: dict[str, SpreadDocument]


class WorkerDocument(TypedDict):
    """A slot of a worker; `jobs` are the ids of those that it renders, `done_last_hour` counts those it has done."""

    name: str
    host: str
    device: str
    queues: list[str]
    labels: list[str]
    state: str
    reason: str | None
    failures: int
    jobs: list[str]
    done_last_hour: int
    started_at: str
    seen_at: str


class WeightsDocument(TypedDict):
    """Pretrained weights that go by a name."""

    name: str
    architecture: str
    source: str
    bytes: int
    sha256: str
    created_at: str


class ModelDocument(TypedDict):
    """A trained model that goes by a name; the card says where it comes from and how good it is."""

    name: str
    method: str
    architecture: dict[str, Any]
    card: dict[str, Any]
    source: str
    bytes: int
    sha256: str
    created_at: str


class DatasetDocument(TypedDict):
    """A data set that goes by a name."""

    name: str
    sha256: str
    pictures: int
    left_out: int
    bytes: int
    source: str
    created_at: str


class TokenDocument(TypedDict):
    """A token without its secret; `expires_at` is null of one that never ends."""

    id: str
    user: str
    role: str
    created_at: str
    expires_at: str | None


class ListedPictureDocument(TypedDict):
    """A picture of a data set."""

    sha256: str
    bytes: int
    width: int
    height: int
    name: str


class TrainingEstimateDocument(TypedDict):
    """The time and the memory of a training on this machine."""

    device: str
    path: str
    seconds: float
    step_seconds: float
    bytes: int
    available: int


class PresetDocument(TypedDict):
    """A preset in a list."""

    name: str
    summary: str


class ParameterDocument(TypedDict):
    """A parameter of a picture: its values in words, and what the presets give."""

    name: str
    group: str
    description: str
    values: str
    default: Any
    presets: dict[str, Any]
    effect: str


class SettingDocument(TypedDict):
    """A setting, and where its value comes from; secrets are hidden."""

    value: Any
    source: str


class FindingDocument(TypedDict):
    """What `doctor` has found of one thing, and what to do about it."""

    what: str
    health: str
    words: str
    remedy: str


class ForecastDocument(TypedDict):
    """What a sweep would ask of the farm; `hours` on its workers and `machine_hours` of one are null where unknown.

    `price` is there with --gpu-hour, null where the hours are.
    """

    cells: int
    axes: dict[str, list[Any]]
    skipped: int
    known: int
    new: int
    hours: float | None
    machine_hours: float | None
    price: NotRequired[float | None]
    workers: int
    basis: str
    notes: list[str]


class ScaleEstimateDocument(TypedDict):
    """What one scale of a job takes: its size in pixels, how it fits into memory, bytes, seconds of an iteration."""

    width: int
    height: int
    iterations: int
    way: str
    bytes: int
    iteration_seconds: float


class EstimateDocument(TypedDict):
    """What a job takes on this machine, in seconds and bytes."""

    device: str
    path: str
    seconds: float
    bytes: int
    available: int
    scales: list[ScaleEstimateDocument]
