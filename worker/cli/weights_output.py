"""What `stylefarm weights` prints: data on standard output, words on standard error."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from stylefarm.shared.cli.console import echo, print_json, say
from stylefarm.shared.cli.list_output import Item, ListOutput
from stylefarm.shared.db.tables import WeightsRow
from stylefarm.shared.schema.documents import WeightsDocument
from stylefarm.shared.spec.weights_at_hand import WeightsAtHand

COLUMNS = ("name", "architecture", "made from", "size", "sha256", "created (UTC)")
NONE_ELSE = "no others are registered: `stylefarm weights pull vgg19` (575 MB) or `weights import FILE` adds some"
EMPTY = (
    "no weights are registered: run `stylefarm weights pull squeezenet` (5 MB) or `stylefarm weights pull vgg19`"
    " (575 MB), or `stylefarm weights import FILE` with a file that you have"
)


def print_listed(read: Callable[[], Sequence[WeightsRow]], automatic: WeightsAtHand | None, output: ListOutput) -> None:
    """Print all weights, as the options of a list say, and what `features = auto` takes of them."""
    if output.is_table and not read():
        say(EMPTY if automatic is None else NONE_ELSE)
    else:
        output.show("weights", COLUMNS, lambda: [Item(_fields(row), _row(row)) for row in read()])
    if output.is_table:
        say(f"features = auto takes {'random weights' if automatic is None else automatic.title} here")


def print_imported(row: WeightsRow, *, added: bool, as_json: bool) -> None:
    """Return the name under which weights are registered now, and whether they were before."""
    done = "is registered" if added else "is there already, with the same content"
    say(f"{row.name} {done}: {row.architecture}, {_size(row)}, {row.sha256[:12]}")
    if as_json:
        print_json({"weights": _fields(row), "added": added})
    else:
        echo(row.name)


def _row(row: WeightsRow) -> tuple[str, ...]:
    created = f"{row.created_at:%Y-%m-%d %H:%M}"
    return row.name, row.architecture, row.source, _size(row), row.sha256[:12], created


def _fields(row: WeightsRow) -> WeightsDocument:
    return {
        "name": row.name,
        "architecture": row.architecture,
        "source": row.source,
        "bytes": row.bytes,
        "sha256": row.sha256,
        "created_at": row.created_at.isoformat(),
    }


def _size(row: WeightsRow) -> str:
    return f"{row.bytes / 1e6:.1f} MB"
