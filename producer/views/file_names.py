"""File names for the results of a sweep, which a person can read."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping, Sequence

from stylefarm.producer.views.labels import PICTURES, pair_of, pictures_and_cell, varying_labels
from stylefarm.producer.views.status import Status

# Every file system allows 255 bytes; the rest is for a number, a suffix, and the temporary name during writing.
LONGEST = 180
# Letters of a value, so many that the names fit.
LENGTHS = (48, 24, 12, 6, 3)
# Characters that mean something to a file system or a shell.
_UNFIT = re.compile(r"[^\w.,=+~-]+")


def file_names(statuses: Sequence[Status]) -> list[str]:
    """Return a name without suffix for each job of a whole sweep, as in `cat_waves_style_weight-10`.

    A name says what varies in the sweep: pictures, and values on the other axes, shortened in their middle where the
    name would be too long. It depends on the cells alone, so that it stays as it is while jobs are rendered. No two
    names are the same, not even where case and accents are ignored: of cells that would be called alike, the second
    one ends in `~2`.

    Args:
        statuses: all jobs of the sweep, in the order of its cells.

    Returns:
        A name of at most 180 bytes in UTF-8, and a number, for each of them.

    Example:
        names = file_names(sweep.statuses())  # ["cat_waves_style_weight-10", ...]
    """
    cells = [pictures_and_cell(status) for status in statuses]
    for longest in LENGTHS:
        names = [_joined(labels) for labels in varying_labels(cells, longest)]
        if all(len(name.encode("utf-8", "replace")) <= LONGEST for name in names):
            break
    seen: dict[str, int] = {}
    named = zip(names, statuses, strict=True)
    return [_numbered(_reserved(_cut(name or _fit(pair_of(status)))), seen) for name, status in named]


def _joined(labels: Mapping[str, str]) -> str:
    parts = (_fit(label if axis in PICTURES else f"{axis}-{label}") for axis, label in labels.items())
    return "_".join(part for part in parts if part)


def _numbered(name: str, seen: dict[str, int]) -> str:
    """Return the name, with a number where it, or what it is like without case and accents, is taken."""
    first = _folded(name)
    unique = name
    while _folded(unique) in seen:
        seen[first] += 1
        unique = f"{name}~{seen[first]}"
    seen[_folded(unique)] = 1
    return unique


def _folded(name: str) -> str:
    folded = unicodedata.normalize("NFKD", unicodedata.normalize("NFKD", name).casefold())
    return "".join(letter for letter in folded if not unicodedata.combining(letter))


def _reserved(name: str) -> str:
    """Return another name for one that Windows reserves for devices, with any suffix."""
    return f"{name}_" if re.fullmatch(r"(?i)con|prn|aux|nul|(com|lpt)\d", name) else name


def _fit(text: str) -> str:
    """Return the text with "-" for all that is unfit, and without what hides a file at its beginning."""
    composed = unicodedata.normalize("NFC", text).replace(" + ", "+").replace(", ", ",").replace(" x ", "_")
    return _UNFIT.sub("-", composed).strip(".-")


def _cut(name: str) -> str:
    """As much of the name as has LONGEST bytes."""
    cut = name.encode("utf-8", "replace")[:LONGEST].decode("utf-8", "ignore").rstrip(".-")
    return cut or "picture"
