"""Where a job stands, as a value: what scripts poll, and what `--json` prints."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from datetime import datetime
from typing import TYPE_CHECKING, Any, Self, cast

from stylefarm.shared.db import tables
from stylefarm.shared.db.cells import picture_names
from stylefarm.shared.db.records import StoredObject
from stylefarm.shared.db.states import State, read_state

if TYPE_CHECKING:
    from stylefarm.shared.schema.documents import JobDocument


OF_ANOTHER_RELEASE = "written by another release: what this one does not know is left out"


@dataclass(frozen=True)
class Status:
    """A job at one moment.

    `loss` is the last total, `cell` its values on the axes of its sweep, and `iteration` the steps done of
    `iterations`. `notes` are the farm's, `note` and `tags` its user's, `stars` and `flag` the rating of whoever asks.
    Times are aware, in UTC.

    Example:
        status = job.status()
        print(f"{status.title}: {status.state}, {status.iteration}/{status.iterations}")
    """

    id: str
    sweep: str | None
    state: State
    content: str
    style: str
    cell: Mapping[str, Any]
    priority: int
    device: str
    label: str
    attempt: int
    iteration: int
    iterations: int
    loss: float | None
    error: str | None
    error_class: str | None
    notes: Sequence[str]
    spec: Mapping[str, Any]
    worker: str | None
    result_key: str | None
    result_sha256: str | None
    result_bytes: int | None
    metrics: Mapping[str, float]
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    tags: Sequence[str] = ()
    note: str | None = None
    stars: int | None = None
    flag: str | None = None

    @classmethod
    def of(cls, job: tables.JobRow) -> Self:
        """Return the status of the job in a row of the database.

        Args:
            job: a row as `Queries` returns it, with its request and its result.

        Example:
            >>> request = tables.JobRequestRow(spec={"size": 512}, notes=[])
            >>> status = Status.of(tables.JobRow(state="done", content_name="cat", style_name="waves", request=request))
            >>> status.title, status.result
            ('cat x waves', None)
        """
        result = job.result
        return cls(
            id=job.id,
            sweep=job.sweep_id,
            state=read_state(job.state),
            content=job.content_name,
            style=job.style_name,
            cell=job.cell,
            priority=job.priority,
            device=job.device,
            label=job.label,
            attempt=job.attempt,
            iteration=job.iteration,
            iterations=job.iterations,
            loss=job.loss,
            error=job.error,
            error_class=job.error_class,
            notes=[*job.notes, *([OF_ANOTHER_RELEASE] if _is_of_another_release(job) else [])],
            spec=job.spec,
            worker=job.worker,
            result_key=result.key if result else None,
            result_sha256=result.sha256 if result else None,
            result_bytes=result.bytes if result else None,
            metrics=job.metrics,
            created_at=job.created_at,
            started_at=job.started_at,
            finished_at=job.finished_at,
            tags=list(job.tags or ()),
            note=job.note,
        )

    def at(self, cell: Mapping[str, Any]) -> Self:
        """Return the same job as another cell asked for it, with what its pictures are called there.

        Args:
            cell: values on the axes of a sweep.

        Example:
            >>> from stylefarm.shared.db import tables
            >>> request = tables.JobRequestRow(spec={}, notes=[])
            >>> status = Status.of(tables.JobRow(state="done", content_name="cat", style_name="waves", request=request))
            >>> status.at({"content": "pets/tom.png"}).title
            'tom.png x waves'
        """
        names = {"content_name": self.content, "style_name": self.style, **picture_names(cell)}
        return replace(self, cell=cell, content=names["content_name"], style=names["style_name"])

    @property
    def title(self) -> str:
        """The content and the style, as in "cat x waves"."""
        return f"{self.content} x {self.style}" if self.style else self.content

    @property
    def warning(self) -> str | None:
        """What is wrong with a job that is done all the same."""
        ratio = self.metrics.get("loss_ratio")
        if ratio is None:
            return None
        return f"the loss ended {ratio:.3g} times as high as it began: give a smaller learning_rate"

    @property
    def result(self) -> StoredObject | None:
        """The object that holds the result; None where there is none yet."""
        if self.result_key is None or self.result_sha256 is None:
            return None
        return StoredObject(self.result_key, self.result_sha256, self.result_bytes or 0)

    def as_json(self) -> JobDocument:
        """Return the same as plain JSON values; moments are texts in ISO 8601.

        Example:
            print(json.dumps(job.status().as_json(), indent=2))
        """
        # Not by `asdict`, which copies the spec deeply: half of what a request for a job takes.
        values = ((field.name, getattr(self, field.name)) for field in fields(self))
        document: Any = {name: value.isoformat() if isinstance(value, datetime) else value for name, value in values}
        return cast("JobDocument", document)


# Called with the statuses of the jobs that a program waits for, a few times a second; they have no ratings, which are
# not read so often.
Watcher = Callable[[Sequence[Status]], None]


def _is_of_another_release(job: tables.JobRow) -> bool:
    return not job.spec or read_state(job.state) not in list(State)
