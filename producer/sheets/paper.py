"""Sheets on pages of a size: how large their cells are, and where rows and columns go on on another page."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from PIL import Image

from stylefarm.producer.sheets.layout import Sheet
from stylefarm.producer.theme import BACKGROUND

RESOLUTION = 150
"""Pixels an inch of a PDF."""

# A cell on paper: smaller ones, 19 mm, cannot be judged.
NARROWEST, WIDEST = 112, 256


@dataclass(frozen=True)
class Paper:
    """A page of a PDF, in pixels: what is on it at most, or, where it is `cut`, all of its size.

    Example:
        >>> PAPERS["a4"].width
        1240
    """

    width: int
    height: int
    cut: bool = True

    @property
    def turned(self) -> Paper:
        """The same paper on its side."""
        return replace(self, width=self.height, height=self.width)


PAPERS = {
    # A page of a PDF has at most 200 inches.
    "fit": Paper(200 * RESOLUTION, 200 * RESOLUTION, cut=False),
    "a4": Paper(1240, 1754),
    "letter": Paper(1275, 1650),
}


def suitable(paper: Paper, sheet: Sheet, cell: int | None) -> tuple[Paper, int]:
    """Return the paper, upright or on its side, on which a sheet takes the fewer pages, and the width of its cells.

    Args:
        paper: upright.
        sheet: what is to go on it; its own cells do not count.
        cell: the width of a cell that is asked for; None for the largest with which no row is divided in vain.

    Example:
        >>> from stylefarm.producer.sheets.parts import Head, Words
        >>> wide = Sheet([(Head("cat"),)], [(Head(str(number)),) for number in range(5)], {}, Words(), 128)
        >>> suitable(PAPERS["a4"], wide, None)[0].width
        1754
    """
    found = []
    for turned in (paper, paper.turned):
        width = _cell(turned, sheet) if cell is None else _narrowed(turned, sheet, cell)
        sized = replace(sheet, cell=width)
        found.append((len(list(_blocks(turned, sized))), -width, turned.width, turned, width))
    *_, chosen, width = min(found, key=lambda one: one[:3])
    return chosen, width


def divided(paper: Paper, sheet: Sheet) -> Iterator[Image.Image]:
    """Yield the pages of a sheet, each with the heads of its own rows and columns.

    Args:
        paper: their size.
        sheet: what is drawn; one that fits is a single page.

    Example:
        >>> from stylefarm.producer.sheets.parts import Head, Words
        >>> long = Sheet([(Head(str(number)),) for number in range(50)], [(Head("waves"),)], {}, Words(), 128)
        >>> [page.size for page in divided(PAPERS["a4"], long)][0]
        (1240, 1754)
    """
    blocks = list(_blocks(paper, sheet))
    for number, (down, across) in enumerate(blocks):
        cells = {
            (row - down.start, column - across.start): cell
            for (row, column), cell in sheet.cells.items()
            if row in down and column in across
        }
        of = f"{number + 1} of {len(blocks)}" if len(blocks) > 1 else ""
        words = replace(sheet.words, title=" · ".join(part for part in (sheet.words.title, of) if part))
        rows, columns = sheet.rows[down.start : down.stop], sheet.columns[across.start : across.stop]
        drawn = replace(sheet, rows=rows, columns=columns, cells=cells, words=words).drawn()
        yield _on(paper, drawn) if paper.cut else drawn


def _on(paper: Paper, drawn: Image.Image) -> Image.Image:
    page = Image.new("RGB", (paper.width, paper.height), BACKGROUND)
    page.paste(drawn, (max(0, (paper.width - drawn.width) // 2), 0))
    return page


def _cell(paper: Paper, sheet: Sheet) -> int:
    """Return the largest cell with which the columns take no more pages side by side than with the narrowest."""
    count = max(1, len(sheet.columns))
    across = max(1, _fits(paper, sheet, NARROWEST))
    balanced = math.ceil(count / math.ceil(count / across))
    return next((cell for cell in range(WIDEST, NARROWEST, -2) if _fits(paper, sheet, cell) >= balanced), NARROWEST)


def _narrowed(paper: Paper, sheet: Sheet, cell: int) -> int:
    """Return that cell, or the largest of which one is on the page beside and below the heads."""
    return next((width for width in range(cell, 16, -2) if _holds(paper, sheet, width)), cell)


def _holds(paper: Paper, sheet: Sheet, cell: int) -> bool:
    sized = replace(sheet, cell=cell)
    high = sized.top + max(sized.row_heights, default=0) + sized.strip + sized.margin + sized.footed
    return _fits(paper, sheet, cell) > 0 and high <= paper.height


def _fits(paper: Paper, sheet: Sheet, cell: int) -> int:
    """Return how many columns of that width are beside each other on a page."""
    sized = replace(sheet, cell=cell)
    return sum(left + cell + sized.margin <= paper.width for left in sized.lefts)


def _blocks(paper: Paper, sheet: Sheet) -> Iterator[tuple[range, range]]:
    """Yield the rows and the columns of each page: all columns of some rows, before the next rows."""
    bottom = sheet.margin + sheet.footed + sheet.strip
    below = [top + height + bottom for top, height in zip(sheet.tops, sheet.row_heights, strict=True)]
    right = [left + sheet.cell + sheet.margin for left in sheet.lefts]
    for down in _cut(sheet.tops, below, sheet.top, paper.height):
        for across in _cut(sheet.lefts, right, sheet.left, paper.width):
            yield down, across


def _cut(begins: Sequence[int], ends: Sequence[int], start: int, most: int) -> Iterator[range]:
    """Yield the places that are on each page: at least one, and as many as end within `most`."""
    first = 0
    for place in range(len(begins)):
        if place > first and ends[place] - begins[first] + start > most:
            yield range(first, place)
            first = place
    yield range(first, len(begins))
