"""From what a sweep file says to the grid that it means."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

from stylefarm.producer.grids.grid import Grid, error_at, error_in
from stylefarm.producer.grids.pictures import PATHS, beside, pictures_of
from stylefarm.producer.grids.reading import EntryPositions, read_document, read_value
from stylefarm.producer.grids.s3_objects import Objects
from stylefarm.producer.grids.sampling import Sample
from stylefarm.producer.grids.search import Search
from stylefarm.producer.grids.values import MOST_CELLS, NumberRange, Values, expand
from stylefarm.shared.errors import InvalidSpec
from stylefarm.shared.files.paths import is_there, located, split_names
from stylefarm.shared.settings import Settings, load_settings
from stylefarm.shared.spec.spec import JobSpec, nearest
from stylefarm.shared.spec.terms import Terms, check_limit, parse_terms, split_terms
from stylefarm.shared.text import closest

Section = TypeVar("Section", Sample, Search)

KEYS = ("name", "base", "matrix", "zip", "include", "exclude", "sample", "search", "max_running", *Terms.model_fields)


def read_grid(path: Path, settings: Settings | None = None) -> Grid:
    """Read a sweep file.

    Args:
        path: a YAML file. Paths of pictures in it are relative to its folder.
        settings: how S3 is reached; by default those of the environment.

    Returns:
        The grid.

    Raises:
        InvalidSpec: it is not YAML, or not a sweep; the sentence has line and column.
        ServiceUnavailable: a bucket that it names does not answer.

    Example:
        sweep = farm.sweep(read_grid(Path("cats.yaml")))
    """
    return load_grid(path, {}, settings)


def load_grid(path: Path, axes: Mapping[str, Any], settings: Settings | None = None, data: bytes | None = None) -> Grid:
    """Read a sweep file with further axes, which replace what the file says of these parameters.

    Args:
        path: as for `read_grid`.
        axes: values by parameter; paths in them are relative to the current folder.
        settings: as for `read_grid`.
        data: what is in the file, where that was read already; `path` then says what it is called and where it lies.

    Returns:
        The grid.

    Raises:
        InvalidSpec: as `read_grid`, or it is nested too deeply.
        ServiceUnavailable: as `read_grid`.

    Example:
        grid = load_grid(Path("cats.yaml"), parse_settings(["seed=1,2,3"]))
    """
    try:
        document, positions = read_document(path, data)
        with error_in(path, positions):
            reader = _Reader(path.parent, settings, frozenset(axes))
            return reader.grid(_replaced(document, axes), path, positions)
    except RecursionError:  # also of lists that hold themselves by way of an alias
        raise InvalidSpec(f"{path} is nested too deeply for a sweep file") from None


def parse_grid(document: object, settings: Settings | None = None) -> Grid:
    """Return the grid that the content of a sweep file means; paths in it are relative to the current folder.

    Args:
        document: what YAML or JSON holds.
        settings: how S3 is reached; by default those of the environment.

    Raises:
        InvalidSpec: it is not a sweep.
        ServiceUnavailable: a bucket that it names does not answer.

    Example:
        >>> pictures = {"content": "a.png", "style": "b.png"}
        >>> grid = parse_grid({"matrix": {"seed": "1..3", "tv_weight": [0, 1]}, "base": pictures})
        >>> len(grid), list(grid.values())[1]
        (6, {'seed': 1, 'tv_weight': 1})
    """
    return _Reader(Path(), settings, frozenset()).grid(document, None, None)


def parse_settings(assignments: Sequence[str]) -> dict[str, Any]:
    """Parse texts such as "style_weight=1,10" into axes.

    Args:
        assignments: texts `parameter=value,value`.

    Returns:
        The values by parameter.

    Raises:
        InvalidSpec: a text has no equals sign or no value, or a parameter is set twice.

    Example:
        >>> parse_settings(["style-weight=1,10", "init=content"])
        {'style_weight': [1, 10], 'init': ['content']}
    """
    axes: dict[str, Any] = {}
    for assignment in assignments:
        axis, sign, values = assignment.partition("=")
        axis = axis.strip().replace("-", "_")
        if not sign or not values.strip():
            raise InvalidSpec(
                f"{assignment!r:.60} is no axis: write a parameter and its values, as in style_weight=1,10,100"
            )
        if axis in axes:
            raise InvalidSpec(f"the axis {axis} is set twice: give all of its values at once")
        axes[axis] = _paths(values) if axis in PATHS else [read_value(part.strip()) for part in _split(values)]
    return axes


def _paths(values: str) -> list[Any]:
    """Return names of files, or lists of them in brackets; a file may be called as either of them looks."""
    if "[" not in values or is_there(located(values)):
        return split_names(values)
    return [
        value
        for part in _split(values)
        for value in ([read_value(part.strip())] if _is_list(part) else split_names(part))
    ]


def _is_list(part: str) -> bool:
    return part.strip().startswith("[") and part.strip().endswith("]") and not is_there(located(part.strip()))


def _split(values: str) -> list[str]:
    """Return the parts between commas, but for those inside brackets."""
    parts, depth = [""], 0
    for letter in values:
        depth += (letter in "[{") - (letter in "]}")
        if letter == "," and depth == 0:
            parts.append("")
        else:
            parts[-1] += letter
    return parts


def _replaced(document: object, axes: Mapping[str, Any]) -> object:
    if not axes or not isinstance(document, dict):
        return document
    kept = {key: _without(document.get(key), axes) for key in ("base", "matrix")}
    return {**document, "base": kept["base"], "matrix": {**kept["matrix"], **axes}}


def _without(mapping: Any, axes: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in (mapping or {}).items() if name not in axes}


class _Reader:
    """Reads the parts of one document."""

    def __init__(self, folder: Path, settings: Settings | None, own: frozenset[str]) -> None:
        self.folder = folder
        self.own = own
        self.objects = Objects(settings or load_settings())
        self.notes: list[str] = []

    def grid(self, document: object, file: Path | None, positions: EntryPositions | None) -> Grid:
        if not isinstance(document, dict):
            raise InvalidSpec("a sweep file is a mapping with `matrix`, and perhaps `name` and `base`")
        for key in document:
            if key not in KEYS:
                raise InvalidSpec(_of_unknown_key(str(key)), (str(key),))
        matrix, groups = _mapping(document, "matrix"), _entries(document, "zip")
        for part in ("base", "matrix"):
            _check_parameters(part, _mapping(document, part))
        if not matrix and not groups:
            raise InvalidSpec("the matrix is missing or empty: give at least one axis, as in content: [a.jpg, b.jpg]")
        terms, _ = split_terms(document)
        parse_terms(terms)
        include = [
            {name: self._beside(name, value) for name, value in entry.items()}
            for entry in _entries(document, "include")
        ]
        return Grid(
            matrix={axis: self._axis(("matrix", axis), axis, value) for axis, value in matrix.items()},
            base={name: self._beside(name, value) for name, value in _mapping(document, "base").items()},
            name=_name(document.get("name")) or ("" if file is None else file.stem),
            terms=terms,
            max_running=check_limit(document.get("max_running")),
            zip=[self._listed("zip", number, group) for number, group in enumerate(groups)],
            include=include,
            exclude=[
                self._listed("exclude", number, entry) for number, entry in enumerate(_entries(document, "exclude"))
            ],
            sample=_section(document, "sample", Sample),
            search=_section(document, "search", Search),
            file=file,
            notes=tuple(dict.fromkeys([*_kept_includes(include, self.own), *self.notes])),
            positions=positions,
        )

    def _listed(self, key: str, number: int, entry: Mapping[str, Any]) -> dict[str, Any]:
        found = {axis: self._axis((key, number, axis), axis, value) for axis, value in entry.items()}
        span = next((axis for axis, values in found.items() if isinstance(values, NumberRange)), None)
        if span is not None:
            raise InvalidSpec(f"{key} has a span for {span}, which stands in the matrix alone", (key, number, span))
        return found

    def _axis(self, keys: tuple[str | int, ...], axis: str, value: Any) -> Values:
        if isinstance(value, range):  # from Python, where it need not be written out
            return value
        entries = value if isinstance(value, list) else [value]
        with error_at(keys):
            parts = [self._expanded(axis, entry) for entry in entries]
            if len(parts) == 1:
                return parts[0]
            if any(isinstance(part, NumberRange) for part in parts):
                raise InvalidSpec(f"the axis {axis} has a span among other values: a span stands alone")
            # Checked before they are joined into one list, which takes much memory if they are long.
            _check_length(axis, parts)
            return [value for part in parts if not isinstance(part, NumberRange) for value in part]

    def _expanded(self, axis: str, entry: Any) -> Values:
        if axis in PATHS and isinstance(entry, str):
            folder = Path() if axis in self.own else self.folder
            found = pictures_of(folder, axis, entry, self.objects)
            if found.left_out:
                self.notes.append(found.left_out)
            return found.names
        if axis in PATHS:
            return [self._beside(axis, entry)]
        return expand(axis, entry)

    def _beside(self, name: str, value: Any) -> Any:
        return beside(Path() if name in self.own else self.folder, name, value)


def _kept_includes(include: Sequence[Mapping[str, Any]], own: frozenset[str]) -> Iterator[str]:
    """Yield what remains of the file where --set replaces axes of it."""
    for number, entry in enumerate(include):
        named = [name for name in entry if name in own]
        if named:
            yield (
                f"include {number + 1} of the file names {', '.join(named)} too, and stays as it is: --set replaces"
                " what stands in base and matrix"
            )


def _check_length(axis: str, parts: list[Values]) -> None:
    length = sum(len(part) for part in parts if not isinstance(part, NumberRange))
    if length > MOST_CELLS:
        raise InvalidSpec(f"the axis {axis} has {length:,} values, more than {MOST_CELLS:,}: shorten it")


def _section(document: Mapping[str, Any], key: str, kind: type[Section]) -> Section | None:
    """Return what stands below a key, as that kind; None if it stands nowhere."""
    if document.get(key) is None:
        return None
    fields, known = _mapping(document, key), [field.name for field in dataclasses.fields(kind)]
    for name in fields:
        if name not in known:
            raise InvalidSpec(f"{key} has {name!r}{nearest(name, known)}", (key, name))
    return kind(**fields)


def _of_unknown_key(key: str) -> str:
    close = closest(key, (*KEYS, *JobSpec.model_fields))
    if close is None or close in KEYS:
        return f"unknown key {key!r}{nearest(key, KEYS)}"
    what = "is" if close == key else f"is unknown: {close!r} is"
    return f"{key!r} {what} a parameter, which stands below base, or below matrix with several values"


def _check_parameters(part: str, values: Mapping[str, Any]) -> None:
    for name in values:
        if name in KEYS:
            raise InvalidSpec(
                f"{name!r} is no parameter of a picture: it is the same for the whole sweep, and stands beside {part}",
                (part, name),
            )


def _name(value: object) -> str:
    if isinstance(value, dict | list | set):
        raise InvalidSpec("name must be a text", ("name",))
    return str(value or "")


def _mapping(document: Mapping[str, Any], key: str) -> dict[str, Any]:
    value = document.get(key) or {}
    if not isinstance(value, dict):
        raise InvalidSpec(f"{key} must be a mapping from parameters to values", (key,))
    return {str(name): entry for name, entry in value.items()}


def _entries(document: Mapping[str, Any], key: str) -> list[dict[str, Any]]:
    """Return the mappings that stand below a key: one, or a list of them."""
    value = document.get(key) or []
    entries = value if isinstance(value, list) else [value]
    for number, entry in enumerate(entries):
        if not isinstance(entry, dict) or not entry:
            raise InvalidSpec(f"{key} must be a list of mappings from parameters to values", (key, number))
    return [{str(name): value for name, value in entry.items()} for entry in entries]
