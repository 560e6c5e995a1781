"""What `stylefarm weights` prints: data on standard output, words on standard error."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import click
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from shared.tables import Weights

# As of every command of the farm: raised when a field goes or changes its meaning.
SCHEMA_VERSION = 1

COLUMNS = ("name", "architecture", "made from", "size", "sha256", "created (UTC)")
EMPTY = (
    "no weights are registered: run `stylefarm weights pull vgg19`, or `stylefarm weights import FILE` with a file that"
    " you have"
)


def say(words: str) -> None:
    """A line for the person, not for the script."""
    click.echo(words, err=True)


def print_listed(rows: Sequence[Weights], *, as_json: bool) -> None:
    """All weights as a table, or as one JSON object."""
    if as_json:
        _print_json({"weights": [_fields(row) for row in rows]})
    elif rows:
        _print_table(rows)
    else:
        say(EMPTY)


def print_imported(row: Weights, *, added: bool, as_json: bool) -> None:
    """The name under which weights are registered now, and whether they were before."""
    done = "is registered" if added else "is there already, with the same content"
    say(f"{row.name} {done}: {row.architecture}, {_size(row)}, {row.sha256[:12]}")
    if as_json:
        _print_json({"weights": _fields(row), "added": added})
    else:
        click.echo(row.name)


def _print_json(document: Mapping[str, Any]) -> None:
    click.echo(json.dumps({"schema_version": SCHEMA_VERSION, **document}, indent=2, ensure_ascii=False))


def _print_table(rows: Sequence[Weights]) -> None:
    table = Table(*COLUMNS, box=None, pad_edge=False, header_style="bold")
    for row in rows:
        created = f"{row.created_at:%Y-%m-%d %H:%M}"
        table.add_row(row.name, row.architecture, escape(row.source), _size(row), row.sha256[:12], created)
    console = Console(highlight=False)
    if not console.is_terminal:
        # A file or a pipe has no width; nothing may be cut off or folded in it.
        console.width = 10_000
    with console.capture() as captured:
        console.print(table)
    click.echo(captured.get(), nl=False)


def _fields(row: Weights) -> dict[str, Any]:
    return {
        "name": row.name,
        "architecture": row.architecture,
        "source": row.source,
        "bytes": row.bytes,
        "sha256": row.sha256,
        "created_at": row.created_at.isoformat(),
    }


def _size(row: Weights) -> str:
    return f"{row.bytes / 1e6:.1f} MB"
