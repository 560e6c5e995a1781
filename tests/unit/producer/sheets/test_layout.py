"""Contact sheets."""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from stylefarm.producer.sheets.layout import Sheet, contact_sheet
from stylefarm.producer.sheets.parts import Cell, Head, Words
from stylefarm.producer.theme import BACKGROUND, BRIGHT, FAILED_PANEL, PANEL, TEXT
from stylefarm.shared.errors import InvalidRequest
from tests.unit.fonts import font_with, machine_with

RED, LIME, BLUE, GOLD = (200, 30, 30), (40, 200, 40), (40, 40, 220), (230, 190, 40)


def plain(color: tuple[int, int, int], width: int = 60, height: int = 40) -> Image.Image:
    return Image.new("RGB", (width, height), color)


def where(image: Image.Image, color: tuple[int, ...] | str) -> tuple[int, int, int, int]:
    """The smallest box (left, top, right, below) that holds every pixel of exactly that color."""
    wanted = Image.new("RGB", (1, 1), color).getpixel((0, 0))
    rows, columns = np.nonzero((np.asarray(image) == wanted).all(axis=-1))
    assert len(rows), f"no pixel is {color}"
    return int(columns.min()), int(rows.min()), int(columns.max()) + 1, int(rows.max()) + 1


def has(image: Image.Image, color: tuple[int, ...] | str) -> bool:
    wanted = Image.new("RGB", (1, 1), color).getpixel((0, 0))
    return bool((np.asarray(image) == wanted).all(axis=-1).any())


def test_heads_and_cells_are_where_they_belong() -> None:
    """Given pictures of one color each, if I lay them out, I expect rows at the left, columns above, cells within."""
    cells = {(0, 0): Cell(plain(BLUE)), (0, 1): Cell(plain(GOLD))}
    sheet = contact_sheet([Head("red", plain(RED))], [Head("lime", plain(LIME)), Head("b")], cells, cell=120)
    red, lime, blue, gold = (where(sheet, color) for color in (RED, LIME, BLUE, GOLD))
    assert red[2] < blue[0] < blue[2] < gold[0]  # from left to right
    assert lime[3] < blue[1]  # above
    assert red[1::2] == blue[1::2] == gold[1::2]  # in one row
    assert blue[0] <= lime[0] <= lime[2] <= blue[2]  # in one column
    assert sheet.mode == "RGB"


def test_pictures_keep_their_aspect() -> None:
    """Given a wide and a high picture, if I lay them out, I expect both whole, as large as a cell lets them be."""
    rows = [Head("a"), Head("b")]
    cells = {(0, 0): Cell(plain(RED, 400, 100)), (1, 0): Cell(plain(BLUE, 100, 400))}
    sheet = contact_sheet(rows, [Head("c")], cells, cell=160)
    for color, size in ((RED, (160, 40)), (BLUE, (40, 160))):
        left, top, right, below = where(sheet, color)
        assert (right - left, below - top) == size


def test_the_size_follows_from_the_grid() -> None:
    """Given one more row or column, if I lay it out, I expect the sheet to grow by a cell and its gap."""
    head = Head("x", plain(RED, 50, 50))
    widths, heights = zip(
        *(contact_sheet([head] * n, [head] * n, {}, cell=100).size for n in (1, 2, 3)),
        strict=True,
    )
    for sizes in (widths, heights):
        assert sizes[2] - sizes[1] == sizes[1] - sizes[0]
        assert 100 < sizes[1] - sizes[0] < 140


@pytest.mark.parametrize(("problem", "panel"), [("failed: too large", FAILED_PANEL), ("waiting", PANEL), ("", PANEL)])
def test_a_cell_without_a_picture_is_marked(problem: str, panel: str) -> None:
    """Given a cell that failed, waits or is absent, if I lay it out, I expect a panel, and its words."""
    cells = {(0, 0): Cell(problem=problem)} if problem else {}
    with_words = contact_sheet([Head("a")], [Head("b")], cells)
    without = contact_sheet([Head("a")], [Head("b")], {(0, 0): Cell(problem="failed" if "failed" in problem else "")})
    assert has(with_words, panel)
    assert (with_words != without) == bool(problem)


def test_texts_never_leave_their_place() -> None:
    """Given texts far too long, in one word or many, if I lay them out, I expect the same size, and free margins."""
    long = "a very long text " * 40 + "x" * 3000
    cells = {(0, 0): Cell(plain(RED), caption=long), (0, 1): Cell(problem=f"failed: {long}")}
    rows = [[Head(text, plain(LIME))] for text in (long, "a")]
    sheet = contact_sheet(rows[0], [Head(long), Head(long)], cells, Words(title=long, corner=long))
    short = contact_sheet(rows[1], [Head("b"), Head("c")], cells, Words(title="d", corner="e"))
    assert sheet.size == short.size
    border = np.asarray(sheet)[:, -20:]
    assert (border == Image.new("RGB", (1, 1), BACKGROUND).getpixel((0, 0))).all()


@pytest.mark.parametrize("text", ["content ↓  style →", "Köln, Łódź, Αθήνα", "two\nlines\tand a tab", "神奈川", ""])
def test_texts_of_any_kind(text: str) -> None:
    """Given arrows, accents, line breaks, nothing, if they are title and labels, I expect a sheet."""
    words = Words(title=text, corner=text)
    sheet = contact_sheet([Head(text)], [Head(text)], {(0, 0): Cell(problem=text)}, words, cell=64)
    assert has(sheet, BRIGHT) == bool(text)


def test_nothing_to_show() -> None:
    """Given no rows and no columns, if I lay them out, I expect a sheet all the same."""
    assert min(contact_sheet([], [], {}, Words(title="empty")).size) > 0


def test_heads_within_heads() -> None:
    """Given two axes on each side, I expect each outer head once, over all of its group, and groups set apart."""
    outer, inner = [Head("lime", plain(LIME)), Head("gold", plain(GOLD))], [Head("1"), Head("2")]
    columns = [(one, two) for one in outer for two in inner]
    red = Head("red", plain(RED))
    rows = [(red, two) for two in inner]
    colors = [(10, 20 * place, 250) for place in range(4)]
    cells = {(row, place): Cell(plain(color)) for row in range(2) for place, color in enumerate(colors)}
    sheet = contact_sheet(rows, columns, cells, cell=120)
    lime, gold = (where(sheet, color) for color in (LIME, GOLD))
    lefts = [where(sheet, color)[0] for color in colors]
    steps = [right - left for left, right in itertools.pairwise(lefts)]
    assert steps[0] == steps[2] < steps[1]
    for head, (first, last) in ((lime, (0, 1)), (gold, (2, 3))):
        middle = (where(sheet, colors[first])[0] + where(sheet, colors[last])[2]) / 2
        assert abs((head[0] + head[2]) / 2 - middle) <= 1
    first_row, second_row = (Cell(plain(color)) for color in ((1, 2, 3), (3, 2, 1)))
    two = contact_sheet(rows, columns, {(0, 0): first_row, (1, 0): second_row}, cell=120)
    assert where(two, RED)[1::2] == where(two, (1, 2, 3))[1::2] != where(two, (3, 2, 1))[1::2]


def test_labels_without_room_are_values_alone() -> None:
    """Given columns too narrow for the names of their axis, I expect what is short, in all of them."""
    long = [Head(f"style_weight_of_the_loss = {number}", short=f"{number}") for number in (1, 2)]
    short = [Head("1"), Head("2")]
    narrow, plain_ones = (contact_sheet([()], heads, {}, cell=64) for heads in (long, short))
    assert narrow == plain_ones


def test_a_sheet_that_is_no_picture_is_refused() -> None:
    """Given more rows than a picture can have, I expect a sentence, and nothing drawn."""
    with pytest.raises(InvalidRequest, match=r"the sheet would be .* give a smaller cell"):
        contact_sheet([(Head(""),)] * 1500, [()], {}, cell=64)


def test_letters_of_other_scripts_are_drawn(tmp_path: Path) -> None:
    """Given a machine with a Japanese font, or with none, I expect its letters, or Latin ones, and never squares."""
    heads = [Head("神奈川")]
    with machine_with([font_with(tmp_path / "Japanese.ttf", "神奈川")]):
        in_its_font = contact_sheet([()], heads, {}, cell=128)
    with machine_with([]):
        in_latin = contact_sheet([()], heads, {}, cell=128)
    # In the font of any text that is not all ASCII.
    assert in_latin == contact_sheet([()], [Head("ShenNaiChuan\u2060")], {}, cell=128)
    assert in_its_font != in_latin
    assert has(in_its_font, TEXT)


def test_a_long_text_below_is_wrapped() -> None:
    """Given a text that is wider than the sheet, I expect all of its words below, in as many lines as it takes."""
    foot = "None of these metrics has been validated against people's judgement: they compare methods"
    narrow, short = (Sheet([], [(Head("cat"),)], {}, Words(foot=text), cell=200) for text in (foot, "None"))
    assert len(narrow.foot_lines) > 1
    assert " ".join(narrow.foot_lines) == foot
    assert narrow.size[1] - short.size[1] == narrow.caption_step * (len(narrow.foot_lines) - 1)
