"""Help of commands with many options: in groups, the rare ones with --help-all alone."""

from __future__ import annotations

from typing import Any

import click

HELP_ALL = "stylefarm.help_all"


class GroupedOption(click.Option):
    """An option that the help lists in a group.

    Args:
        *names: as for click.Option.
        group: the title of the group in --help-all.
        brief_group: that in --help; None: it is rare, and not listed there.
        **settings: as for click.Option.
    """

    def __init__(self, *names: Any, group: str, brief_group: str | None, **settings: Any) -> None:
        super().__init__(*names, **settings)
        self.group = group
        self.brief_group = brief_group


class GroupedCommand(click.Command):
    """A command whose help lists its options by group; `--help-all` lists the rare ones too."""

    def get_params(self, ctx: click.Context) -> list[click.Parameter]:
        """Return the parameters, with `--help-all` before `--help`."""
        *given, last = super().get_params(ctx)
        has_rare = any(isinstance(option, GroupedOption) and option.brief_group is None for option in given)
        return [*given, *([_help_all()] if has_rare else []), last]

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the options, a section for each group."""
        own: list[tuple[str, str]] = []
        groups: dict[str, list[tuple[str, str]]] = {}
        for parameter in self.get_params(ctx):
            record = parameter.get_help_record(ctx)
            if record is None or not isinstance(parameter, click.Option):
                continue
            if not isinstance(parameter, GroupedOption):
                own.append(record)
                continue
            title = parameter.group if ctx.meta.get(HELP_ALL) else parameter.brief_group
            if title is not None:
                groups.setdefault(title, []).append(record)
        for title, records in {"Options": own, **groups}.items():
            with formatter.section(title):
                formatter.write_dl(records)


def _help_all() -> click.Option:
    return click.Option(
        ["--help-all"],
        is_flag=True,
        is_eager=True,
        expose_value=False,
        callback=_print_all,
        help="Show the rare options, too; stylefarm parameters explains them.",
    )


def _print_all(ctx: click.Context, _parameter: click.Parameter, wanted: bool) -> None:
    if wanted and not ctx.resilient_parsing:
        ctx.meta[HELP_ALL] = True
        click.echo(ctx.get_help(), color=ctx.color)  # noqa: TID251 - a page of lines, all of them our own
        ctx.exit()
