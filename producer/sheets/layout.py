"""The contact sheet of a sweep: its results in a grid."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate

from PIL import Image, ImageDraw

from stylefarm.producer.sheets.parts import Cell, Head, Heads, Words, groups_begin, spans
from stylefarm.producer.sheets.text import draw_text, elided, width_of, wrapped
from stylefarm.producer.theme import (
    BACKGROUND,
    BRIGHT,
    FAILED_HATCH,
    FAILED_PANEL,
    HATCH,
    MUTED,
    PANEL,
    RULE,
    STATES,
    TEXT,
)
from stylefarm.shared.db.states import State
from stylefarm.shared.errors import InvalidRequest

# JPEG holds no more, and hardly a program shows more.
LONGEST_SIDE = 65_500
# What the picture in the head of a column is high at most, of a cell: smaller than the results.
HEAD_SHARE = 0.62
FOOT_LINES = 4


def contact_sheet(
    rows: Sequence[Head | Heads],
    columns: Sequence[Head | Heads],
    cells: Mapping[tuple[int, int], Cell],
    words: Words | None = None,
    *,
    cell: int = 256,
) -> Image.Image:
    """Draw a dark grid of pictures, with the pictures or values of its rows and columns at its edges.

    Pictures keep their aspect; rows are as high as their highest picture. Texts that are too long end in "…". Rows that
    have the outermost of several heads in common are a group, which is set apart from the next; columns likewise.

    Args:
        rows: from top to bottom: a head for each, or several, the outermost first.
        columns: from left to right, likewise.
        cells: by (row, column), counted from 0; those that are absent are drawn as empty panels.
        words: the texts around it.
        cell: the width of a column, and the most that a picture is high, in pixels.

    Returns:
        The sheet, RGB.

    Raises:
        InvalidRequest: a side would have more than 65,500 pixels.

    Example:
        >>> red = Image.new("RGB", (8, 8), "red")
        >>> contact_sheet([Head("cat")], [Head("waves")], {(0, 0): Cell(red)}, cell=64).mode
        'RGB'
    """
    down, across = ([heads if isinstance(heads, tuple) else (heads,) for heads in side] for side in (rows, columns))
    return Sheet(down, across, cells, words or Words(), cell).drawn()


@dataclass
class Sheet:
    """The layout of one contact sheet, and the pencil that fills it in. All lengths are pixels.

    The arguments are those of `contact_sheet`, with as many heads for each row, and for each column.

    Example:
        >>> Sheet([(Head("cat"),)], [(Head("waves"),)], {}, Words(), cell=64).size[0] > 64
        True
    """

    rows: Sequence[Heads]
    columns: Sequence[Heads]
    cells: Mapping[tuple[int, int], Cell]
    words: Words
    cell: int

    def __post_init__(self) -> None:
        cell = self.cell
        self.margin, self.gap = max(8, cell // 9), max(4, cell // 18)
        self.label_size, self.caption_size = max(12, cell // 16), max(11, cell // 19)
        self.title_size = max(14, cell // 10)

    @property
    def size(self) -> tuple[int, int]:
        """Width and height."""
        below = self.tops[-1] + self.row_heights[-1] + self.strip if self.rows else self.top
        return self.width, below + self.margin + self.footed

    @property
    def width(self) -> int:
        """The width, whatever stands below all."""
        return (self.lefts[-1] + self.cell if self.columns else self.left) + self.margin

    @property
    def footed(self) -> int:
        """What the text below all takes."""
        lines = len(self.foot_lines)
        return self.caption_size * 2 + self.caption_step * (lines - 1) if lines else 0

    @cached_property
    def foot_lines(self) -> list[str]:
        """The text below all."""
        return wrapped(self.words.foot, self.caption_size, self.width - 2 * self.margin, most=FOOT_LINES)

    @cached_property
    def strip(self) -> int:
        """The height of the one or two lines of text under each row of pictures."""
        captions = [cell.caption for cell in self.cells.values()]
        if not any([head.label for heads in self.rows for head in heads if head.image] + captions):
            return 0
        return self.label_step + any("\n" in caption for caption in captions) * self.caption_step

    @property
    def label_step(self) -> int:
        """What one line of a label takes."""
        return round(self.label_size * 1.9)

    @property
    def caption_step(self) -> int:
        """From one line of a caption to the next."""
        return round(self.caption_size * 1.35)

    @property
    def group_gap(self) -> int:
        """What is left free between groups, besides the gap between any two rows or columns."""
        return 2 * self.gap

    @cached_property
    def row_levels(self) -> list[list[Head]]:
        """For each axis of the rows, the outermost first, the head of each row."""
        return [list(level) for level in zip(*self.rows, strict=True)]

    @cached_property
    def column_levels(self) -> list[list[Head]]:
        """For each axis of the columns, the outermost first, the head of each column."""
        return [list(level) for level in zip(*self.columns, strict=True)]

    @cached_property
    def head_widths(self) -> list[int]:
        """Of the heads of rows, by axis: a cell where there are pictures, or else what their texts need."""
        return [self._head_width(level) for level in self.row_levels]

    def _head_width(self, level: Sequence[Head]) -> int:
        if any(head.image for head in level):
            return self.cell
        return min(self.cell, round(max(width_of(head.label, self.label_size) for head in level)) + 1)

    @cached_property
    def head_heights(self) -> list[int]:
        """Of the pictures in the heads of columns, by axis."""
        return [
            max((_fitted(head.image, self.cell, self.cell * HEAD_SHARE)[1] for head in level if head.image), default=0)
            for level in self.column_levels
        ]

    @cached_property
    def row_heights(self) -> list[int]:
        """Of the pictures in each row."""
        return [self._row_height(row, heads) for row, heads in enumerate(self.rows)]

    def _row_height(self, row: int, heads: Heads) -> int:
        across = [self.cells.get((row, column), Cell()).image for column in range(len(self.columns))]
        images = [image for image in (*(head.image for head in heads), *across) if image]
        return max((_fitted(image, self.cell, self.cell)[1] for image in images), default=round(self.cell * 0.66))

    @cached_property
    def corner_lines(self) -> list[str]:
        """What columns and rows are."""
        return self.words.corner.splitlines()

    @cached_property
    def left(self) -> int:
        """Where the first column begins."""
        if not self.row_levels:
            return self.margin
        heads = sum(width + self.gap for width in self.head_widths)
        corner = max((round(width_of(line, self.caption_size)) + 1 for line in self.corner_lines), default=0)
        return self.margin + max(heads, min(self.cell, corner) + self.gap) + self.gap

    @cached_property
    def top(self) -> int:
        """Where the first row begins."""
        titled = round(self.title_size * 2.2) if self.words.title else 0
        heads = sum(self.head_heights) + self.label_step * len(self.head_heights)
        corner = self.caption_step * len(self.corner_lines) if len(self.corner_lines) > 1 else 0
        return self.margin + titled + max(heads, corner) + self.gap

    @cached_property
    def lefts(self) -> list[int]:
        """Where each column begins."""
        steps = [self.cell + self.gap + self.group_gap * begins for begins in groups_begin(self.columns)[1:]]
        return list(accumulate(steps, initial=self.left)) if self.columns else []

    @cached_property
    def tops(self) -> list[int]:
        """Where each row begins."""
        tops: list[int] = []
        y = self.top
        for height, begins in zip(self.row_heights, groups_begin(self.rows), strict=True):
            y += self.group_gap * (begins and bool(tops))
            tops.append(y)
            y += height + self.strip + self.gap
        return tops

    def drawn(self) -> Image.Image:
        """Return the sheet, RGB. Raises InvalidRequest where it would be too large."""
        width, height = self.size
        if max(width, height) > LONGEST_SIDE:
            raise InvalidRequest(
                f"the sheet would be {width:,} x {height:,} pixels, and a picture has at most {LONGEST_SIDE:,} a side:"
                " give a smaller cell, fewer values by where, or a name in .pdf"
            )
        self.image = Image.new("RGB", (width, height), BACKGROUND)
        self.pencil = ImageDraw.Draw(self.image)
        wide = width - 2 * self.margin
        self._text(self.words.title, (self.margin, self.margin), wide, self.title_size, BRIGHT, "la")
        for number, line in enumerate(reversed(self.foot_lines)):
            at = (self.margin, height - self.margin - number * self.caption_step)
            self._text(line, at, wide, self.caption_size, MUTED, "ls")
        if self.row_levels or self.column_levels:
            self._rules()
        self._column_heads()
        self._row_heads()
        for row, y in enumerate(self.tops):
            for column, x in enumerate(self.lefts):
                self._cell((x, y), self.row_heights[row], self.cells.get((row, column), Cell()))
        return self.image

    def _rules(self) -> None:
        x, y = self.left - self.gap - 1, self.top - self.gap
        right, below = self.image.width - self.margin, self.image.height - self.margin - self.footed
        self.pencil.line((self.margin, y, right, y), RULE)
        if self.row_levels:
            self.pencil.line((x, y, x, below), RULE)
        for row, begins in enumerate(groups_begin(self.rows)):
            if begins and row:
                between = self.tops[row] - (self.gap + self.group_gap) // 2
                self.pencil.line((self.margin, between, right, between), RULE)
        foot = y - self.label_size if len(self.corner_lines) == 1 else y - self.caption_step * 2 // 3
        for number, line in enumerate(reversed(self.corner_lines)):
            at = (self.margin, foot - number * self.caption_step)
            self._text(line, at, self.left - self.gap - self.margin, self.caption_size, MUTED, "lm")

    def _column_heads(self) -> None:
        y = self.top - self.gap - sum(self.head_heights) - self.label_step * len(self.head_heights)
        for level, (heads, high) in enumerate(zip(self.column_levels, self.head_heights, strict=True)):
            y += high + self.label_step
            found = spans(self.columns, level)
            labels = self._labels([(heads[first], self._across(first, last)) for first, last in found])
            for (first, last), label in zip(found, labels, strict=True):
                width = self._across(first, last)
                middle = self.lefts[first] + width // 2
                self._text(label, (middle, y - self.label_size), width, self.label_size, TEXT, "mm")
                if level + 1 < len(self.column_levels):
                    self.pencil.line((self.lefts[first], y, self.lefts[first] + width, y), RULE)
                image = heads[first].image
                if image:
                    size = _fitted(image, self.cell, self.cell * HEAD_SHARE)
                    self._paste(image, (middle - size[0] // 2, y - self.label_step - size[1], *size))

    def _across(self, first: int, last: int) -> int:
        """From the left of one column to the right of another."""
        return self.lefts[last] + self.cell - self.lefts[first]

    def _row_heads(self) -> None:
        x = self.margin
        for level, (heads, width) in enumerate(zip(self.row_levels, self.head_widths, strict=True)):
            firsts = [first for first, _ in spans(self.rows, level)]
            for row, label in zip(firsts, self._labels([(heads[row], width) for row in firsts]), strict=True):
                self._row_head((x, self.tops[row], width, self.row_heights[row]), heads[row], label)
            x += width + self.gap

    def _row_head(self, box: tuple[int, int, int, int], head: Head, label: str) -> None:
        x, y, width, height = box
        if head.image is None:
            self._text(label, (x + width, y + height // 2), width, self.label_size, TEXT, "rm")
            return
        self._centered(head.image, (x, y), height)
        at = (x + self.cell // 2, y + height + round(self.label_size * 0.95))
        self._text(label, at, self.cell, self.label_size, TEXT, "mm")

    def _labels(self, places: Sequence[tuple[Head, int]]) -> list[str]:
        """Return what is written on each head, for the width that it has."""
        if all(width_of(head.label, self.label_size) <= width for head, width in places):
            return [head.label for head, _ in places]
        return [head.short or head.label for head, _ in places]

    def _cell(self, corner: tuple[int, int], height: int, cell: Cell) -> None:
        x, y = corner
        if cell.blank:
            return
        if cell.image:
            self._centered(cell.image, corner, height)
        else:
            self._panel((x, y, x + self.cell, y + height), cell.problem)
        self._progress((x, y + height), cell.progress)
        lines = cell.caption.split("\n", 1)
        middle = y + height + round(self.label_size * 0.95)
        for number, line in enumerate(lines):
            at = (x + self.cell // 2, middle + number * self.caption_step)
            self._text(line, at, self.cell, self.caption_size, TEXT if number < len(lines) - 1 else MUTED, "mm")

    def _progress(self, foot: tuple[int, int], progress: float | None) -> None:
        if progress is None:
            return
        x, y = foot
        thick = max(3, self.cell // 50)
        self.pencil.rectangle((x, y - thick, x + self.cell, y), RULE)
        self.pencil.rectangle((x, y - thick, x + round(self.cell * min(1, progress)), y), STATES[State.RUNNING])

    def _panel(self, box: tuple[int, int, int, int], problem: str) -> None:
        """Draw a hatched panel in place of a picture, with the problem in up to four lines."""
        failed = problem.startswith("failed")
        width, height = box[2] - box[0], box[3] - box[1]
        panel = Image.new("RGB", (width, height), FAILED_PANEL if failed else PANEL)
        pencil = ImageDraw.Draw(panel)
        for x in range(-height, width, max(6, self.cell // 20)):
            pencil.line((x, height, x + height, 0), FAILED_HATCH if failed else HATCH, max(1, self.cell // 128))
        self._paste(panel, (box[0], box[1], width, height))
        color = STATES[State.FAILED] if failed else MUTED
        lines = wrapped(problem, self.caption_size, width - 2 * self.gap, most=4)
        step = round(self.caption_size * 1.4)
        y = (box[1] + box[3]) // 2 - step * (len(lines) - 1) // 2
        for number, line in enumerate(lines):
            at = ((box[0] + box[2]) // 2, y + number * step)
            self._text(line, at, width - 2 * self.gap, self.caption_size, color, "mm")

    def _centered(self, image: Image.Image, corner: tuple[int, int], height: int) -> None:
        fitted = _fitted(image, self.cell, self.cell)
        x, y = corner[0] + (self.cell - fitted[0]) // 2, corner[1] + (height - fitted[1]) // 2
        self._paste(image, (x, y, *fitted))

    def _paste(self, image: Image.Image, box: tuple[int, int, int, int]) -> None:
        """Put the picture at (x, y, width, height), its corners rounded."""
        x, y, width, height = box
        small = image.convert("RGB").resize((width, height), Image.Resampling.LANCZOS, reducing_gap=3)
        mask = Image.new("L", (width * 4, height * 4))
        ImageDraw.Draw(mask).rounded_rectangle((0, 0, width * 4 - 1, height * 4 - 1), self.cell // 40 * 4, 255)
        self.image.paste(small, (x, y), mask.resize((width, height), Image.Resampling.BOX))

    def _text(self, text: str, at: tuple[int, int], width: int, size: int, color: str, anchor: str) -> None:
        draw_text(self.pencil, elided(text, size, width), at, size, color, anchor)


def _fitted(image: Image.Image, width: float, height: float) -> tuple[int, int]:
    """Return the largest size of the image's aspect inside width x height."""
    scale = min(width / image.width, height / image.height)
    return max(1, round(image.width * scale)), max(1, round(image.height * scale))
