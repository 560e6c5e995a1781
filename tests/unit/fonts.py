"""Small fonts made for tests, for machines that have none for a script."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from unittest.mock import patch

from fontTools.fontBuilder import FontBuilder
from fontTools.pens.ttGlyphPen import TTGlyphPen

from stylefarm.shared.images import fonts


@contextmanager
def machine_with(paths: Sequence[Path]) -> Iterator[None]:
    """For the time of a `with` block, a machine that has these fonts and no others."""
    kept = (fonts._system_fonts, fonts._font_with, fonts._coverage)
    with patch("matplotlib.font_manager.findSystemFonts", lambda: [str(path) for path in paths]):
        for function in kept:
            function.cache_clear()
        yield
    for function in kept:
        function.cache_clear()


def font_with(path: Path, letters: str) -> Path:
    """A font whose letters are triangles, in that file; it is called as the file is."""
    names = {ord(letter): f"u{ord(letter):04X}" for letter in letters}
    builder = FontBuilder(1000, isTTF=True)
    builder.setupGlyphOrder([".notdef", *names.values()])
    builder.setupCharacterMap(names)
    builder.setupGlyf({name: _triangle() for name in (".notdef", *names.values())})
    builder.setupHorizontalMetrics(dict.fromkeys((".notdef", *names.values()), (1000, 100)))
    builder.setupHorizontalHeader(ascent=800, descent=-200)
    builder.setupNameTable({"familyName": path.stem, "styleName": "Regular"})
    builder.setupOS2(usWeightClass=400)
    builder.setupPost()
    builder.save(path)
    return path


def _triangle() -> object:
    pen = TTGlyphPen(None)
    for move, point in ((pen.moveTo, (100, 0)), (pen.lineTo, (500, 700)), (pen.lineTo, (900, 0))):
        move(point)
    pen.closePath()
    return pen.glyph()
