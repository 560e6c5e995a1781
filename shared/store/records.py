"""What is handed to the store and comes back from it, as values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from shared.spec import JobSpec


@dataclass(frozen=True)
class NewJob:
    """A job as it is submitted: a resolved spec, and what the user called things."""

    spec: JobSpec
    content_name: str
    style_name: str
    notes: Sequence[str] = ()
    cell: Mapping[str, Any] | None = None


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
class LossPoint:
    """The weighted losses of the picture after `iteration` steps."""

    iteration: int
    total: float
    content: float
    style: float
    tv: float


@dataclass(frozen=True)
class Heartbeat:
    """What a renewal of the lease heard: whether the job is still ours, and whether it is to be cancelled."""

    renewed: bool
    cancel: bool
