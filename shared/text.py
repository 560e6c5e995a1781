"""Phrases for messages."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence
from functools import lru_cache


def nearest(name: str, known: Iterable[str]) -> str:
    """Return ": did you mean X?" for the known name that resembles `name` most, or a list of the known ones."""
    known = list(known)
    close = closest(name, known)
    return f"; known are {', '.join(known)}" if close is None else f": did you mean {close!r}?"


def closest(name: str, known: Iterable[str]) -> str | None:
    """Return the known name that resembles `name` most, in small letters or not; None where none does.

    Example:
        >>> closest("STYLE-WEIGHT", ["style", "style_weight"])
        'style_weight'
    """
    return _closest(name, tuple(known))


# Thousands of cells of a sweep may have one mistake.
@lru_cache
def _closest(name: str, known: Sequence[str]) -> str | None:
    in_small = {each.lower(): each for each in known}
    return next((in_small[each] for each in difflib.get_close_matches(name.lower(), in_small, n=1, cutoff=0.5)), None)


def unstorable(text: str) -> str | None:
    """Return the first letter of a text that no database stores: NUL, or half a pair; None where each can be stored.

    Half a pair stands for a byte of an argument or a file name that is no UTF-8.
    """
    return next((letter for letter in text if letter == "\0" or "\ud800" <= letter <= "\udfff"), None)


def counted(number: int, noun: str) -> str:
    """Return "1 mask", "2 masks"."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
