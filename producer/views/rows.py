"""Jobs as the rows of a table: one set of columns for frames, CSV, JSON Lines and Parquet.

A column is called as the field of the job in JSON; what stands there in `cell`, `spec` or `metrics` by its own name.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from stylefarm.producer.views.labels import PICTURES, key_of
from stylefarm.producer.views.metrics import metric_names
from stylefarm.producer.views.status import Status

# None of them is the name of a parameter, or of a metric.
BEFORE = ("id", "sweep")
PROGRESS = ("state", "attempt", "iteration", "loss")
AFTER = (
    *("error", "error_class", "worker", "created_at", "started_at", "finished_at"),
    *("result_key", "result_sha256", "result_bytes", "tags", "note", "stars", "flag"),
)


@dataclass(frozen=True)
class Columns:
    """The columns of a table of jobs, in their order.

    Args:
        parameters: those of the cells, or of the specs; the pictures always among them.
        metrics: those that any of the jobs has.

    Example:
        >>> Columns(["content", "style", "seed"], ["ssim"]).names[:5]
        ['id', 'sweep', 'content', 'style', 'seed']
    """

    parameters: Sequence[str]
    metrics: Sequence[str]

    @property
    def names(self) -> list[str]:
        """The names of all columns."""
        return [*BEFORE, *self.parameters, *PROGRESS, *self.metrics, *AFTER]

    def row(self, status: Status) -> dict[str, Any]:
        """Return the row of a job, by column: a parameter as its cell has it, or else its spec.

        Args:
            status: the job.

        Example:
            row = Columns(["content", "style"], ["ssim"]).row(job.status())
        """
        fields = {name: getattr(status, name) for name in (*BEFORE, *PROGRESS, *AFTER)}
        values = {name: _value(status, name) for name in self.parameters}
        measured = {name: status.metrics.get(name) for name in self.metrics}
        found = {**fields, **values, **measured, "state": str(status.state)}
        return {name: found[name] for name in self.names}


def columns_of(statuses: Sequence[Status], axes: Sequence[str] | None = None) -> Columns:
    """Return the columns of a table of jobs.

    Args:
        statuses: the jobs.
        axes: the axes of their sweep; None: those of all their cells, and if a job has no cell, as one that was
            submitted alone, each parameter in which any of them differ.

    Example:
        columns = columns_of(farm.jobs(limit=None))
        rows = [columns.row(status) for status in farm.jobs(limit=None)]
    """
    if axes is None:
        axes = [axis for status in statuses for axis in status.cell]
        if not all(status.cell for status in statuses):
            axes += _varying(statuses)
    metrics = [name for name in metric_names(statuses) if name != "loss"]
    return Columns(list(dict.fromkeys([*PICTURES, *axes])), metrics)


def _varying(statuses: Sequence[Status]) -> Iterator[str]:
    """Yield the parameters in which the jobs differ, without pictures, which specs name by their hashes."""
    names = dict.fromkeys(name for status in statuses for name in status.spec)
    for name in names:
        values = [status.spec.get(name) for status in statuses]
        if len({key_of(value) for value in values}) > 1 and "sha256:" not in key_of(values):
            yield name


def _value(status: Status, name: str) -> Any:
    if name in status.cell:
        return status.cell[name]
    return getattr(status, name) if name in PICTURES else status.spec.get(name)
