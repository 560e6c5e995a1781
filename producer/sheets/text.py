"""Texts in pictures: each on one line of a width, in the fonts that have its letters. All lengths are pixels."""

from __future__ import annotations

from bisect import bisect_right
from functools import cache
from pathlib import Path

from PIL import ImageDraw, ImageFont

from stylefarm.shared.images import fonts

Font = ImageFont.FreeTypeFont | ImageFont.ImageFont

# Letters of a text that are looked at: no line is as long.
MOST_LETTERS = 1000


def width_of(text: str, size: int) -> float:
    """Return how wide a text is.

    Args:
        text: on one line.
        size: of its letters.

    Example:
        >>> width_of("wide", 20) > width_of("wide", 10)
        True
    """
    return sum(font.getlength(piece) for piece, font in _pieces(text, size))


def elided(text: str, size: int, width: float) -> str:
    """Return a text as one line of a width; where it is longer, its end is given up for "…".

    Args:
        text: any.
        size: of its letters.
        width: of the line.

    Example:
        >>> elided("a long text", 12, 40)
        'a lon…'
    """
    text = " ".join(text.split())[:MOST_LETTERS]
    if width_of(text, size) <= width:
        return text
    text = fonts.legible(text)
    kept = bisect_right(range(len(text)), float(width), key=lambda count: width_of(text[: count + 1] + "…", size))
    return text[:kept].rstrip() + "…"


def wrapped(text: str, size: int, width: float, most: int) -> list[str]:
    """Return a text in at most `most` lines of a width; what is left over stays in the last, to be elided.

    Args:
        text: any.
        size: of its letters.
        width: of a line.
        most: lines.

    Example:
        >>> wrapped("one two three", 12, 50, 2)
        ['one two', 'three']
    """
    lines: list[str] = []
    for word in text.split():
        longer = f"{lines[-1]} {word}" if lines else word
        if lines and (len(lines) == most or width_of(longer, size) <= width):
            lines[-1] = longer
        else:
            lines.append(word)
    return lines


def draw_text(
    pencil: ImageDraw.ImageDraw, text: str, at: tuple[float, float], size: int, color: str, anchor: str
) -> None:
    """Draw a text on one line.

    Args:
        pencil: of the picture.
        text: what is drawn.
        at: where its anchor is.
        size: of its letters.
        color: "#rrggbb".
        anchor: "l", "m" or "r" of the line, then "a" (top), "m" (middle) or "s" (baseline) of its letters.

    Example:
        >>> from PIL import Image
        >>> image = Image.new("RGB", (40, 20))
        >>> draw_text(ImageDraw.Draw(image), "cat", (20, 10), 12, "#ffffff", "mm")
        >>> image.getbbox() is not None
        True
    """
    pieces = _pieces(text, size)
    across, down = anchor[0], anchor[1]
    x = at[0] - {"l": 0.0, "m": 0.5, "r": 1.0}[across] * width_of(text, size)
    ascent, descent = _metrics(size)
    # One baseline for all fonts of a line.
    baseline = at[1] + {"a": float(ascent), "m": (ascent - descent) / 2, "s": 0.0}[down]
    for piece, font in pieces:
        pencil.text((round(x), round(baseline)), piece, color, font, "ls")
        x += font.getlength(piece)


def _pieces(text: str, size: int) -> list[tuple[str, Font]]:
    """Return the pieces of a text with their fonts; Pillow's own font, which is the finer one, has ASCII and a few."""
    if all(letter.isascii() or letter in "…±·°" for letter in text):
        return [(text, _default(size))]
    return [(piece, _loaded(path, round(size * 0.92))) for piece, path in fonts.runs(text)]


@cache
def _default(size: int) -> Font:
    return ImageFont.load_default(size)


@cache
def _loaded(path: Path, size: int) -> Font:
    return ImageFont.truetype(path, size)


@cache
def _metrics(size: int) -> tuple[int, int]:
    font = _default(size)
    return font.getmetrics() if isinstance(font, ImageFont.FreeTypeFont) else (size, 0)
