"""Which font has a letter: the letters of any script in pictures, and what stands for those that no font has."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable
from functools import cache
from pathlib import Path

# In the names of files: heavier, narrower or slanted than text, or with serifs.
_LESS_FIT = ("bold", "black", "light", "thin", "medium", "italic", "oblique", "condensed", "narrow", "mono", "serif")
# A last resort has a box for every letter.
_UNFIT = ("lastresort", "adobeblank")


@cache
def own_font() -> Path:
    """Return the font that is on every machine: DejaVu Sans, which comes with matplotlib.

    Example:
        >>> own_font().name
        'DejaVuSans.ttf'
    """
    import matplotlib

    return Path(matplotlib.get_data_path()) / "fonts" / "ttf" / "DejaVuSans.ttf"


def font_of(letters: str) -> Path | None:
    """Return a font that has all of these letters: our own, or else the most suitable one of this machine.

    Args:
        letters: of any script.

    Returns:
        The file of the font; None where no font has them all.

    Example:
        >>> font_of("Łódź").name
        'DejaVuSans.ttf'
    """
    return _font_with(frozenset(letters) - {" "})


def runs(text: str) -> list[tuple[str, Path]]:
    r"""Split a text of one line into pieces, each with a font that has its letters.

    A letter that no font has is written in Latin ones, or as an escape such as \u795e: never as an empty square.

    Args:
        text: of any script.

    Returns:
        The pieces from left to right.

    Example:
        >>> [(piece, font.name) for piece, font in runs("Köln")]
        [('Köln', 'DejaVuSans.ttf')]
    """
    own = own_font()
    lacking = {letter for letter in text if not _follows(letter) and font_of(letter) != own}
    # One font for all of a text looks better than one for each of its letters.
    common = font_of("".join(sorted(lacking))) if lacking else None
    pieces: list[tuple[str, Path]] = []
    font: Path | None = own
    for number, letter in enumerate(text):
        if not number or not _follows(letter):
            font = (common or font_of(letter)) if letter in lacking else font_of(letter)
        written, drawn_in = (letter, font) if font else (in_latin(letter), own)
        if pieces and pieces[-1][1] == drawn_in:
            pieces[-1] = (pieces[-1][0] + written, drawn_in)
        else:
            pieces.append((written, drawn_in))
    return pieces


def legible(text: str) -> str:
    """Return a text of one line with Latin letters in place of those that no font of this machine has.

    Args:
        text: of any script.

    Example:
        >>> legible("Αθήνα")
        'Αθήνα'
    """
    return "".join(piece for piece, _ in runs(text))


def in_latin(letter: str) -> str:
    r"""Return what a letter sounds like, in ASCII; an escape where nothing is known of it.

    Args:
        letter: of any script.

    Example:
        >>> in_latin("\ue000")
        '\\ue000'
    """
    if letter.isspace():
        return " "
    try:
        from anyascii import anyascii
    except ImportError:  # a farm that was upgraded by hand
        return letter.encode("unicode_escape").decode()
    sound: str = anyascii(letter)
    return sound if sound or _follows(letter) else letter.encode("unicode_escape").decode()


def _follows(letter: str) -> bool:
    """Return whether a letter is written with the one before it, as an accent is, or takes no ink."""
    return letter.isspace() or unicodedata.category(letter) in ("Mn", "Mc", "Me", "Cf")


@cache
def _font_with(letters: frozenset[str]) -> Path | None:
    return next((path for path in (own_font(), *_system_fonts()) if _has(path, letters)), None)


def _has(path: Path, letters: Iterable[str]) -> bool:
    covered = _coverage(path)
    places = [divmod(ord(letter), 8) for letter in letters]
    return all(place < len(covered) and covered[place] >> bit & 1 for place, bit in places)


@cache
def _system_fonts() -> tuple[Path, ...]:
    """Return the fonts of this machine, the most suitable first."""
    # Not matplotlib's list of fonts, which is kept in a file: a font would not be found after it was installed.
    from matplotlib.font_manager import findSystemFonts

    paths = {Path(path) for path in findSystemFonts()}
    return tuple(sorted((path for path in paths if not any(word in _plain(path) for word in _UNFIT)), key=_rank))


def _rank(path: Path) -> tuple[int, bool, str]:
    name = _plain(path)
    return sum(word in name for word in _LESS_FIT), "noto" not in name, str(path)


def _plain(path: Path) -> str:
    return path.name.lower().replace("-", "").replace("_", "").replace(" ", "")


@cache
def _coverage(path: Path) -> bytes:
    """Return a bit for each letter, which is 1 where the font has it; nothing of a font that cannot be drawn."""
    from matplotlib.ft2font import FT2Font

    try:
        font = FT2Font(str(path))
    except RuntimeError:  # FreeType cannot read it
        return b""
    codes = font.get_charmap() if font.scalable else {}
    bits = bytearray(max(codes, default=-1) // 8 + 1)
    for code in codes:
        bits[code // 8] |= 1 << code % 8
    return bytes(bits)
