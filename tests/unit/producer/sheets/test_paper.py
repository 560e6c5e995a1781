"""Sheets on pages of a size."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from stylefarm.producer.sheets.layout import Sheet
from stylefarm.producer.sheets.paper import PAPERS, Paper, divided, suitable
from stylefarm.producer.sheets.parts import Cell, Head, Words


def sheet(rows: int, columns: int, cell: int = 128) -> Sheet:
    """A sheet in which the picture of each cell has a color of its own."""
    heads = [(Head(f"seed = {number}"),) for number in range(rows)]
    cells = {
        (row, column): Cell(Image.new("RGB", (40, 30), (row + 1, column + 1, 200)))
        for row in range(rows)
        for column in range(columns)
    }
    return Sheet(heads, [(Head(str(number)),) for number in range(columns)], cells, Words("title", "", "foot"), cell)


def shown(page: Image.Image) -> set[tuple[int, int]]:
    """The cells whose pictures are on a page."""
    colors = np.asarray(page).reshape(-1, 3).astype(np.int64) @ (2**16, 2**8, 1)
    found, counts = np.unique(colors, return_counts=True)
    # The corners of pictures have colors between theirs and the background's, which are few.
    plain = found[(counts > 500) & (found % 2**8 == 200)]
    return {(int(color) // 2**16 - 1, int(color) // 2**8 % 2**8 - 1) for color in plain}


@pytest.mark.parametrize("paper", [PAPERS["a4"], Paper(900, 700, cut=False)], ids=["cut", "at most"])
@pytest.mark.parametrize(
    ("rows", "columns", "cell"), [(3, 2, None), (2, 9, 64), (30, 3, None), (9, 7, 1024), (1, 1, 1024)]
)
def test_every_cell_is_on_one_page(paper: Paper, rows: int, columns: int, cell: int | None) -> None:
    """Given sheets of any shape, I expect each cell whole on one page of that size, whatever cell is asked for."""
    whole = sheet(rows, columns)
    chosen, width = suitable(paper, whole, cell)
    seen: list[tuple[int, int]] = []
    for page in divided(chosen, replace(whole, cell=width)):
        assert page.size == (chosen.width, chosen.height) or not paper.cut
        assert page.width <= chosen.width
        assert page.height <= chosen.height
        seen += shown(page)
    assert sorted(seen) == sorted(whole.cells)


def test_a_wide_sheet_lies_on_its_side() -> None:
    """Given more columns than rows, or fewer, I expect the side of the paper on which cells are larger."""
    assert suitable(PAPERS["a4"], sheet(2, 6), None)[0].width == 1754
    assert suitable(PAPERS["a4"], sheet(8, 3), None)[0].width == 1240


def test_columns_are_divided_evenly() -> None:
    """Given a column too many for a page, I expect pages with about as many columns, not one with a single column."""
    whole = sheet(30, 16)
    paper, width = suitable(PAPERS["a4"], whole, None)
    pages = list(divided(paper, replace(whole, cell=width)))
    counts = [len({column for _, column in shown(page)}) for page in pages]
    assert len(pages) > 1
    assert max(counts) - min(counts) <= 1
