"""Groups of commands, which say when an option is given twice."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from contextlib import suppress

import click
from click.core import ParameterSource

from stylefarm.shared.cli.console import say


class CommandGroup(click.Group):
    """A group of commands; of an option with one value that is given twice, it says that the last one counts.

    So an alias can set an option that a user then gives again, and a second value is not dropped without a word.

    Example:
        @click.group(cls=CommandGroup)
        def weights() -> None: ...
    """

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Return the command that the arguments name, and its arguments, after a look at these."""
        name, command, rest = super().resolve_command(ctx, args)
        if command is not None and not isinstance(command, click.Group) and not ctx.resilient_parsing:
            for option in _repeated(click.Context(command, info_name=name, parent=ctx), rest):
                say(f"{max(option.opts, key=len)} is given more than once: the last value counts")
        return name, command, rest


def say_in_vain(*names: str, because: str) -> None:
    """Say which of these options the user has given, although they have no effect with the others.

    Args:
        *names: of parameters of the current command.
        because: ends the sentence, as in "without -o".

    Example:
        say_in_vain("metric", because="without -o")
    """
    ctx = click.get_current_context()
    options = [parameter for parameter in ctx.command.params if isinstance(parameter, click.Option)]
    for option in options:
        given = ctx.get_parameter_source(option.name or "") is ParameterSource.COMMANDLINE
        if option.name in names and given:
            say(f"{max(option.opts, key=len)} has no effect {because}")


def _repeated(ctx: click.Context, args: Sequence[str]) -> list[click.Option]:
    """Return the options with one value that the arguments have several times."""
    # What is wrong with the arguments, the command itself says.
    with suppress(click.UsageError):
        _values, _rest, order = ctx.command.make_parser(ctx).parse_args(list(args))
        counts = Counter(id(parameter) for parameter in order)
        options = {id(parameter): parameter for parameter in order if isinstance(parameter, click.Option)}
        return [
            option
            for number, option in options.items()
            if counts[number] > 1 and not (option.multiple or option.is_flag or option.count)
        ]
    return []
