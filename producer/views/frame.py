"""A sweep as a pandas DataFrame."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from stylefarm.producer.views.metrics import metric_names
from stylefarm.producer.views.status import Status
from stylefarm.shared.errors import InvalidRequest

if TYPE_CHECKING:
    from pandas import DataFrame

# None of them is the name of a parameter, and so of an axis.
BEFORE = ("job", "sweep")
AFTER = ("state", "attempt", "iteration", "loss", "error", "created_at", "started_at", "finished_at")


def sweep_frame(sweep: str, axes: Sequence[str], statuses: Sequence[Status]) -> DataFrame:
    """Return a sweep as a pandas DataFrame with a row for each job.

    The columns are `job` and `sweep` (ids; the job of a shared cell has its own sweep's), a column for each axis, then
    `state`, `attempt`, `iteration` (steps done), `loss` (the last total), a column for each metric that any job has
    (`seconds` are those of rendering), `error`, and the moments `created_at`, `started_at`, `finished_at` in UTC.
    Values of axes that are lists become tuples, and mappings become JSON, so that they can be grouped by.

    Args:
        sweep: the id of the sweep.
        axes: the names of its axes.
        statuses: its jobs, in the order of its cells.

    Returns:
        The frame, its rows in the order of `statuses`.

    Raises:
        InvalidRequest: pandas is not installed.

    Example:
        sweep_frame(sweep.id, list(sweep.axes), sweep.statuses()).to_csv("cats.csv")
    """
    try:
        import pandas
    except ImportError as error:
        raise InvalidRequest("a sweep's frame needs pandas, which is not installed: pip install pandas") from error
    metrics = [name for name in metric_names(statuses) if name != "loss"]
    rows = [_row(status, axes, metrics) for status in statuses]
    columns = [*BEFORE, *axes, *AFTER[:4], *metrics, *AFTER[4:]]
    return pandas.DataFrame(rows, columns=columns)


def _row(status: Status, axes: Sequence[str], metrics: list[str]) -> dict[str, Any]:
    return {
        "job": status.id,
        "sweep": status.sweep,
        **{axis: _hashable(status.cell.get(axis)) for axis in axes},
        "state": str(status.state),
        **{name: getattr(status, name) for name in AFTER[1:]},
        **{name: status.metrics.get(name) for name in metrics},
    }


def _hashable(value: Any) -> Any:
    if isinstance(value, dict):
        return json.dumps(value, sort_keys=True, ensure_ascii=False)
    return tuple(_hashable(entry) for entry in value) if isinstance(value, list) else value
