"""Sweep files: a matrix of values for content, style and any parameter, unfolded into specs."""

from __future__ import annotations

import itertools
import math
import re
from collections.abc import Hashable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml
from yaml.constructor import ConstructorError

from shared.errors import InvalidSpec
from shared.spec import BLOB, JobSpec, nearest, parse_spec
from shared.terms import Terms, check_limit, parse_terms, parted

# A grid beyond this is a slip of the pen; it is refused before it is unfolded.
MOST_CELLS = 1_000_000
# No parameter takes a longer whole number.
MOST_BITS = 1024

KEYS = ("name", "base", "matrix", "max_running", *Terms.model_fields)
# Parameters that name files, which are looked for beside the sweep file.
PATHS = ("content", "style", "content_masks", "style_masks", "init_image", "weights")


@dataclass(frozen=True)
class Grid:
    """Fixed parameters (`base`) and, for each axis of the `matrix`, its values. The last axis turns fastest.

    `terms` say how its jobs are to be done, `max_running` how many at a time. `file` is where it was read from;
    sentences on what is wrong start with it.
    """

    matrix: Mapping[str, Sequence[Any]]
    base: Mapping[str, Any] = field(default_factory=dict)
    name: str = ""
    file: Path | None = None
    terms: Mapping[str, Any] = field(default_factory=dict)
    max_running: int | None = None

    def __post_init__(self) -> None:
        _check_name(self.name)
        # Before the axes are looked through, which takes its time where they are long.
        if self._count() > MOST_CELLS:
            raise InvalidSpec(f"the matrix has {self._count():,} cells, more than {MOST_CELLS:,}: shorten an axis")
        for axis, values in self.matrix.items():
            _check_axis(axis, values)
        both = sorted(set(self.matrix) & set(self.base))
        if both:
            raise InvalidSpec(f"{both[0]} stands both in base and in matrix: leave out one of the two")

    def __len__(self) -> int:
        return self._count()

    def _count(self) -> int:
        # Not len(self), which Python refuses to be as large as a product of lengths can be.
        return math.prod(len(values) for values in self.matrix.values())

    def cells(self) -> Iterator[tuple[dict[str, Any], JobSpec]]:
        """Each cell's values by axis, and its spec. Raises InvalidSpec."""
        for values in itertools.product(*self.matrix.values()):
            cell = dict(zip(self.matrix, values, strict=True))
            with _named(self.file):
                spec = parse_spec({**self.base, **cell})
            yield cell, spec


def read_grid(path: Path) -> Grid:
    """Reads a sweep file. Paths of pictures in it are looked for beside it.

    Raises InvalidSpec with the line and column of what is not YAML, and for what is not a sweep.
    """
    try:
        document = _document(path)
        with _named(path):
            return _grid(document, path)
    except RecursionError:  # also of lists that hold themselves by way of an alias
        raise InvalidSpec(f"{path} is nested too deeply for a sweep file") from None


def _document(path: Path) -> object:
    try:
        return yaml.load(path.read_text(encoding="utf-8"), _Loader)  # noqa: S506 - a SafeLoader, see below
    except OSError as error:
        raise InvalidSpec(f"{path} cannot be read ({error.strerror}): check the path of the sweep file") from None
    except UnicodeDecodeError:
        raise InvalidSpec(f"{path} is no text: a sweep file is YAML in UTF-8") from None
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        where = f", line {mark.line + 1}, column {mark.column + 1}" if mark else ""
        raise InvalidSpec(f"{path}{where}: this is no YAML ({_line(error.problem)})") from None
    except yaml.YAMLError as error:
        raise InvalidSpec(f"{path} is no YAML: {_line(error)}") from None
    except RecursionError:
        raise
    # A tag that its value does not fit, the thirty-first of February, a number of thousands of digits: PyYAML lets out
    # what Python's own conversions raise, ValueError, TypeError, OverflowError, KeyError, IndexError, AttributeError.
    except Exception as error:
        raise InvalidSpec(f"{path} is no YAML that can be read ({_line(error) or type(error).__name__})") from error


def _line(reason: object) -> str:
    return " ".join(str(reason).split())


@contextmanager
def _named(file: Path | None) -> Iterator[None]:
    """Puts the file's name before what is wrong with it."""
    try:
        yield
    except InvalidSpec as error:
        if file is None:
            raise
        raise InvalidSpec(f"{file}: {error}") from None


def _grid(document: object, file: Path) -> Grid:
    if not isinstance(document, dict):
        raise InvalidSpec("a sweep file is a mapping with `matrix`, and perhaps `name` and `base`")
    for key in document:
        if key not in KEYS:
            raise InvalidSpec(f"unknown key {key!r}{nearest(str(key), (*KEYS, *JobSpec.model_fields))}")
    matrix, base = _mapping(document, "matrix"), _mapping(document, "base")
    if not matrix:
        raise InvalidSpec("the matrix is missing or empty: give at least one axis, as in content: [a.jpg, b.jpg]")
    listed = {axis: values if isinstance(values, list) else [values] for axis, values in matrix.items()}
    return Grid(
        matrix={axis: [_beside(file.parent, axis, value) for value in values] for axis, values in listed.items()},
        base={name: _beside(file.parent, name, value) for name, value in base.items()},
        name=str(document.get("name") or ""),
        file=file,
        terms=_terms(document),
        max_running=check_limit(document.get("max_running")),
    )


def _terms(document: dict[str, Any]) -> dict[str, Any]:
    terms, _ = parted(document)
    parse_terms(terms)
    return terms


def _mapping(document: Mapping[str, object], key: str) -> dict[str, Any]:
    value = document.get(key) or {}
    if not isinstance(value, dict):
        raise InvalidSpec(f"{key} must be a mapping from parameters to values")
    return {str(name): entry for name, entry in value.items()}


def _beside(folder: Path, name: str, value: Any) -> Any:
    if name not in PATHS:
        return value
    if isinstance(value, list):
        return [_beside(folder, name, entry) for entry in value]
    if not isinstance(value, str) or value.startswith((BLOB, "~")):
        return value
    beside = folder / value
    # Weights may also go by a name that is registered in the farm.
    return value if name == "weights" and not beside.exists() else str(beside)


def _check_name(name: str) -> None:
    """A database stores neither the NUL character nor half a surrogate pair, and YAML can write both."""
    for letter in name:
        if letter == "\0" or "\ud800" <= letter <= "\udfff":
            raise InvalidSpec(f"name = {name!r:.60}: the character {letter!r} cannot be stored; take it out")


def _check_axis(axis: str, values: Sequence[Any]) -> None:
    if axis not in JobSpec.model_fields:
        raise InvalidSpec(f"unknown axis {axis!r}{nearest(axis, JobSpec.model_fields)}")
    if isinstance(values, str) or not values:
        raise InvalidSpec(f"the axis {axis} is {'one text' if values else 'empty'}: give a list of values")
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


class _Loader(yaml.SafeLoader):
    """YAML's safe subset, in which 1e3 is a number too, as everywhere but in YAML 1.1, and a key stands once."""

    def construct_mapping(self, node: yaml.Node, deep: bool = False) -> dict[Any, Any]:
        if not isinstance(node, yaml.MappingNode):  # the tag !!map before something else
            raise ConstructorError(problem="here should be a mapping", problem_mark=node.start_mark)
        seen = set()
        for key, _ in node.value:
            if not isinstance(key, yaml.ScalarNode):
                raise ConstructorError(problem="a key is a plain word", problem_mark=key.start_mark)
            if key.value in seen:
                raise ConstructorError(problem=f"{key.value} stands twice", problem_mark=key.start_mark)
            seen.add(key.value)
        return super().construct_mapping(node, deep)

    def construct_yaml_int(self, node: yaml.ScalarNode) -> int:
        value = super().construct_yaml_int(node)
        # In hexadecimal a number can have more digits than Python agrees to write into a sentence.
        if value.bit_length() > MOST_BITS:
            raise ConstructorError(problem="a number of too many digits", problem_mark=node.start_mark)
        return value


_Loader.add_constructor("tag:yaml.org,2002:int", _Loader.construct_yaml_int)
_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:float", re.compile(r"^[-+]?(\d+(\.\d*)?|\.\d+)([eE][-+]?\d+)$"), list("-+.0123456789")
)
