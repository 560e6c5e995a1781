"""Output of the commands: data on standard output, messages on standard error."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

import click
from rich.console import Console
from rich.table import Table

from stylefarm.shared.schema import answers

Command = TypeVar("Command", bound=Callable[..., Any])


class Seconds(click.FloatRange):
    """A number of seconds. Refuses nan, which a range alone lets through."""

    name = "seconds"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Return the number. Fails if it is none, or out of range."""
        seconds = float(super().convert(value, param, ctx))
        if math.isnan(seconds):
            self.fail(f"{value!r} is no number of seconds", param, ctx)
        return seconds


def json_option(command: Command) -> Command:
    """Add the option `--json`, which every command that reports has."""
    return click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")(command)


def list_options(command: Command) -> Command:
    """Add the options of every command that lists: `form` is json, jsonl, ids, or None for a table; the last wins."""
    choices = (
        (("-q", "--quiet"), "ids", "Print only the ids, one per line."),
        (("--jsonl",), "jsonl", "Print JSON objects, one per line."),
        (("--json",), "json", "Print one JSON object."),
    )
    for names, form, help_text in choices:
        command = click.option(*names, "form", flag_value=form, help=help_text)(command)
    return command


def timeout_option(command: Command) -> Command:
    """Add the option `--timeout` of every command that waits."""
    help_text = "Wait at most this many seconds, then exit with 8."
    return click.option("--timeout", type=Seconds(min=0), help=help_text)(command)


def print_json(document: Mapping[str, Any]) -> None:
    """Print one JSON object, with the version of its schema."""
    click.echo(json.dumps({"schema_version": answers.VERSION, **document}, indent=2, ensure_ascii=False))


def print_list(
    form: str | None,
    name: str,
    entries: Sequence[Mapping[str, Any]],
    columns: Sequence[str],
    rows: Sequence[Sequence[str]],
) -> None:
    """Print a list as `list_options` says.

    Args:
        form: what that option gave.
        name: of the list in the JSON object.
        entries: as JSON; each has an `id` or, without one, a `name`.
        columns: the head of the table.
        rows: the texts of the table.
    """
    if form == "json":
        print_json({name: list(entries)})
    elif form == "jsonl":
        for entry in entries:
            print_line(entry)
    elif form == "ids":
        for entry in entries:
            click.echo(entry["id"] if "id" in entry else entry["name"])
    else:
        print_table(columns, rows)


def print_line(document: Mapping[str, Any]) -> None:
    """Print a JSON object in one line, at once."""
    click.echo(json.dumps(document, ensure_ascii=False))


def say(message: str) -> None:
    """Print a line for the person, not for the script."""
    click.echo(message, err=True)


def print_table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print a plain table, in the terminal's width where there is one."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for number, name in enumerate(columns):
        # The first column is not wrapped on narrow terminals, so that users can copy whole ids.
        table.add_column(name, no_wrap=number == 0)
    for row in rows:
        table.add_row(*row)
    console = Console(highlight=False)
    if not console.is_terminal:
        # A file or a pipe has no width; nothing is cut off or wrapped.
        console.width = 10_000
    with console.capture() as captured:
        console.print(table)
    click.echo(captured.get(), nl=False)


def print_pairs(pairs: Mapping[str, object]) -> None:
    """Print names and values, one pair a line; values that are None are left out."""
    shown = {name: value for name, value in pairs.items() if value is not None}
    width = max(map(len, shown), default=0)
    for name, value in shown.items():
        click.echo(f"{name:<{width}}  {value}")
