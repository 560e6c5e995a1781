"""Read YAML as sweep files have it, and know where in the file each thing stands."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from yaml.constructor import ConstructorError

from stylefarm.shared.errors import InvalidRequest, InvalidSpec
from stylefarm.shared.files.small import read_small

# No parameter takes larger integers.
MOST_BITS = 1024
# No sweep has more.
MOST_BYTES = 20_000_000
MOST_ENTRIES = 1_500_000
MOST_DEPTH = 50


@dataclass(frozen=True)
class EntryPositions:
    """Where the entries of a file stand in it.

    Args:
        root: the node of the whole document.

    Example:
        >>> positions = EntryPositions(yaml.compose("{name: cats, matrix: {seed: [1, 2]}}"))
        >>> positions.describe(("matrix", "seed"))
        ', line 1, column 23'
    """

    root: yaml.Node

    def describe(self, keys: Sequence[str | int]) -> str:
        """Return where an entry stands, as in ", line 3, column 5".

        Args:
            keys: the keys and indices that lead to it.

        Returns:
            The place of the entry, or of the nearest one around it that there is; an empty text where there is none.
        """
        node, mark = self.root, None
        for step in keys:
            if isinstance(step, int) and isinstance(node, yaml.MappingNode):
                # The entry is written by itself, where a list of entries is allowed, too.
                continue
            found = _entry(node, step)
            if found is None:
                break
            mark, node = found
        return "" if mark is None else _describe(mark)


def _entry(node: yaml.Node, step: str | int) -> tuple[yaml.Mark, yaml.Node] | None:
    if isinstance(node, yaml.MappingNode):
        return next(((key.start_mark, value) for key, value in node.value if key.value == step), None)
    if isinstance(node, yaml.SequenceNode) and isinstance(step, int) and step < len(node.value):
        return node.value[step].start_mark, node.value[step]
    return None


def _describe(mark: yaml.Mark) -> str:
    return f", line {mark.line + 1}, column {mark.column + 1}"


def read_document(path: Path, data: bytes | None = None) -> tuple[object, EntryPositions | None]:
    """Read a YAML file.

    Args:
        path: a sweep file.
        data: what is in it, where that was read already; `path` is then what errors call it.

    Returns:
        What is in it, None of an empty file, and where each entry stands.

    Raises:
        InvalidSpec: it cannot be read, or is not YAML; with line and column where there is one.
        RecursionError: it is nested too deeply.

    Example:
        >>> from tempfile import TemporaryDirectory
        >>> with TemporaryDirectory() as folder:
        ...     path = Path(folder, "cats.yaml")
        ...     _ = path.write_text("matrix: {style_weight: [5, 1e1]}")
        ...     read_document(path)[0]
        {'matrix': {'style_weight': [5, 10.0]}}
    """
    try:
        loader = _Loader((read_small(path, MOST_BYTES) if data is None else data).decode())
        node = loader.get_single_node()
        return (None, None) if node is None else (loader.document(node), EntryPositions(node))
    except InvalidRequest as error:
        raise InvalidSpec(str(error)) from None
    except OSError as error:
        raise InvalidSpec(f"{path} cannot be read ({error.strerror}): check the path of the sweep file") from None
    except UnicodeDecodeError:
        raise InvalidSpec(f"{path} is no text: a sweep file is YAML in UTF-8") from None
    except _TooMuch as error:
        raise InvalidSpec(f"{path}{_describe(error.mark)}: {error.problem}") from None
    except yaml.MarkedYAMLError as error:
        where = _describe(error.problem_mark) if error.problem_mark else ""
        raise InvalidSpec(f"{path}{where}: this is no YAML ({_line(error.problem)})") from None
    except yaml.YAMLError as error:
        raise InvalidSpec(f"{path} is no YAML: {_line(error)}") from None
    except RecursionError:
        raise
    # A tag that its value does not fit, the thirty-first of February, a number of thousands of digits: PyYAML lets out
    # what Python's own conversions raise, ValueError, TypeError, OverflowError, KeyError, IndexError, AttributeError.
    except Exception as error:
        raise InvalidSpec(f"{path} is no YAML that can be read ({_line(error) or type(error).__name__})") from error


def read_value(text: str) -> Any:
    """Read one value as a sweep file would have it.

    What YAML keeps for itself, such as a leading *, is text.

    Args:
        text: the value, as a user gave it to an option.

    Raises:
        InvalidSpec: it is not a value.

    Example:
        >>> read_value("1e-3"), read_value("*.jpg"), read_value("[1, 2]")
        (0.001, '*.jpg', [1, 2])
    """
    loader = _Loader("")
    try:
        if text[:1] in {"[", "{", "'", '"'}:
            return yaml.load(text, _Loader)  # noqa: S506 - a SafeLoader
        tag = loader.resolve(yaml.ScalarNode, text, (True, False))  # type: ignore[no-untyped-call]
        return loader.construct_object(yaml.ScalarNode(tag, text))
    # As above: what Python's own conversions raise.
    except Exception as error:
        raise InvalidSpec(f"{text!r:.60} is no value ({_line(error)})") from error


def _line(reason: object) -> str:
    return " ".join(str(reason).split())


class _TooMuch(yaml.MarkedYAMLError):
    """A file has too many entries."""

    def __init__(self, mark: yaml.Mark) -> None:
        problem = f"with its aliases written out it has more than {MOST_ENTRIES:,} entries: shorten it"
        super().__init__(problem=problem, problem_mark=mark)
        self.mark = mark


class _Loader(yaml.SafeLoader):
    """YAML's safe subset, in which 1e3 is a number too, as everywhere but in YAML 1.1, and a key stands once.

    Entries are counted as if each alias were written out, and a file of too many is refused while it is composed.
    """

    def __init__(self, stream: str) -> None:
        super().__init__(stream)
        self.entries = 0
        self.depth = 0
        self.entries_of: dict[int, int] = {}  # by the identity of the node
        self.endless = False

    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node | None:
        if self.depth >= MOST_DEPTH:
            raise RecursionError
        event, before = self.peek_event(), self.entries  # type: ignore[no-untyped-call]
        self.depth += 1
        node = super().compose_node(parent, index)
        self.depth -= 1
        if isinstance(event, yaml.AliasEvent):
            # An alias within what it stands for.
            self.endless = self.endless or id(node) not in self.entries_of
            self.entries += self.entries_of.get(id(node), 1)
        else:
            self.entries += 1
            self.entries_of[id(node)] = self.entries - before
        if self.entries > MOST_ENTRIES:
            raise _TooMuch(event.start_mark)
        return node

    def document(self, node: yaml.Node) -> object:
        """Return what the node means. Raises RecursionError if an alias stands within what it stands for."""
        found = self.construct_document(node)
        if self.endless:
            raise RecursionError
        return found

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
        # Python refuses to format integers of too many digits, which hexadecimal notation can express.
        if value.bit_length() > MOST_BITS:
            raise ConstructorError(problem="a number of too many digits", problem_mark=node.start_mark)
        return value


_Loader.add_constructor("tag:yaml.org,2002:int", _Loader.construct_yaml_int)
_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:float", re.compile(r"^[-+]?(\d+(\.\d*)?|\.\d+)([eE][-+]?\d+)$"), list("-+.0123456789")
)
