"""Sweeps as tables for other programs: CSV, JSON Lines, Parquet."""

from __future__ import annotations

import csv
import json
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from io import BytesIO, StringIO
from pathlib import Path
from typing import Any

from stylefarm.producer.client.farm import Sweep
from stylefarm.producer.reports.overview import sweep_points
from stylefarm.producer.terminal.progress import working
from stylefarm.producer.views.rows import columns_of
from stylefarm.producer.views.selection import select
from stylefarm.shared.errors import InvalidRequest
from stylefarm.shared.files.atomic import check_writable, write_atomically
from stylefarm.shared.foreign_text import csv_cell

SUFFIXES = (".csv", ".jsonl", ".parquet")
_NO_PYARROW = "Parquet needs pyarrow, which is not installed: pip install 'stylefarm[parquet]', or ask for .csv"

Row = Mapping[str, Any]


def export_results(
    sweep: Sweep, path: str | Path, *, where: Mapping[str, Sequence[Any]] | None = None, force: bool = False
) -> Path:
    """Write a row for each job: ids, its value on each axis, state, loss, metrics, and where its result is stored.

    The columns are those of `Sweep.frame`.

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
    columns = columns_of(statuses, list(sweep.axes))
    # Also a job that this sweep shares with an older one is its own here.
    rows = [_plain({**columns.row(status), "sweep": sweep.id}, sweep) for status in statuses]
    return _write(rows, path, force)


def export_losses(
    sweep: Sweep, path: str | Path, *, where: Mapping[str, Sequence[Any]] | None = None, force: bool = False
) -> Path:
    """Write a row for each point of each job's loss curve: the job, its values on the axes, and the weighted terms.

    The columns of the terms are called as in `losses.total`.

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
        values = {axis: status.cell.get(axis) for axis in sweep.axes}
        cells.setdefault(status.id, []).append(_plain(values, sweep))
    rows = [
        {
            "id": job_id,
            **cell,
            # In JSON they stand in `losses`; without that, "content" and "style" would be those of the cell.
            **{name if name == "iteration" else f"losses.{name}": value for name, value in point.items()},
        }
        for job_id, losses in sweep_points(sweep)
        for cell in cells.get(job_id, ())
        for point in losses.rows()
    ]
    return _write(rows, path, force)


def _plain(row: Row, sweep: Sweep) -> Row:
    """Return a row of plain values: moments in ISO 8601, lists and mappings as JSON, and no folder of the user's."""
    folders = {axis: common_folder(values) for axis, values in sweep.axes.items()}
    return {name: _written(without_folder(value, folders.get(name))) for name, value in row.items()}


def _written(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.isoformat()
    return json.dumps(value, ensure_ascii=False) if isinstance(value, list | tuple | dict) else value


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
