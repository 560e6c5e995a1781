"""Jobs as a pandas DataFrame."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from stylefarm.producer.views.rows import columns_of
from stylefarm.producer.views.status import Status
from stylefarm.shared.errors import InvalidRequest

if TYPE_CHECKING:
    from pandas import DataFrame


def job_frame(statuses: Sequence[Status], axes: Sequence[str] | None = None) -> DataFrame:
    """Return jobs as a pandas DataFrame with a row for each.

    The columns are `id`, `sweep`, the pictures and the other parameters, `state`, `attempt`, `iteration` (steps done),
    `loss` (the last total), each metric (`seconds` are those of rendering), and then
    `error`, `error_class`, `worker`, the moments `created_at`, `started_at`, `finished_at` in UTC, `result_key`,
    `result_sha256`, `result_bytes`, `tags`, `note`, `stars` and `flag`. Lists become tuples, and mappings JSON, so that
    they can be grouped by.

    Args:
        statuses: the jobs.
        axes: the parameters that are columns, as for `columns_of`.

    Returns:
        The frame, its rows in the order of `statuses`.

    Raises:
        InvalidRequest: pandas is not installed.

    Example:
        job_frame(farm.jobs(limit=None)).to_csv("jobs.csv")
    """
    try:
        import pandas
    except ImportError as error:
        raise InvalidRequest("a frame needs pandas, which is not installed: pip install pandas") from error
    columns = columns_of(statuses, axes)
    rows = [{name: _hashable(value) for name, value in columns.row(status).items()} for status in statuses]
    return pandas.DataFrame(rows, columns=columns.names)


def _hashable(value: Any) -> Any:
    if isinstance(value, dict):
        return json.dumps(value, sort_keys=True, ensure_ascii=False)
    return tuple(_hashable(entry) for entry in value) if isinstance(value, list | tuple) else value
