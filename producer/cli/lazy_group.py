"""Groups of commands that are imported when they are called: listing jobs need not wait for what draws sheets."""

from __future__ import annotations

import importlib
from collections.abc import Mapping, Sequence
from typing import Any

import click

from stylefarm.shared.cli.command_group import CommandGroup


class LazyGroup(CommandGroup):
    """A group with commands of its own, and more in other modules, imported in turn until one has the given name.

    Args:
        *given: as for click.Group.
        more: places "module:name", each of a command, or of commands by their names; those that take long to import
            stand last.
        **options: as for click.Group.
    """

    def __init__(self, *given: Any, more: Sequence[str] = (), **options: Any) -> None:
        super().__init__(*given, **options)
        self.places = tuple(more)
        self._left = list(more)

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Import everything, and return the names."""
        while self._left:
            self._import_next()
        return super().list_commands(ctx)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Return a command, imported if need be; None for another name."""
        while cmd_name not in self.commands and self._left:
            self._import_next()
        return super().get_command(ctx, cmd_name)

    def _import_next(self) -> None:
        module, _, name = self._left.pop(0).partition(":")
        found: click.Command | Mapping[str, click.Command] = getattr(importlib.import_module(module), name)
        named = found if isinstance(found, Mapping) else {found.name or name: found}
        for command_name, command in named.items():
            self.add_command(command, command_name)
