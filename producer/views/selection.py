"""Which jobs of a sweep are shown: up to two axes on each side, slices of the others, pages of the rest."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import PurePath
from typing import Any

from stylefarm.producer.views.labels import PICTURES, key_of, label_of, value_labels
from stylefarm.producer.views.metrics import check_metric, higher_is_better, measured
from stylefarm.producer.views.status import Status
from stylefarm.shared.errors import InvalidRequest

# Values that are wanted of an axis, as a user names them.
Where = Mapping[str, Sequence[Any]]
# The axes of a side of a sheet, as a user names them: "content", "content,style_weight" or a list of names.
Side = str | Sequence[str] | None

# Axes within each other on a side of a sheet.
MOST_NESTED = 2


@dataclass(frozen=True)
class Axis:
    """An axis with those of its values that are shown.

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


# Places of values on the axes of one side of a sheet, the outermost first.
Places = tuple[int, ...]


@dataclass(frozen=True)
class Page:
    """Jobs that have a place each on one sheet, by (row, column), counted from 0.

    Args:
        slice: the label of their value on each of the other axes on which it is one, and elsewhere another.
        rows: the place of each row's value on each axis of the rows; only rows that have a job.
        columns: likewise.
        cells: the jobs; not every place in the grid has one.
        notes: what is on no side, and differs from cell to cell, in words; empty where nothing does.

    Example:
        >>> Page({"size": "256", "seed": "3"}, rows=[], columns=[], cells={}, notes={}).title
        'size = 256, seed = 3'
    """

    slice: Mapping[str, str]
    rows: Sequence[Places]
    columns: Sequence[Places]
    cells: Mapping[tuple[int, int], Status]
    notes: Mapping[tuple[int, int], str]

    @property
    def title(self) -> str:
        """The slice in words."""
        return ", ".join(f"{axis} = {label}" for axis, label in self.slice.items())


@dataclass(frozen=True)
class Selection:
    """What is shown: the axes of rows and columns, the other axes, and the selected jobs, in the order of the sweep.

    Args:
        rows: the axes that run down, the outermost first: at most two.
        columns: those that run across.
        others: the axes that are on no side.
        statuses: the selected jobs, in the order of the sweep.

    Example:
        >>> selection = Selection([Axis("seed", [1, 2])], [Axis("size", [256])], [Axis("tv_weight", [0.0, 1.0])], [])
        >>> [axis.name for axis in selection.axes], list(selection.pages())
        (['seed', 'size', 'tv_weight'], [])
    """

    rows: Sequence[Axis]
    columns: Sequence[Axis]
    others: Sequence[Axis]
    statuses: Sequence[Status]

    @property
    def axes(self) -> list[Axis]:
        """All axes: rows, columns, the others."""
        return [*self.rows, *self.columns, *self.others]

    @cached_property
    def placed(self) -> list[Status]:
        """The selected jobs that have a place on each axis; a cell of another release may have none."""
        keys = {axis.name: {key_of(value) for value in axis.values} for axis in self.axes}
        return [status for status in self.statuses if all(key_of(status.cell.get(name)) in keys[name] for name in keys)]

    @cached_property
    def paged(self) -> list[Axis]:
        """The other axes of whose values each combination that has jobs gets a page.

        A value that follows from the place in rows and columns, as where two axes go together, needs none.
        """
        known = [axis.name for axis in (*self.rows, *self.columns)]
        found = []
        for axis in self.others:
            if not follows(axis.name, known, self.placed):
                found.append(axis)
                known.append(axis.name)
        return found

    def pages(self) -> Iterator[Page]:
        """Yield each page; the last of the axes that have pages turns fastest."""
        placed = self.placed
        sides = [_places(axes, placed) for axes in (self.paged, self.rows, self.columns)]
        found: dict[Places, dict[tuple[Places, Places], Status]] = {}
        for status, page, row, column in zip(placed, *sides, strict=True):
            found.setdefault(page, {})[row, column] = status
        for page in sorted(found):
            yield self._page(found[page])

    def _page(self, found: Mapping[tuple[Places, Places], Status]) -> Page:
        rows, columns = (sorted({at[side] for at in found}) for side in (0, 1))
        down, across = ({at: number for number, at in enumerate(side)} for side in (rows, columns))
        cells = {(down[row], across[column]): job for (row, column), job in found.items()}
        words: dict[str, str] = {}
        notes: dict[tuple[int, int], list[str]] = {at: [] for at in cells}
        for axis in self.others:
            if len(axis.values) < 2:
                continue
            labels = {key_of(value): label for value, label in zip(axis.values, axis.labels, strict=True)}
            own = {at: labels[key_of(job.cell.get(axis.name))] for at, job in cells.items()}
            if len(set(own.values())) == 1:
                words[axis.name] = next(iter(own.values()))
                continue
            for at, label in own.items():
                notes[at].append(f"{axis.name} {label}")
        return Page(words, rows, columns, cells, {at: ", ".join(parts) for at, parts in notes.items()})


def select(
    axes: Mapping[str, Sequence[Any]],
    statuses: Sequence[Status],
    rows: Side = None,
    columns: Side = None,
    where: Where | None = None,
) -> Selection:
    """Select jobs of a sweep, and lay them out in rows and columns.

    Args:
        axes: the values of each axis.
        statuses: all jobs, in the order of the cells.
        rows: an axis, or two, of which the second is within the first ("content,style_weight"). By default content, or
            else the first that is free, and then one that is free, on the side that has fewer values.
        columns: likewise; by default style, or else the next.
        where: the values that are wanted of some axes. A picture may be called by its path, its name, or its stem.

    Returns:
        The selection.

    Raises:
        InvalidRequest: there is no such axis or value, or an axis is named twice.

    Example:
        selection = select(sweep.axes, sweep.statuses(), rows="style_weight", where={"seed": ["1"]})
    """
    wanted = {axis: _chosen(axes, axis, values) for axis, values in (where or {}).items()}
    kept = {axis: Axis(axis, wanted.get(axis, list(values))) for axis, values in axes.items()}
    keys = {axis: {key_of(value) for value in values} for axis, values in wanted.items()}
    left = [status for status in statuses if all(key_of(status.cell.get(axis)) in keys[axis] for axis in keys)]
    down, across = _sides(kept, left, _named("rows", axes, rows), _named("columns", axes, columns))
    others = [axis for name, axis in kept.items() if name not in down + across]
    return Selection([kept[name] for name in down], [kept[name] for name in across], others, left)


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


def _named(side: str, axes: Mapping[str, Sequence[Any]], wanted: Side) -> list[str] | None:
    """Return the axes that the user names for a side; None where none is named. Raises InvalidRequest."""
    if wanted is None:
        return None
    names = [name.strip() for name in wanted.split(",")] if isinstance(wanted, str) else list(wanted)
    if len(names) > MOST_NESTED:
        raise InvalidRequest(f"{side} are {', '.join(names)}: give one axis, or two, the second within the first")
    for name in names:
        if name not in axes:
            raise _no_axis(axes, name)
    return names


def follows(axis: str, known: Sequence[str], statuses: Sequence[Status]) -> bool:
    """Return whether the value of each of these jobs on an axis follows from its values on others.

    Args:
        axis: the axis.
        known: the others.
        statuses: the jobs.

    Example:
        >>> follows("seed", ["content"], [])
        True
    """
    seen: dict[tuple[str, ...], str] = {}
    return all(
        seen.setdefault(tuple(key_of(job.cell.get(name)) for name in known), own) == own
        for job, own in ((job, key_of(job.cell.get(axis))) for job in statuses)
    )


def _sides(
    axes: Mapping[str, Axis], statuses: Sequence[Status], rows: list[str] | None, columns: list[str] | None
) -> tuple[list[str], list[str]]:
    named = [*(rows or ()), *(columns or ())]
    if len(set(named)) < len(named):
        twice = next(name for name in named if named.count(name) > 1)
        raise InvalidRequest(f"{twice} is named twice in rows and columns: give other axes of {', '.join(axes)}")
    free = [axis for axis in axes if axis not in named]
    # Readers expect contents in rows and styles in columns, whatever the order in the sweep file.
    down = _taken(free, "content", but_not="style") if rows is None else rows
    across = _taken(free, "style") if columns is None else columns
    open_sides = [side for side, given in ((down, rows), (across, columns)) if given is None and side]
    for name in free:
        roomy = [side for side in open_sides if len(side) < MOST_NESTED]
        if roomy and not follows(name, down + across, statuses):
            min(roomy, key=lambda side: math.prod(len(axes[one].values) for one in side)).append(name)
    return down, across


def _taken(free: list[str], preferred: str, but_not: str = "") -> list[str]:
    """Take the preferred one out of `free`, or else the first; nothing where there is none."""
    others = [axis for axis in free if axis != but_not]
    if not others:
        return []
    chosen = preferred if preferred in free else others[0]
    free.remove(chosen)
    return [chosen]


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
        >>> is_called("content", "sha256:1f/cat.jpg", "photos/cat.jpg")
        True
    """
    label = label_of(axis, known)
    # On the command line, lists are written without spaces.
    if key_of(known) == key_of(wanted) or wanted in (str(known), label, label.replace(", ", ",")):
        return True
    if isinstance(known, dict):
        return isinstance(wanted, str) and known == {wanted: 1}
    if isinstance(known, str):
        # One that was submitted over HTTP is known by its hash and its name.
        called = PurePath(str(wanted)).name if known.startswith("sha256:") else str(wanted)
        return axis in PICTURES and called in (PurePath(known).name, PurePath(known).stem)
    if isinstance(known, int | float) and not isinstance(known, bool):
        return _number(wanted) == known
    return False


def _number(text: Any) -> float | None:
    try:
        return float(text)
    except (TypeError, ValueError):
        return None


def _places(axes: Sequence[Axis], statuses: Sequence[Status]) -> list[Places]:
    """Return where each job is on the axes of a side."""
    known = [(axis.name, {key_of(value): place for place, value in enumerate(axis.values)}) for axis in axes]
    return [tuple(places[key_of(status.cell.get(name))] for name, places in known) for status in statuses]
