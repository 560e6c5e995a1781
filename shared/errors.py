"""Everything that stylefarm raises on purpose.

FarmError                       exit 1   HTTP 500
    InvalidRequest              exit 2   HTTP 422
        InvalidSpec
        InvalidImage
        InvalidSettings
    NotFound                    exit 3   HTTP 404
    JobFailed                   exit 5   HTTP 409
    StillPending                exit 8   HTTP 409
    Diverged
    OutOfMemory
    TimeLimitExceeded
    DeviceFailed
    Quarantined
    ServiceUnavailable          exit 69  HTTP 503
        NotMigrated
        DamagedObject
    StorageFull                 exit 74  HTTP 507

What stands on no line of its own is as its base. Each message is one sentence that says what is wrong, where, and what
to do about it; the command line prints it as it is and exits with `exit_code`, the API answers with `http_status`.
Errors of drivers (Redis, SQLAlchemy, boto3, Pillow) are translated into these where they are raised: who catches
`FarmError` has caught them all.
"""

from __future__ import annotations

from typing import ClassVar, Literal

FailureClass = Literal["input", "memory", "infrastructure", "internal", "poison", "limit", "parent"]


class FarmError(Exception):
    """The base of all errors of stylefarm.

    Attributes:
        exit_code: what a command ends with.
        http_status: what a request of the API is answered with.
        failure_class: the class of a job's failure by this error, which decides whether it is tried again.
        flag: the argument by which a caller gets what the request is refused, such as force: the sentence has
            "force=True", which on the command line is --force. Empty where there is none.
    """

    exit_code: ClassVar[int] = 1
    http_status: ClassVar[int] = 500
    failure_class: ClassVar[FailureClass] = "internal"

    def __init__(self, message: str = "", *, flag: str = "") -> None:
        super().__init__(message)
        self.flag = flag

    @property
    def on_command_line(self) -> str:
        """The sentence, with the option that stands for the argument it names.

        Example:
            >>> InvalidRequest("cat.png exists: give force=True, or another path", flag="force").on_command_line
            'cat.png exists: give --force, or another path'
        """
        before, argument, after = str(self).rpartition(f"{self.flag}=True") if self.flag else ("", "", str(self))
        return f"{before}--{self.flag.replace('_', '-')}{after}" if argument else after


class InvalidRequest(FarmError):
    """The request cannot be carried out as it stands: fix it. A job that fails so is never retried."""

    exit_code = 2
    http_status = 422
    failure_class = "input"


class InvalidSpec(InvalidRequest):
    """A parameter is unknown, of the wrong type, out of its range, or contradicts another.

    Attributes:
        at: where it stands in what the user wrote: keys, and indexes of entries; empty where that is unknown.
    """

    def __init__(self, message: str, at: tuple[str | int, ...] = ()) -> None:
        super().__init__(message)
        self.at = at


class InvalidImage(InvalidRequest):
    """A file cannot be read as a picture, or is one that cannot be used (too large, too small, animated)."""


class InvalidSettings(InvalidRequest):
    """A setting (environment, stylefarm.toml) is unknown, malformed, or lacks the settings that it needs."""


class NotFound(FarmError):
    """No job, sweep or stored object has that name."""

    exit_code = 3
    http_status = 404
    failure_class = "input"


class JobFailed(FarmError):
    """A job that was waited for has failed or was cancelled; the message carries the job's own error.

    Attributes:
        job_id: the job, if the error is about one.
        error: its own error; None for a job that was cancelled.
        error_class: the class of its failure; None for a job that was cancelled.
    """

    exit_code = 5
    http_status = 409

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
    """The time given for waiting is over, and the work is not done."""

    exit_code = 8
    # Not 202, which means that the request was accepted: this one asked for something that is not there yet.
    http_status = 409


class Diverged(FarmError):
    """The optimization left the finite numbers; other weights, another optimizer or another seed may help."""

    failure_class = "input"


class OutOfMemory(FarmError):
    """The picture does not fit into the memory of the device."""

    failure_class = "memory"


class TimeLimitExceeded(FarmError):
    """An attempt took longer than the job's time_limit."""

    failure_class = "limit"


class DeviceFailed(FarmError):
    """The GPU, or its driver, failed under the job; its process ends, and another one takes over."""

    failure_class = "infrastructure"


class Quarantined(FarmError):
    """A job has killed its process, or its worker, several times: it is not tried again."""

    failure_class = "poison"


class ServiceUnavailable(FarmError):
    """Redis, the database or the object store does not answer, or refuses our credentials."""

    exit_code = 69
    http_status = 503
    failure_class = "infrastructure"


class StorageFull(FarmError):
    """The disk (or the quota) that an object was written to is full; nothing half-written stays behind."""

    exit_code = 74
    http_status = 507
    failure_class = "infrastructure"


class DamagedObject(ServiceUnavailable):
    """An object came back with other bytes than were stored; the others may be sound."""


class NotMigrated(ServiceUnavailable):
    """The database answers, but its schema is not the one of this release: `stylefarm db upgrade`."""
