"""What a user writes on jobs and sweeps to find them again: tags, and a note. They change nothing else."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from stylefarm.shared.errors import InvalidSpec
from stylefarm.shared.text import unstorable

TAG = re.compile(r"[a-z0-9][a-z0-9._:/-]{0,62}")
MOST_TAGS = 100
LONGEST_NOTE = 10_000


class Marks(NamedTuple):
    """Tags, sorted, and a note; None: there is none.

    Example:
        >>> Marks(("best", "cats")).note is None
        True
    """

    tags: tuple[str, ...] = ()
    note: str | None = None


NO_MARKS = Marks()


def parse_marks(fields: Mapping[str, Any]) -> Marks:
    """Read what a user gave.

    Args:
        fields: `tags` (one, or several in a collection) and `note`, or neither.

    Returns:
        The tags in small letters, each once, and the note; an empty one is none.

    Raises:
        InvalidSpec: no tag can be called so, or the note is no text, or too long.

    Example:
        >>> parse_marks({"tags": ["Cats", "best", "cats"], "note": ""})
        Marks(tags=('best', 'cats'), note=None)
    """
    note = fields.get("note")
    if note is not None and not isinstance(note, str):
        raise InvalidSpec(f"note = {note!r:.60}: must be a text")
    if note is not None and len(note) > LONGEST_NOTE:
        raise InvalidSpec(f"the note has {len(note):,} letters: give at most {LONGEST_NOTE:,}")
    letter = None if note is None else unstorable(note)
    if letter is not None:
        raise InvalidSpec(f"note = {note!r:.60}: the character {letter!r} cannot be stored; take it out")
    return Marks(parse_tags(fields.get("tags")), note or None)


def parse_tags(given: str | Iterable[Any] | None) -> tuple[str, ...]:
    """Read tags.

    Args:
        given: one tag, or several in a collection.

    Returns:
        The tags in small letters, sorted, each once.

    Raises:
        InvalidSpec: no tag can be called so, or there are too many.

    Example:
        >>> parse_tags("Cats")
        ('cats',)
    """
    named = [given] if isinstance(given, str) else list(given or ())
    tags = sorted({_checked(tag) for tag in named})
    if len(tags) > MOST_TAGS:
        raise InvalidSpec(f"these are {len(tags)} tags: give at most {MOST_TAGS}")
    return tuple(tags)


def _checked(tag: Any) -> str:
    lower = tag.strip().lower() if isinstance(tag, str) else ""
    if not TAG.fullmatch(lower):
        raise InvalidSpec(
            f"no tag can be called {tag!r:.80}: use at most 63 letters (a to z), digits and . _ : / -, and begin with a"
            " letter or a digit"
        )
    return lower
