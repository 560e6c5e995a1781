"""Output of the commands: data on standard output, messages on standard error.

Every text goes through `stylefarm.shared.foreign_text`, since most have a part that somebody else wrote.
"""

from __future__ import annotations

import io
import json
import math
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import click

from stylefarm.shared.cli.text_table import Cell, table_text
from stylefarm.shared.errors import InvalidRequest
from stylefarm.shared.foreign_text import LEGIBLE, json_text, one_line
from stylefarm.shared.schema import answers

# Ten years: clocks and locks refuse much longer times.
MOST_SECONDS = 315_360_000

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


def timeout_option(command: Command) -> Command:
    """Add the option `--timeout` of every command that waits."""
    help_text = "Wait at most this many seconds, then exit with 8."
    return click.option("--timeout", type=Seconds(min=0, max=MOST_SECONDS), help=help_text)(command)


def write_any_letter() -> None:
    """Have standard output and error write something similar for letters that the user's encoding lacks."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors=LEGIBLE)


def echo(text: object = "") -> None:
    """Print a line of the command's answer."""
    click.echo(one_line(text))  # noqa: TID251 - this is the door


def echo_path(path: Path) -> None:
    """Print the name of a file: to a terminal what can be shown of it, to a program its bytes."""
    if sys.stdout.isatty():
        echo(path)
    else:
        click.echo(os.fsencode(path))  # noqa: TID251 - a program needs the name as it is


def say(message: str) -> None:
    """Print a line for the person, not for the script."""
    click.echo(one_line(message), err=True)  # noqa: TID251 - this is the door


def confirm(question: str, refusal: str) -> None:
    """Ask before much is done.

    Args:
        question: what is to be done, as a question.
        refusal: the sentence where nobody can be asked.

    Raises:
        InvalidRequest: standard input is no terminal.
        click.Abort: the user says no.
    """
    if not sys.stdin.isatty():
        raise InvalidRequest(refusal)
    if not click.confirm(question, err=True):
        raise click.Abort


def print_json(document: Mapping[str, Any]) -> None:
    """Print one JSON object, with the version of its schema."""
    _print_json({"schema_version": answers.VERSION, **document}, indent=2)


def print_line(document: Mapping[str, Any]) -> None:
    """Print a JSON object in one line, at once."""
    _print_json(document, indent=None)


def _print_json(document: Mapping[str, Any], indent: int | None) -> None:
    text = json_text(json.dumps(document, indent=indent, ensure_ascii=False))
    try:
        text.encode(getattr(sys.stdout, "encoding", None) or "utf-8")
    except UnicodeEncodeError:
        text = json.dumps(document, indent=indent)
    click.echo(text)  # noqa: TID251 - JSON has its own escapes


def print_table(columns: Sequence[str], rows: Sequence[Sequence[Cell]]) -> None:
    """Print a plain table; what is too wide for a terminal becomes a block of lines for each row."""
    click.echo(table_text(columns, rows), nl=False)  # noqa: TID251 - cells are made fit for it


def print_pairs(pairs: Mapping[str, object]) -> None:
    """Print names and values, one pair a line; values that are None are left out."""
    shown = {name: value for name, value in pairs.items() if value is not None}
    width = max(map(len, shown), default=0)
    for name, value in shown.items():
        echo(f"{name:<{width}}  {value}")
