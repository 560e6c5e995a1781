"""Which jobs of a sweep are shown: two axes, slices of the others, a page for each combination of the rest."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePath
from typing import Any

from stylefarm.producer.views.labels import PICTURES, key_of, label_of, value_labels
from stylefarm.producer.views.metrics import check_metric, higher_is_better, measured
from stylefarm.producer.views.status import Status
from stylefarm.shared.errors import InvalidRequest

# Values that are wanted of an axis, as a user names them.
Where = Mapping[str, Sequence[Any]]


@dataclass(frozen=True)
class Axis:
    """An axis with those of its values that are shown; one without a name has a single value and no head.

    Example:
        >>> Axis("size", (256, 512)).labels
        ['256', '512']
    """

    name: str
    values: Sequence[Any]

    @property
    def labels(self) -> list[str]:
        """A label for each of its values."""
        return value_labels(self.name, self.values)


NO_AXIS = Axis("", (None,))


@dataclass(frozen=True)
class Page:
    """One value of each of the other axes that have several, and the jobs by (row, column), counted from 0.

    Example:
        >>> Page({"size": 256, "seed": 3}, {}).title
        'size = 256, seed = 3'
    """

    slice: Mapping[str, Any]
    cells: Mapping[tuple[int, int], Status]

    @property
    def title(self) -> str:
        """The slice in words."""
        return ", ".join(f"{axis} = {label_of(axis, value)}" for axis, value in self.slice.items())


@dataclass(frozen=True)
class Selection:
    """What is shown: two axes, the other axes, and the selected jobs, in the order of the sweep.

    Args:
        rows: the axis that runs down.
        columns: the axis that runs across.
        others: the axes of whose values each combination has a page.
        statuses: the selected jobs, in the order of the sweep.

    Example:
        >>> selection = Selection(Axis("seed", [1, 2]), Axis("size", [256]), [Axis("tv_weight", [0.0, 1.0])], [])
        >>> [axis.name for axis in selection.axes], [page.title for page in selection.pages()]
        (['seed', 'size', 'tv_weight'], ['tv_weight = 0', 'tv_weight = 1'])
    """

    rows: Axis
    columns: Axis
    others: Sequence[Axis]
    statuses: Sequence[Status]

    @property
    def axes(self) -> list[Axis]:
        """All axes that have a name: rows, columns, the others."""
        return [axis for axis in (self.rows, self.columns, *self.others) if axis.name]

    @property
    def placed(self) -> list[Status]:
        """The selected jobs that have a place on each axis; a cell of another release may have none."""
        keys = {axis.name: {key_of(value) for value in axis.values} for axis in self.axes}
        return [status for status in self.statuses if all(key_of(status.cell.get(name)) in keys[name] for name in keys)]

    def pages(self) -> Iterator[Page]:
        """Yield a page for each combination of the other axes; the last of them turns fastest."""
        on_page: dict[tuple[int, ...], dict[tuple[int, int], Status]] = {}
        places = [_places(axis) for axis in (self.rows, self.columns, *self.others)]
        for status in self.statuses:
            row, column, *rest = (found[key_of(status.cell.get(name))] for name, found in places)
            on_page.setdefault(tuple(rest), {})[row, column] = status
        for indices in itertools.product(*(range(len(axis.values)) for axis in self.others)):
            places_of = zip(self.others, indices, strict=True)
            chosen = {axis.name: axis.values[index] for axis, index in places_of if len(axis.values) > 1}
            yield Page(chosen, on_page.get(indices, {}))


def select(
    axes: Mapping[str, Sequence[Any]],
    statuses: Sequence[Status],
    rows: str | None = None,
    columns: str | None = None,
    where: Where | None = None,
) -> Selection:
    """Select jobs of a sweep, and lay them out in rows and columns.

    Args:
        axes: the values of each axis.
        statuses: all jobs, in the order of the cells.
        rows: an axis; by default content, or else the first that is free.
        columns: an axis; by default style, or else the next.
        where: the values that are wanted of some axes. A picture may be called by its path, its name, or its stem.

    Returns:
        The selection.

    Raises:
        InvalidRequest: there is no such axis or value, or rows and columns are the same.

    Example:
        selection = select(sweep.axes, sweep.statuses(), rows="style_weight", where={"seed": ["1"]})
    """
    wanted = {axis: _chosen(axes, axis, values) for axis, values in (where or {}).items()}
    kept = {axis: wanted.get(axis, list(values)) for axis, values in axes.items()}
    names = _two(axes, rows, columns)
    keys = {axis: {key_of(value) for value in values} for axis, values in wanted.items()}
    left = [status for status in statuses if all(key_of(status.cell.get(axis)) in keys[axis] for axis in keys)]
    first, second = (Axis(name, kept[name]) if name else NO_AXIS for name in names)
    return Selection(first, second, [Axis(name, kept[name]) for name in axes if name not in names], left)


def ranked(statuses: Sequence[Status], metric: str) -> list[Status]:
    """Return the jobs that have a metric, the best first; equals keep their order.

    Args:
        statuses: jobs.
        metric: "loss" or the name of a metric.

    Raises:
        InvalidRequest: there is no such metric.

    Example:
        best, *others = ranked(sweep.statuses(), "ssim")
    """
    check_metric(metric, statuses)
    having = [status for status in statuses if measured(status, metric) is not None]
    return sorted(having, key=lambda status: measured(status, metric) or 0.0, reverse=higher_is_better(metric))


def parse_where(texts: Sequence[str]) -> dict[str, list[str]]:
    """Parse `axis=value` texts, as `--where` takes them, into the values that are wanted of each axis.

    Args:
        texts: one for each value that is wanted.

    Raises:
        InvalidRequest: a text has no axis or no equals sign.

    Example:
        >>> parse_where(["style_weight=10", "style_weight=20"])
        {'style_weight': ['10', '20']}
    """
    where: dict[str, list[str]] = {}
    for text in texts:
        axis, equals, value = text.partition("=")
        if not (axis.strip() and equals):
            raise InvalidRequest(f"--where {text} is no slice: write it as axis=value, e.g. style_weight=10")
        where.setdefault(axis.strip(), []).append(value.strip())
    return where


def _two(axes: Mapping[str, Sequence[Any]], rows: str | None, columns: str | None) -> tuple[str, str]:
    for axis in (rows, columns):
        if axis is not None and axis not in axes:
            raise _no_axis(axes, axis)
    if rows is not None and rows == columns:
        raise InvalidRequest(f"rows and columns are both {rows}: give two axes of {', '.join(axes)}")
    free = [axis for axis in axes if axis not in (rows, columns)]
    # Readers expect contents in rows and styles in columns, whatever the order in the sweep file.
    if rows is None:
        rows = _taken(free, "content", but_not="style")
    if columns is None:
        columns = _taken(free, "style")
    return rows, columns


def _taken(free: list[str], preferred: str, but_not: str = "") -> str:
    """Take the preferred one out of `free`, or else the first; "" where there is none."""
    others = [axis for axis in free if axis != but_not]
    chosen = preferred if preferred in free else others[0] if others else ""
    if chosen:
        free.remove(chosen)
    return chosen


def _no_axis(axes: Mapping[str, Sequence[Any]], axis: str) -> InvalidRequest:
    return InvalidRequest(f"the sweep has no axis {axis}: it has {', '.join(axes)}")


def _chosen(axes: Mapping[str, Sequence[Any]], axis: str, wanted: Sequence[Any]) -> list[Any]:
    """Return the values of the axis that are wanted, in its own order."""
    if axis not in axes:
        raise _no_axis(axes, axis)
    for value in wanted:
        if not any(is_called(axis, known, value) for known in axes[axis]):
            known_words = ", ".join(label_of(axis, known) for known in axes[axis][:20])
            raise InvalidRequest(f"{axis} is never {label_of('', value)} in this sweep: it is {known_words}")
    return [known for known in axes[axis] if any(is_called(axis, known, value) for value in wanted)]


def is_called(axis: str, known: Any, wanted: Any) -> bool:
    """Return whether a user who asks for `wanted` on an axis means the value `known`.

    Args:
        axis: the parameter.
        known: a value of the axis.
        wanted: what the user wrote.

    Example:
        >>> is_called("content", "photos/cat.jpg", "cat"), is_called("style_weight", 10.0, "10")
        (True, True)
    """
    label = label_of(axis, known)
    # On the command line, lists are written without spaces.
    if key_of(known) == key_of(wanted) or wanted in (str(known), label, label.replace(", ", ",")):
        return True
    if isinstance(known, dict):
        return isinstance(wanted, str) and known == {wanted: 1}
    if isinstance(known, str):
        return axis in PICTURES and str(wanted) in (PurePath(known).name, PurePath(known).stem)
    if isinstance(known, int | float) and not isinstance(known, bool):
        return _number(wanted) == known
    return False


def _number(text: Any) -> float | None:
    try:
        return float(text)
    except (TypeError, ValueError):
        return None


def _places(axis: Axis) -> tuple[str, dict[str, int]]:
    return axis.name, {key_of(value): index for index, value in enumerate(axis.values)}
