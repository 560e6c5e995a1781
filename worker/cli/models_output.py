"""What `stylefarm model` prints: data on standard output, words on standard error."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from stylefarm.shared.cli.console import echo, print_json, say
from stylefarm.shared.db.library_tables import ModelRow
from stylefarm.shared.spec.models import MODEL_METHODS

COLUMNS = ("name", "method", "styles", "made by", "size", "sha256", "created (UTC)")
EMPTY = (
    "there are no models: `stylefarm model pull cin26` or `model pull arbitrary` gets published ones (3 MB), and"
    " `stylefarm train` makes your own"
)


def row_of(row: ModelRow) -> tuple[str, ...]:
    """Return a model as a row of the table."""
    size = f"{row.bytes / 1e6:.1f} MB"
    return row.name, row.method, _styles(row), row.source, size, row.sha256[:12], f"{row.created_at:%Y-%m-%d %H:%M}"


def pairs(row: ModelRow) -> Mapping[str, str | None]:
    """Return what a person reads of a model."""
    title = MODEL_METHODS[row.method].title if row.method in MODEL_METHODS else "of another release"
    said = {name.replace("_", " "): _plain(value) for name, value in row.card.items() if name != "spec"}
    spec = row.card.get("spec")
    trained = {} if not isinstance(spec, dict) else {f"spec {name}": _plain(value) for name, value in spec.items()}
    known = {
        "name": row.name,
        "method": f"{row.method}: {title}",
        "styles": _styles(row),
        "made by": row.source,
        "size": f"{row.bytes / 1e6:.1f} MB",
        "sha256": row.sha256,
    }
    # A card is what anybody wrote: it adds to what the farm knows, and replaces none of it.
    return {**known, **{name: value for name, value in {**said, **trained}.items() if name not in known}}


def say_imported(imported: Sequence[tuple[ModelRow, bool]], *, as_json: bool) -> None:
    """Print the names of models that are registered now, and say whether they were before."""
    for row, added in imported:
        done = "is registered" if added else "is there already, with the same content"
        say(f"{row.name} {done}: {row.method}, {row.bytes / 1e6:.1f} MB, {row.sha256[:12]}")
    if as_json:
        print_json({"models": [row.document() for row, _ in imported], "added": [added for _, added in imported]})
        return
    for row, _ in imported:
        echo(row.name)


def _styles(row: ModelRow) -> str:
    takes = MODEL_METHODS[row.method].takes if row.method in MODEL_METHODS else "nothing"
    if takes == "indices":
        return str(row.architecture.get("styles", 1))
    return "any" if takes == "pictures" else "1"


def _plain(value: Any) -> str | None:
    if value is None or value == [] or value == {}:
        return None
    if isinstance(value, float):
        return f"{value:.4g}"
    if isinstance(value, Mapping):
        return ", ".join(f"{name} {_plain(entry)}" for name, entry in value.items())
    if isinstance(value, list):
        return ", ".join(str(_plain(entry)) for entry in value)
    return str(value)
