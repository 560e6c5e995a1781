"""Phrases for messages."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


def nearest(name: str, known: Iterable[str]) -> str:
    """Return ": did you mean X?" for the known name that resembles `name` most, or a list of the known ones."""
    known = list(known)
    close = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
    return f": did you mean {close[0]!r}?" if close else f"; known are {', '.join(known)}"


def counted(number: int, noun: str) -> str:
    """Return "1 mask", "2 masks"."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
