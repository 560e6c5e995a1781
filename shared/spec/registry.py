"""Registries of what a spec names and a package provides: style losses and methods.

A built-in one is an entry of a table that names its class as "module:Class", which is imported when it is used, so that
a producer needs no torch. Other packages add theirs by entry points of the registry's group.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points
from typing import Any

from stylefarm.shared.errors import InvalidSpec
from stylefarm.shared.text import nearest


@dataclass(frozen=True)
class Plugin:
    """A class of another package: its name in a spec, its entry point, and the distribution it comes from."""

    name: str
    point: EntryPoint
    distribution: str

    def load(self) -> Any:
        """Import the class. Raises what the import raises, and AttributeError where it names no class."""
        if not self.point.attr:
            raise AttributeError(f"the entry point {self.point.value!r} names no class: write module:Class")
        return self.point.load()


class Registry:
    """Names and the classes that they stand for.

    Args:
        group: The group of entry points: "stylefarm.losses".
        noun: What one entry is called in messages: "style loss".
        builtin: "module:Class" of each built-in name.

    Example:
        >>> registry = Registry("stylefarm.examples", "counter", {"plain": "collections:Counter"})
        >>> registry.names(), "plain" in registry
        (('plain',), True)
        >>> registry.load("plain").__name__
        'Counter'
    """

    def __init__(self, group: str, noun: str, builtin: Mapping[str, str]) -> None:
        self.group = group
        self.noun = noun
        self.builtin = builtin

    def names(self) -> tuple[str, ...]:
        """Return all names: the built-in ones in the table's order, then those of other packages."""
        return (*self.builtin, *sorted({plugin.name for plugin in self.plugins()} - set(self.builtin)))

    def plugins(self) -> Iterator[Plugin]:
        """Yield what other packages provide. A name that is built in stays what it is."""
        for point in _points(self.group, tuple(sys.path)):
            yield Plugin(point.name, point, f"{point.dist.name} {point.dist.version}" if point.dist else "")

    def __contains__(self, name: object) -> bool:
        """Return whether a built-in entry or a package provides the name."""
        return name in self.builtin or any(plugin.name == name for plugin in self.plugins())

    def check(self, name: str) -> None:
        """Raise ValueError, with one sentence, for a name that nobody provides."""
        if name not in self:
            raise ValueError(self._unknown(name))

    def load(self, name: str) -> Any:
        """Import the class of a name.

        Raises:
            InvalidSpec: Nobody provides the name, or its package fails to import.
        """
        if name in self.builtin:
            return load_target(self.builtin[name])
        plugin = next((plugin for plugin in self.plugins() if plugin.name == name), None)
        if plugin is None:
            raise InvalidSpec(self._unknown(name))
        try:
            return plugin.load()
        # A package of somebody else can fail in any way, also by ending the program.
        except (Exception, SystemExit) as error:
            raise InvalidSpec(
                f"the {self.noun} {name!r} failed to load ({type(error).__name__}: {error}): see stylefarm doctor"
            ) from error

    def _unknown(self, name: str) -> str:
        return f"no {self.noun} {name!r}{nearest(name, self.names())}"


def load_target(target: str) -> Any:
    """Import "module:Class". Raises what the import raises, and AttributeError if the module has no such class."""
    module, _, name = target.partition(":")
    value: Any = import_module(module)
    for part in name.split("."):
        value = getattr(value, part)
    return value


@lru_cache(maxsize=32)
def _points(group: str, _path: Iterable[str]) -> tuple[EntryPoint, ...]:
    """Return the entry points of a group, by distribution; searched again when the import path changes."""
    # In one order everywhere: of two packages with one name, each worker uses the same.
    return tuple(sorted(entry_points(group=group), key=lambda point: point.dist.name if point.dist else ""))
