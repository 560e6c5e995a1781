"""A grid: which values go together, and in which order.

The factors of a grid are the axes of its matrix and the groups of `zip`, in the order in which they are written; the
last one turns fastest. Then cells are taken out (`exclude`), and given more values or added at the end (`include`).
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Hashable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from stylefarm.producer.grids.factor import Factor
from stylefarm.producer.grids.reading import EntryPositions
from stylefarm.producer.grids.sampling import Sample
from stylefarm.producer.grids.search import Search
from stylefarm.producer.grids.values import MOST_CELLS, NumberRange, Values
from stylefarm.shared.errors import InvalidSpec
from stylefarm.shared.spec.spec import JobSpec, nearest, parse_spec
from stylefarm.shared.text import counted, unstorable

# As many as the name of a file may have.
LONGEST_NAME = 255

Cell = dict[str, Any]


@dataclass(frozen=True)
class Grid:
    """The cells of a sweep: fixed parameters, axes with their values, and groups of axes that turn together.

    Args:
        matrix: the values of each axis; every combination is a cell, and the last axis turns fastest.
        base: parameters that are the same in all cells.
        name: what the sweep is called.
        file: where it was read from.
        terms: how its jobs are to be done.
        max_running: how many of them run at a time.
        zip: groups of axes that turn together.
        include: sets parameters that are no axes in the cells that have its values on the axes; where there is no such
            cell, it is one more.
        exclude: takes out the cells that have one of the values listed for each axis that an entry names.
        sample: draws cells from the whole grid first.
        search: the matrix is searched, and not expanded.
        notes: what its user may not expect, a sentence each: files that are left out, entries of `include` that stay.
        positions: where in the file each entry stands.

    Raises:
        InvalidSpec: a value is wrong, or no cell is left.

    Example:
        >>> grid = Grid({"seed": [1, 2]}, base={"content": "a.png", "style": "b.png"})
        >>> [cell for cell, spec in grid.cells()]
        [{'seed': 1}, {'seed': 2}]
    """

    matrix: Mapping[str, Values]
    base: Mapping[str, Any] = field(default_factory=dict)
    name: str = ""
    file: Path | None = None
    terms: Mapping[str, Any] = field(default_factory=dict)
    max_running: int | None = None
    zip: Sequence[Mapping[str, Sequence[Any]]] = ()
    include: Sequence[Mapping[str, Any]] = ()
    exclude: Sequence[Mapping[str, Sequence[Any]]] = ()
    sample: Sample | None = None
    search: Search | None = None
    notes: Sequence[str] = field(default=(), compare=False)
    positions: EntryPositions | None = field(default=None, repr=False, compare=False)

    def __post_init__(self) -> None:
        _check_name(self.name)
        # Checked before the values of the axes, which takes long for long axes.
        if self.sample is None and self.search is None:
            self._check_size()
        for keys, axis, values in self._axis_entries():
            with error_at(keys):
                _check_axis(axis, values, drawn=self.sample is not None or self.search is not None)
                if keys[0] == "matrix":
                    _check_once_each(axis, values)
        self._check_once()
        self._check_groups()
        for number, entry in enumerate(self.exclude):
            with error_at(("exclude", number)):
                self._check_excluded(number, entry)
        for number, entry in enumerate(self.include):
            with error_at(("include", number)):
                self._check_included(number, entry)
        if self.search is not None:
            self._check_searched()
        elif next(self.values(), None) is None:
            raise InvalidSpec("exclude takes out all cells: nothing is left to render", ("exclude",))

    def __len__(self) -> int:
        if self.search is not None:
            return self.search.trials
        if self.sample is None and not self.exclude and not self.include:
            return self._product()
        return sum(1 for _ in self.values())

    @property
    def factors(self) -> list[Factor]:
        """The axes of the matrix, then the groups of `zip`, in the order in which they are written.

        Example:
            >>> grid = Grid({"size": [256, 512]}, zip=[{"content": ["a.png", "b.png"], "style": ["c.png", "d.png"]}])
            >>> [factor.axes for factor in grid.factors]
            [('size',), ('content', 'style')]
        """
        alone = [Factor((axis,), (values,)) for axis, values in self.matrix.items()]
        return [*alone, *(Factor(tuple(group), tuple(group.values())) for group in self.zip)]

    @property
    def axes(self) -> dict[str, list[Any]]:
        """The values of each axis that its cells have, in order; axes that only `include` names come last.

        Example:
            >>> Grid({"seed": range(1, 4)}, exclude=[{"seed": [2]}]).axes
            {'seed': [1, 2, 3]}
        """
        drawn = None if self.sample is None else self._drawn()
        found: dict[str, list[Any]] = {}
        for number, factor in enumerate(self.factors):
            places = range(factor.length or 0) if drawn is None else sorted({cell[number] for cell in drawn})
            for pairs in map(factor.at, places):
                for axis, value in pairs:
                    found.setdefault(axis, []).append(value)
        for entry in self.include:
            for axis in found:
                found[axis] += [entry[axis]] if axis in entry else []
        return {axis: _distinct(values) for axis, values in found.items()}

    def values(self) -> Iterator[Cell]:
        """Yield each cell's values by axis, with what `include` adds to it, in order.

        Raises:
            InvalidSpec: an entry of `include` fits no cell and has not a value of each axis.

        Example:
            >>> list(Grid({"seed": [1, 2]}, include=[{"seed": 2, "size": 512}]).values())
            [{'seed': 1}, {'seed': 2, 'size': 512}]
        """
        axes = {axis for factor in self.factors for axis in factor.axes}
        used = set()
        for cell in self._expanded():
            if any(all(cell[axis] in values for axis, values in entry.items()) for entry in self.exclude):
                continue
            more: Cell = {}
            for number, entry in enumerate(self.include):
                if all(cell[axis] == value for axis, value in entry.items() if axis in axes):
                    used.add(number)
                    more.update((name, value) for name, value in entry.items() if name not in axes)
            yield {**cell, **more} if more else cell
        for number, entry in enumerate(self.include):
            if number not in used:
                yield self._additional_cell(number, entry)

    def cells(self) -> Iterator[tuple[Cell, JobSpec]]:
        """Yield each cell's values and its spec, in order.

        Raises:
            InvalidSpec: the values of a cell do not fit together, or this is a search.

        Example:
            for cell, spec in grid.cells():
                print(cell, spec.size)
        """
        if self.search is not None:
            raise InvalidSpec("this is a search: stylefarm sweep search runs it")
        with error_in(self.file, self.positions):
            for cell in self.values():
                yield cell, self._spec(cell)

    def spec(self, cell: Cell) -> JobSpec:
        """Return the spec of one cell.

        Args:
            cell: its values by axis; the other parameters are those of `base`.

        Raises:
            InvalidSpec: the values do not fit together.

        Example:
            spec = grid.spec({"seed": 1})
        """
        with error_in(self.file, self.positions):
            return self._spec(cell)

    def _spec(self, cell: Cell) -> JobSpec:
        try:
            return parse_spec({**self.base, **cell})
        except InvalidSpec as error:
            raise InvalidSpec(str(error), self._keys_of(*error.at)) from None

    def _product(self) -> int:
        # Not len(self): Python limits it to sys.maxsize, and a product of lengths can be larger.
        return math.prod(factor.length or 1 for factor in self.factors)

    def _drawn(self) -> list[tuple[Any, ...]]:
        return [] if self.sample is None else self.sample.places([factor.length for factor in self.factors])

    def _expanded(self) -> Iterator[Cell]:
        factors = self.factors
        if self.sample is not None:
            for places in self._drawn():
                yield {axis: v for factor, place in zip(factors, places, strict=True) for axis, v in factor.at(place)}
            return
        if not self.zip:
            names = list(self.matrix)
            for values in itertools.product(*(factor.columns[0] for factor in factors)):  # type: ignore[arg-type]
                yield dict(zip(names, values, strict=True))
            return
        turns = [[dict(factor.at(place)) for place in range(factor.length or 0)] for factor in factors]
        for parts in itertools.product(*turns):
            yield {axis: value for part in parts for axis, value in part.items()}

    def _additional_cell(self, number: int, entry: Mapping[str, Any]) -> Cell:
        axes = [axis for factor in self.factors for axis in factor.axes]
        missing = [axis for axis in axes if axis not in entry]
        if missing:
            raise InvalidSpec(
                f"include {number + 1} fits no cell, and as one more cell it lacks {', '.join(missing)}: give it a"
                " value of each axis",
                ("include", number),
            )
        return {**{axis: entry[axis] for axis in axes}, **entry}

    def _keys_of(self, parameter: str | int = "", *_more: str | int) -> tuple[str | int, ...]:
        """Where the user wrote a parameter."""
        name = str(parameter)
        if name in self.matrix:
            return ("matrix", name)
        groups = (("zip", number, name) for number, group in enumerate(self.zip) if name in group)
        return next(groups, ("base", name) if name in self.base else ())

    def _axis_entries(self) -> Iterator[tuple[tuple[str | int, ...], str, Values]]:
        yield from ((("matrix", axis), axis, values) for axis, values in self.matrix.items())
        for number, group in enumerate(self.zip):
            yield from ((("zip", number, axis), axis, values) for axis, values in group.items())

    def _check_searched(self) -> None:
        for key in ("zip", "include", "exclude", "sample"):
            if getattr(self, key):
                raise InvalidSpec(f"{key} does not go with search, which proposes values itself: take it out", (key,))

    def _check_size(self) -> None:
        if self._product() > MOST_CELLS:
            what = f"the matrix has {self._product():,} cells, more than {MOST_CELLS:,}"
            raise InvalidSpec(f"{what}: shorten an axis, or draw some of them with sample", ("matrix",))

    def _check_once(self) -> None:
        seen = dict.fromkeys(self.base, "base")
        for (where, *_), axis, _values in self._axis_entries():
            if axis in seen:
                places = f"both in {seen[axis]} and in {where}" if seen[axis] != where else f"twice in {where}"
                raise InvalidSpec(f"{axis} stands {places}: leave out one of the two", self._keys_of(axis))
            seen[axis] = str(where)

    def _check_groups(self) -> None:
        for number, group in enumerate(self.zip):
            lengths = {axis: len(values) for axis, values in group.items()}
            if len(set(lengths.values())) > 1:
                shown = ", ".join(f"{axis} has {counted(length, 'value')}" for axis, length in lengths.items())
                raise InvalidSpec(f"the axes of a zip go in step, but {shown}: make them alike", ("zip", number))
            rows = list(zip(*group.values(), strict=True))
            if len(_distinct(rows)) < len(rows):
                raise InvalidSpec(
                    f"the zip of {', '.join(group)} has the same step twice: take one out", ("zip", number)
                )

    def _check_excluded(self, number: int, entry: Mapping[str, Sequence[Any]]) -> None:
        what = f"exclude {number + 1}"
        if not entry:
            raise InvalidSpec(f"{what} names no axis: it would take out every cell")
        known = {axis: values for _, axis, values in self._axis_entries()}
        for axis, values in entry.items():
            if axis not in known:
                raise InvalidSpec(f"{what} names {axis!r}, which is no axis{nearest(axis, known)}")
            of_axis = known[axis]
            if isinstance(of_axis, NumberRange):
                raise InvalidSpec(f"{what} names {axis}, whose values are drawn: narrow its bounds instead")
            strange = next((value for value in values if value not in of_axis), None)
            if strange is not None:
                raise InvalidSpec(f"{what} takes out no cell: the axis {axis} has no value {strange!r:.60}")

    def _check_included(self, number: int, entry: Mapping[str, Any]) -> None:
        for name in entry:
            if name not in JobSpec.model_fields:
                raise InvalidSpec(f"include {number + 1} names {name!r}{nearest(name, JobSpec.model_fields)}")
        if entry in self.include[:number]:
            raise InvalidSpec(f"include {number + 1} stands there twice: take one out")


@contextmanager
def error_in(file: Path | None, positions: EntryPositions | None = None) -> Iterator[None]:
    """Put the name of the file, and the place in it, before what is wrong in the `with` block.

    Args:
        file: None where the grid was not read from one.
        positions: where its entries stand.

    Raises:
        InvalidSpec: what the `with` block raised, with the file and the place before it.

    Example:
        >>> with error_in(Path("cats.yaml")):
        ...     raise InvalidSpec("the axis seed is empty: give a list of values")
        Traceback (most recent call last):
        ...
        stylefarm.shared.errors.InvalidSpec: cats.yaml: the axis seed is empty: give a list of values
    """
    try:
        yield
    except InvalidSpec as error:
        if file is None:
            raise
        where = "" if positions is None else positions.describe(error.at)
        raise InvalidSpec(f"{file}{where}: {error}") from None


@contextmanager
def error_at(keys: tuple[str | int, ...]) -> Iterator[None]:
    """Add the place of an entry to an InvalidSpec of the `with` block that has none.

    Args:
        keys: the keys and indices that lead to the entry.

    Raises:
        InvalidSpec: what the `with` block raised, its `at` set.

    Example:
        >>> try:
        ...     with error_at(("matrix", "seed")):
        ...         raise InvalidSpec("the axis seed is empty")
        ... except InvalidSpec as error:
        ...     error.at
        ('matrix', 'seed')
    """
    try:
        yield
    except InvalidSpec as error:
        raise InvalidSpec(str(error), error.at or keys) from None


def _distinct(values: Sequence[Any]) -> list[Any]:
    if all(isinstance(value, Hashable) for value in values):
        return list(dict.fromkeys(values))
    return [value for place, value in enumerate(values) if value not in values[:place]]


def _check_name(name: str) -> None:
    """Refuse a name that cannot be stored, or that nobody would read to its end."""
    letter = unstorable(name)
    if letter is not None:
        raise InvalidSpec(f"name = {name!r:.60}: the character {letter!r} cannot be stored; take it out", ("name",))
    if len(name) > LONGEST_NAME:
        raise InvalidSpec(f"name = {name!r:.60}: it has {len(name):,} letters; give at most {LONGEST_NAME}", ("name",))


def _check_axis(axis: str, values: Values, *, drawn: bool) -> None:
    if axis not in JobSpec.model_fields:
        raise InvalidSpec(f"unknown axis {axis!r}{nearest(axis, JobSpec.model_fields)}")
    if isinstance(values, NumberRange):
        if not drawn:
            raise InvalidSpec(
                f"the axis {axis} is a span without values of its own: draw from it with sample, or write linspace or"
                " logspace"
            )
        return
    if isinstance(values, str) or not values:
        raise InvalidSpec(f"the axis {axis} is {'one text' if values else 'empty'}: give a list of values")


def _check_once_each(axis: str, values: Values) -> None:
    if isinstance(values, NumberRange | range):
        return
    seen: set[Any] = set()
    unhashable: list[Any] = []
    for value in values:
        known: set[Any] | list[Any] = seen if isinstance(value, Hashable) else unhashable
        if value in known:
            raise InvalidSpec(f"the axis {axis} has {value!r} twice: take one out")
        if isinstance(known, set):
            known.add(value)
        else:
            known.append(value)
