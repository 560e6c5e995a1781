"""Everything that stylefarm raises on purpose.

Each message is one sentence that says what is wrong, where, and what to do about it; the command line prints it as it
stands and exits with the class's `exit_code`. Errors of drivers (Redis, SQLAlchemy, boto3, Pillow) are translated into
these where they enter, so a caller that catches `FarmError` has caught them all.
"""

from __future__ import annotations

from typing import ClassVar, Literal

FailureClass = Literal["input", "memory", "infrastructure", "internal", "poison", "limit", "parent"]


class FarmError(Exception):
    """The base of the family.

    `exit_code` is what a command ends with; `failure_class` is what a job that ends with this error is filed under,
    and decides whether trying again can help.
    """

    exit_code: ClassVar[int] = 1
    failure_class: ClassVar[FailureClass] = "internal"


class InvalidRequest(FarmError):
    """What was asked for cannot be done as it was asked: fix the request. Never retried."""

    exit_code = 2
    failure_class = "input"


class InvalidSpec(InvalidRequest):
    """A parameter is unknown, of the wrong type, out of its range, or contradicts another.

    `at` is where it stands in what the user wrote: keys, and numbers of entries from 0 on; empty where that is unknown.
    """

    def __init__(self, message: str, at: tuple[str | int, ...] = ()) -> None:
        super().__init__(message)
        self.at = at


class InvalidImage(InvalidRequest):
    """A file cannot be read as a picture, or is one that cannot be painted from (too large, too small, animated)."""


class InvalidSettings(InvalidRequest):
    """A setting (environment, stylefarm.toml) is unknown, malformed, or lacks its companions."""


class NotFound(FarmError):
    """No job, sweep or stored object goes by that name."""

    exit_code = 3
    failure_class = "input"


class JobFailed(FarmError):
    """A job that was waited for ended as failed or cancelled; the message carries the job's own error.

    Where it is about one job, `job_id` names it; `error` is its own error, and `error_class` what that is filed under.
    A job that was cancelled has neither.
    """

    exit_code = 5

    def __init__(
        self,
        message: str,
        *,
        job_id: str | None = None,
        error_class: str | None = None,
        error: str | None = None,
    ) -> None:
        super().__init__(message)
        self.job_id = job_id
        self.error_class = error_class
        self.error = error


class StillPending(FarmError):
    """The time given for waiting is over, and the work is not."""

    exit_code = 8


class Diverged(FarmError):
    """The optimisation left the finite numbers; other weights, another optimiser or another seed may hold."""

    failure_class = "input"


class OutOfMemory(FarmError):
    """The picture does not fit into the memory of the device."""

    failure_class = "memory"


class TimeLimitExceeded(FarmError):
    """An attempt took longer than the job's time_limit."""

    failure_class = "limit"


class DeviceFailed(FarmError):
    """The GPU, or its driver, failed under the job; the process that painted it ends, and another one takes over."""

    failure_class = "infrastructure"


class Quarantined(FarmError):
    """A job took its process, or its worker, along again and again: it is kept from the others."""

    failure_class = "poison"


class ServiceUnavailable(FarmError):
    """Redis, the database or the object store does not answer, or refuses our credentials."""

    exit_code = 69
    failure_class = "infrastructure"


class StorageFull(FarmError):
    """The disk (or the quota) that an object was written to is full; nothing half-written stays behind."""

    exit_code = 74
    failure_class = "infrastructure"


class NotMigrated(ServiceUnavailable):
    """The database answers, but its schema is not the one of this release: `stylefarm db upgrade`."""
