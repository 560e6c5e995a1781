"""Sweeps as tables for other programs: CSV, JSON Lines, Parquet."""

from __future__ import annotations

import csv
import json
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from io import BytesIO, StringIO
from pathlib import Path
from typing import Any

from stylefarm.producer.client.farm import Sweep
from stylefarm.producer.reports.overview import sweep_points
from stylefarm.producer.terminal.progress import working
from stylefarm.producer.views.metrics import metric_names
from stylefarm.producer.views.selection import select
from stylefarm.producer.views.status import Status
from stylefarm.shared.errors import InvalidRequest
from stylefarm.shared.files import check_writable, write_atomically
from stylefarm.shared.foreign_text import csv_cell

SUFFIXES = (".csv", ".jsonl", ".parquet")
_NO_PYARROW = "Parquet needs pyarrow, which is not installed: pip install 'stylefarm[parquet]', or ask for .csv"

Row = Mapping[str, Any]


def export_results(
    sweep: Sweep, path: str | Path, *, where: Mapping[str, Sequence[Any]] | None = None, force: bool = False
) -> Path:
    """Write a row for each job: ids, its value on each axis, state, loss, metrics, and where its result is stored.

    Args:
        sweep: what is exported.
        path: a file that ends in .csv, .jsonl or .parquet.
        where: the values that are wanted of some axes.
        force: overwrite the file if it exists.

    Returns:
        The path.

    Raises:
        InvalidRequest: no such axis or value, a file that cannot be written, or pyarrow missing for Parquet.
        StorageFull: the disk is full; nothing half-written is left.

    Example:
        export_results(sweep, "cats.parquet")
    """
    path = _checked(path, force)
    statuses = select(sweep.axes, sweep.statuses(), where=where).statuses
    metrics = [name for name in metric_names(statuses) if name != "loss"]
    return _write([_result(status, sweep, metrics) for status in statuses], path, force)


def export_losses(
    sweep: Sweep, path: str | Path, *, where: Mapping[str, Sequence[Any]] | None = None, force: bool = False
) -> Path:
    """Write a row for each point of each job's loss curve: the job, its values on the axes, and the weighted terms.

    Args:
        sweep: what is exported.
        path: a file that ends in .csv, .jsonl or .parquet.
        where: the values that are wanted of some axes.
        force: overwrite the file if it exists.

    Returns:
        The path.

    Raises:
        InvalidRequest: as `export_results`.
        StorageFull: the disk is full; nothing half-written is left.

    Example:
        export_losses(sweep, "losses.parquet", where={"style": ["waves"]})
    """
    path = _checked(path, force)
    cells: dict[str, list[Row]] = {}
    for status in select(sweep.axes, sweep.statuses(), where=where).statuses:
        cells.setdefault(status.id, []).append(_cell(status.cell, sweep))
    rows = [
        {
            "job": job_id,
            **cell,
            # "content" and "style" are names of pictures in these tables.
            **{name if name in ("iteration", "total") else f"{name}_loss": value for name, value in point.items()},
        }
        for job_id, losses in sweep_points(sweep)
        for cell in cells.get(job_id, ())
        for point in losses.rows()
    ]
    return _write(rows, path, force)


def _result(status: Status, sweep: Sweep, metrics: Sequence[str]) -> Row:
    return {
        "job": status.id,
        "sweep": sweep.id,  # also of a job that this sweep shares with an older one
        **_cell(status.cell, sweep),
        "content_name": status.content,
        "style_name": status.style,
        "state": str(status.state),
        "steps": status.iteration,
        "loss": status.loss,
        **{name: status.metrics.get(name) for name in metrics},
        "attempt": status.attempt,
        "worker": status.worker,
        "error": status.error,
        "created_at": _moment(status.created_at),
        "started_at": _moment(status.started_at),
        "finished_at": _moment(status.finished_at),
        "result_key": status.result_key,
        "result_sha256": status.result_sha256,
        "result_bytes": status.result_bytes,
    }


def _cell(cell: Mapping[str, Any], sweep: Sweep) -> Row:
    """Return the values on the axes as `axis.NAME`, which no other column is called; lists and mappings as JSON."""
    return {
        f"axis.{axis}": json.dumps(value, ensure_ascii=False) if isinstance(value, list | dict) else value
        for axis, values in sweep.axes.items()
        for value in [without_folder(cell.get(axis), common_folder(values))]
    }


def common_folder(value: Any) -> str | None:
    """Return the folder that the absolute paths in a value have in common; None where there are none.

    Example:
        >>> common_folder(["/home/me/a/cat.png", "/home/me/b/cat.png", 5])
        '/home/me'
    """
    folders = [Path(path).parent for path in _texts(value) if Path(path).is_absolute()]
    return os.path.commonpath(folders) if folders else None


def without_folder(value: Any, folder: str | None) -> Any:
    """Return a value whose absolute paths begin below `folder`: where a user keeps pictures is nobody else's business.

    Example:
        >>> without_folder(["/home/me/a/cat.png", "b/cat.png"], "/home/me")
        ['a/cat.png', 'b/cat.png']
    """
    if isinstance(value, list):
        return [without_folder(one, folder) for one in value]
    if isinstance(value, dict):
        return {without_folder(name, folder): without_folder(one, folder) for name, one in value.items()}
    if folder is not None and isinstance(value, str) and Path(value).is_absolute():
        return str(Path(value).relative_to(folder))
    return value


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for one in (*value, *value.values()):
            yield from _texts(one)
    elif isinstance(value, list | tuple):
        for one in value:
            yield from _texts(one)


def _moment(moment: Any) -> str | None:
    return None if moment is None else moment.isoformat()


def _checked(path: str | Path, force: bool) -> Path:
    """Return the path, if a table can be written there."""
    path = Path(path)
    if path.suffix.lower() not in SUFFIXES:
        raise InvalidRequest(f"{path} ends in no format of a table: give one of {', '.join(SUFFIXES)}")
    check_writable(path, force=force)
    return path


def _write(rows: Sequence[Row], path: Path, force: bool) -> Path:
    encode = {".csv": _csv, ".jsonl": _jsonl, ".parquet": _parquet}[path.suffix.lower()]
    with working("writing the table"):
        data = encode(rows)
    write_atomically(path, data, force=force)
    return path


def _csv(rows: Sequence[Row]) -> bytes:
    text = StringIO(newline="")
    writer, columns = csv.writer(text, lineterminator="\n"), _columns(rows)
    writer.writerow(map(csv_cell, columns))
    writer.writerows([csv_cell(row.get(name)) for name in columns] for row in rows)
    return text.getvalue().encode("utf-8", "replace")


def _columns(rows: Sequence[Row]) -> list[str]:
    """Return the columns of all rows: jobs of different methods have different loss terms."""
    return list(dict.fromkeys(name for row in rows for name in row))


def _jsonl(rows: Sequence[Row]) -> bytes:
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows).encode("utf-8", "replace")


def _parquet(rows: Sequence[Row]) -> bytes:
    try:
        import pyarrow
        from pyarrow import parquet
    except ImportError as error:
        raise InvalidRequest(_NO_PYARROW) from error
    file = BytesIO()
    columns = {name: pyarrow.array(_of_one_type([row.get(name) for row in rows])) for name in _columns(rows)}
    parquet.write_table(pyarrow.table(columns), file)
    return file.getvalue()


def _of_one_type(values: Sequence[Any]) -> Iterable[Any]:
    """Return the values as one column can hold them: an axis may mix numbers and words, as in "auto"."""
    kinds = {type(value) for value in values if value is not None}
    if kinds <= {int, float} or len(kinds) <= 1:
        return [float(value) if kinds == {int, float} and value is not None else value for value in values]
    return [None if value is None else str(value) for value in values]
