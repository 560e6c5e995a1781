"""File names for the results of a sweep, which a person can read."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence

from stylefarm.producer.views.selection import PICTURES, label_of
from stylefarm.producer.views.status import Status

# Every file system allows 255 bytes; the rest is for a number, a suffix, and the temporary name during writing.
LONGEST = 180
# Characters that mean nothing special to any file system or shell; "~" is reserved for numbers.
_UNFIT = re.compile(r"[^\w.,=+-]+")


def file_names(statuses: Sequence[Status]) -> list[str]:
    """Return a name without suffix for each job of a whole sweep, as in `cat_waves_style_weight-10`.

    A name says the pictures and the values on the other axes. It depends on the cells and their order alone, so that it
    stays as it is while jobs are rendered, and when cells are added at the end. No two names are the same, not even
    where case and accents are ignored: of cells that would be called alike, the second one ends in `~2`.

    Args:
        statuses: all jobs of the sweep, in the order of its cells.

    Returns:
        A name of at most 180 bytes in UTF-8, and a number, for each of them.

    Example:
        names = file_names(sweep.statuses())  # ["cat_waves_style_weight-10", ...]
    """
    seen: dict[str, int] = {}
    return [_numbered(_name_of(status), seen) for status in statuses]


def _numbered(name: str, seen: dict[str, int]) -> str:
    folded = unicodedata.normalize("NFKD", unicodedata.normalize("NFKD", name).casefold())
    plain = "".join(letter for letter in folded if not unicodedata.combining(letter))
    seen[plain] = seen.get(plain, 0) + 1
    return name if seen[plain] == 1 else f"{name}~{seen[plain]}"


def _name_of(status: Status) -> str:
    pictures = [label_of(name, status.cell.get(name, getattr(status, name))) for name in PICTURES]
    others = [f"{axis}-{label_of(axis, value)}" for axis, value in status.cell.items() if axis not in PICTURES]
    parts = [_fit(part) for part in (*pictures, *others)]
    name = _cut("_".join(part for part in parts if part)) or "picture"
    # Windows reserves these names for devices, with any suffix.
    return f"{name}_" if re.fullmatch(r"(?i)con|prn|aux|nul|(com|lpt)\d", name) else name


def _fit(text: str) -> str:
    """Return the text with "-" for all that is unfit, and without what hides a file at its beginning."""
    composed = unicodedata.normalize("NFC", text).replace(" + ", "+").replace(", ", ",")
    return _UNFIT.sub("-", composed).strip(".-")


def _cut(name: str) -> str:
    """As much of the name as has LONGEST bytes."""
    return name.encode("utf-8", "replace")[:LONGEST].decode("utf-8", "ignore").rstrip(".-")
