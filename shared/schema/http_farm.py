"""The answers of the HTTP API on the farm itself: what it finds, deletes, and has."""

from __future__ import annotations

from typing import Literal

from typing_extensions import TypedDict

from stylefarm.shared.schema.documents import (
    DeletionDocument,
    ModelDocument,
    TokenDocument,
    WorkerDocument,
)
from stylefarm.shared.schema.http import Links


class DeletedAnswer(TypedDict):
    """How much was deleted."""

    deleted: DeletionDocument


class FoundAnswer(TypedDict):
    """What a user calls so."""

    kind: Literal["job", "sweep"]
    id: str
    links: Links


class WorkersAnswer(TypedDict):
    """The slots of workers."""

    workers: list[WorkerDocument]


class WorkerAnswer(TypedDict):
    """A slot of a worker."""

    worker: WorkerDocument


class ShownModelDocument(ModelDocument):
    """A model, the job that has trained it, and the hashes of samples, if it was trained here."""

    job: str | None
    samples: list[str]


class ModelsAnswer(TypedDict):
    """The trained models, by name."""

    models: list[ShownModelDocument]


class ShownDatasetDocument(TypedDict):
    """A data set."""

    name: str
    sha256: str
    pictures: int
    left_out: int
    bytes: int
    created_at: str


class DatasetsAnswer(TypedDict):
    """The data sets, by name."""

    datasets: list[ShownDatasetDocument]


class TokensAnswer(TypedDict):
    """The tokens, oldest first."""

    tokens: list[TokenDocument]


class NewTokenAnswer(TypedDict):
    """A token; `secret` is not shown again."""

    token: TokenDocument
    secret: str
