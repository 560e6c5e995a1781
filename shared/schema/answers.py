"""One JSON object for each answer."""

from __future__ import annotations

from typing import Any

from typing_extensions import TypedDict

from stylefarm.shared.schema.documents import (
    AttemptDocument,
    DatasetDocument,
    DeletionDocument,
    DownloadedFileDocument,
    EstimateDocument,
    EventDocument,
    FindingDocument,
    ForecastDocument,
    GroupDocument,
    JobChangeDocument,
    JobDocument,
    ListedPictureDocument,
    ListedSweepDocument,
    ModelDocument,
    ParameterDocument,
    PresetDocument,
    SettingDocument,
    StoredSnapshotDocument,
    SubmittedJobDocument,
    SweepDocument,
    SweepReference,
    TokenDocument,
    TrainingEstimateDocument,
    WebhookDocument,
    WeightsDocument,
    WorkerDocument,
)

VERSION = 1
"""Raised when a field goes or changes its meaning; fields may be added at any time."""


class JobAnswer(TypedDict):
    """One job."""

    job: JobDocument


class JobDetailsAnswer(JobAnswer):
    """One job with all that is known of it; a point of `losses` has the iteration and the terms, total first."""

    attempts: list[AttemptDocument]
    events: list[EventDocument]
    losses: list[dict[str, float]]
    snapshots: list[str]


class JobLogAnswer(TypedDict):
    """The attempts and the events of the job of that id, oldest first."""

    job: str
    attempts: list[AttemptDocument]
    events: list[EventDocument]


class JobListAnswer(TypedDict):
    """Jobs, newest first."""

    jobs: list[JobDocument]


class SnapshotListAnswer(TypedDict):
    """The snapshots of the job of that id."""

    job: str
    snapshots: list[StoredSnapshotDocument]


class SubmittedJobAnswer(TypedDict):
    """A job that was submitted, and is not waited for."""

    job: SubmittedJobDocument


class RenderedAnswer(JobAnswer):
    """A file that was written, and the job that it came from."""

    output: str


class FilesAnswer(TypedDict):
    """Files that were written."""

    output: list[str]


class DownloadAnswer(TypedDict):
    """The files of a download, and how many jobs have none yet."""

    files: list[DownloadedFileDocument]
    missing: int


class SweepAnswer(TypedDict):
    """A sweep in a few numbers: the pace of the last ten minutes, the newest failures, the first jobs."""

    sweep: SweepDocument
    counts: dict[str, int]
    done_per_second: float
    seconds_left: float | None
    failures: list[JobDocument]
    jobs: list[JobDocument]
    left_out: int


class SubmissionAnswer(TypedDict):
    """A sweep that was submitted, with all of its jobs."""

    sweep: SweepDocument
    counts: dict[str, int]
    jobs: list[SubmittedJobDocument]
    skipped: int


class ForecastAnswer(TypedDict):
    """A sweep that was not submitted."""

    dry_run: ForecastDocument


class SearchAnswer(TypedDict):
    """A search, and the job that is best so far."""

    sweep: SweepDocument
    counts: dict[str, int]
    jobs: list[JobDocument]
    best: JobDocument


class SweepCommandAnswer(TypedDict):
    """How many jobs of a sweep a command has changed, and how many there are in each state now."""

    sweep: SweepReference
    jobs: int
    counts: dict[str, int]


class DeletionAnswer(TypedDict):
    """How much was deleted, or would be."""

    deleted: DeletionDocument
    dry_run: bool


class SweepMarksAnswer(TypedDict):
    """A sweep with its tags and its note."""

    sweep: SweepDocument


class SweepListAnswer(TypedDict):
    """Sweeps, newest first."""

    sweeps: list[ListedSweepDocument]


class ChangesAnswer(TypedDict):
    """What has changed since a cursor, and the next cursor."""

    changes: list[JobChangeDocument]
    cursor: str


class WebhookListAnswer(TypedDict):
    """What a sweep calls."""

    sweep: SweepReference
    webhooks: list[WebhookDocument]


class ComparisonAnswer(TypedDict):
    """A comparison by what its groups differ in, and the file that it was written to."""

    output: str | None
    by: str
    over: str | None
    metrics: list[str]
    groups: list[GroupDocument]
    note: str


class EstimateAnswer(TypedDict):
    """What a job would take."""

    estimate: EstimateDocument


class WorkerListAnswer(TypedDict):
    """Slots of workers."""

    workers: list[WorkerDocument]


class PresetListAnswer(TypedDict):
    """The presets."""

    presets: list[PresetDocument]


class PresetAnswer(TypedDict):
    """The numbers of a preset."""

    preset: str
    summary: str
    parameters: dict[str, Any]


class ParametersAnswer(TypedDict):
    """Parameters of a picture."""

    parameters: list[ParameterDocument]


class WeightsListAnswer(TypedDict):
    """Pretrained weights."""

    weights: list[WeightsDocument]


class WeightsAnswer(TypedDict):
    """Weights that were imported or fetched; `added` is false where they were there already."""

    weights: WeightsDocument
    added: bool


class ModelListAnswer(TypedDict):
    """Trained models."""

    models: list[ModelDocument]


class ModelAnswer(TypedDict):
    """A trained model."""

    model: ModelDocument


class ImportedModelsAnswer(TypedDict):
    """Models that were imported or fetched; of each whether it was not there before."""

    models: list[ModelDocument]
    added: list[bool]


class ExportAnswer(TypedDict):
    """A file that a model was exported to, and by how much of 1 its picture differs at most, where it was run."""

    output: str
    format: str
    difference: float | None


class DeletedNameAnswer(TypedDict):
    """The name of what was deleted."""

    deleted: str


class DatasetListAnswer(TypedDict):
    """Data sets."""

    datasets: list[DatasetDocument]


class DatasetAnswer(TypedDict):
    """A data set with its pictures."""

    dataset: DatasetDocument
    pictures: list[ListedPictureDocument]


class AddedDatasetAnswer(TypedDict):
    """A data set that was added; `added` is false where it was there. Of files that are left out, why, by name."""

    dataset: DatasetDocument
    added: bool
    left_out: dict[str, str]


class CreatedTokenAnswer(TypedDict):
    """A new token, and its secret, which is not shown again."""

    token: TokenDocument
    secret: str


class TokenListAnswer(TypedDict):
    """Tokens."""

    tokens: list[TokenDocument]


class TrainedAnswer(TypedDict):
    """The name of a model, and the job that trains it."""

    model: str
    job: SubmittedJobDocument


class TrainingEstimateAnswer(TypedDict):
    """An estimate of a training."""

    estimate: TrainingEstimateDocument


class SettingsAnswer(TypedDict):
    """Every setting, by name."""

    embedded: bool
    settings: dict[str, SettingDocument]


class DatabaseAnswer(TypedDict):
    """The revision of the database's schema, before and after."""

    database: str
    before: str | None
    after: str


class FindingsAnswer(TypedDict):
    """What `doctor` has found."""

    findings: list[FindingDocument]
