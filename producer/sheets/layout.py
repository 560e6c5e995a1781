"""The contact sheet of a sweep: its results in a grid."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

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


@dataclass(frozen=True)
class Head:
    """What a row or a column stands for: a picture with its name, or the value of a parameter, as text.

    Example:
        >>> Head("512").label
        '512'
    """

    label: str
    image: Image.Image | None = None


@dataclass(frozen=True)
class Cell:
    """One result: its picture, or the problem in its place ("failed: ...", "waiting").

    The caption has at most two lines. `progress` is 0 to 1, drawn as a line at the foot of a picture that is not done.
    A `blank` cell is left empty.

    Example:
        >>> picture = Image.new("RGB", (64, 48))
        >>> Cell(picture, caption="running 50/200", progress=0.25).progress, Cell(problem="waiting").image
        (0.25, None)
    """

    image: Image.Image | None = None
    caption: str = ""
    problem: str = ""
    progress: float | None = None
    blank: bool = False


def contact_sheet(
    rows: Sequence[Head],
    columns: Sequence[Head],
    cells: Mapping[tuple[int, int], Cell],
    *,
    corner: str = "",
    title: str = "",
    foot: str = "",
    cell: int = 256,
) -> Image.Image:
    """Draw a dark grid of pictures, with the pictures or values of its rows and columns at its edges.

    Pictures keep their aspect; rows are as high as their highest picture. Texts that are too long end in "…".

    Args:
        rows: from top to bottom.
        columns: from left to right.
        cells: by (row, column), counted from 0; those that are absent are drawn as empty panels.
        corner: what rows and columns are, small, in the corner, e.g. "content ↓  style →".
        title: above all.
        foot: below all, small.
        cell: the width of a column, and the most that a picture is high, in pixels.

    Returns:
        The sheet, RGB.

    Example:
        >>> red = Image.new("RGB", (8, 8), "red")
        >>> contact_sheet([Head("cat")], [Head("waves")], {(0, 0): Cell(red)}, cell=64).mode
        'RGB'
    """
    return _Sheet(rows, columns, cells, corner, title, foot, cell).drawn()


@dataclass
class _Sheet:
    """The layout of one contact sheet, and the pencil that fills it in. All lengths are pixels."""

    rows: Sequence[Head]
    columns: Sequence[Head]
    cells: Mapping[tuple[int, int], Cell]
    corner: str
    title: str
    foot: str
    cell: int

    def __post_init__(self) -> None:
        cell = self.cell
        self.margin, self.gap = max(8, cell // 9), max(4, cell // 18)
        self.label_size, self.caption_size = max(12, cell // 16), max(11, cell // 19)
        self.title_size = max(14, cell // 10)
        self.image = Image.new("RGB", self.size, BACKGROUND)
        self.pencil = ImageDraw.Draw(self.image)

    @property
    def size(self) -> tuple[int, int]:
        right = self.left + len(self.columns) * (self.cell + self.gap) - self.gap
        below = self.top + sum(self.row_heights) + len(self.rows) * (self.strip + self.gap) - self.gap
        return right + self.margin, below + self.margin + self.footed

    @property
    def footed(self) -> int:
        """What the text below all takes."""
        return self.caption_size * 2 if self.foot else 0

    @cached_property
    def strip(self) -> int:
        """The height of the one or two lines of text under each row of pictures."""
        captions = [cell.caption for cell in self.cells.values()]
        if not any([head.label for head in self.rows if head.image] + captions):
            return 0
        return round(self.label_size * 1.9) + any("\n" in caption for caption in captions) * self.caption_step

    @property
    def caption_step(self) -> int:
        """From one line of a caption to the next."""
        return round(self.caption_size * 1.35)

    @cached_property
    def head_width(self) -> int:
        """Of the heads of rows: a cell where there are pictures, or else what their texts need."""
        if any(head.image for head in self.rows):
            return self.cell
        widths = [_font(head.label, self.label_size).getlength(head.label) for head in self.rows]
        widths.append(_font(self.corner, self.caption_size).getlength(self.corner))
        return min(self.cell, round(max(widths)) + 1)

    @cached_property
    def head_height(self) -> int:
        """Of the pictures in the heads of columns, which are smaller than those in the cells."""
        heights = [_fitted(head.image, self.cell, self.cell * 0.62)[1] for head in self.columns if head.image]
        return max(heights, default=0)

    @cached_property
    def row_heights(self) -> list[int]:
        """Of the pictures in each row."""
        return [self._row_height(row, head) for row, head in enumerate(self.rows)]

    def _row_height(self, row: int, head: Head) -> int:
        across = [self.cells.get((row, column), Cell()).image for column in range(len(self.columns))]
        heights = [_fitted(image, self.cell, self.cell)[1] for image in (head.image, *across) if image]
        return max(heights, default=round(self.cell * 0.66))

    @cached_property
    def left(self) -> int:
        """Where the first column begins."""
        return self.margin + self.head_width + 2 * self.gap

    @cached_property
    def top(self) -> int:
        """Where the first row begins."""
        titled = round(self.title_size * 2.2) if self.title else 0
        return self.margin + titled + self.head_height + round(self.label_size * 1.9) + self.gap

    def drawn(self) -> Image.Image:
        width = self.image.width - 2 * self.margin
        self._text(self.title, (self.margin, self.margin), width, self.title_size, BRIGHT, "la")
        at = (self.margin, self.image.height - self.margin)
        self._text(self.foot, at, width, self.caption_size, MUTED, "ls")
        if any(head.label or head.image for head in (*self.rows, *self.columns)):
            self._rules()
        for column, head in enumerate(self.columns):
            self._column_head(self.left + column * (self.cell + self.gap), head)
        for row, (head, y) in enumerate(zip(self.rows, self._tops(), strict=True)):
            self._row_head(y, self.row_heights[row], head)
            for column in range(len(self.columns)):
                x = self.left + column * (self.cell + self.gap)
                self._cell((x, y), self.row_heights[row], self.cells.get((row, column), Cell()))
        return self.image

    def _tops(self) -> Iterator[int]:
        y = self.top
        for height in self.row_heights:
            yield y
            y += height + self.strip + self.gap

    def _rules(self) -> None:
        x, y = self.left - self.gap - 1, self.top - self.gap
        self.pencil.line((self.margin, y, self.image.width - self.margin, y), RULE)
        self.pencil.line((x, y, x, self.image.height - self.margin - self.footed), RULE)
        below = y - self.label_size
        self._text(self.corner, (self.margin, below), self.head_width, self.caption_size, MUTED, "lm")

    def _column_head(self, x: int, head: Head) -> None:
        middle, baseline = x + self.cell // 2, self.top - self.gap - self.label_size
        self._text(head.label, (middle, baseline), self.cell, self.label_size, TEXT, "mm")
        if head.image:
            width, height = _fitted(head.image, self.cell, self.cell * 0.62)
            y = baseline - self.label_size + 1 - height
            self._paste(head.image, (middle - width // 2, y, width, height))

    def _row_head(self, y: int, height: int, head: Head) -> None:
        if head.image is None:
            at = (self.margin + self.head_width, y + height // 2)
            self._text(head.label, at, self.head_width, self.label_size, TEXT, "rm")
            return
        self._centered(head.image, (self.margin, y), height)
        at = (self.margin + self.cell // 2, y + height + round(self.label_size * 0.95))
        self._text(head.label, at, self.cell, self.label_size, TEXT, "mm")

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
        lines = _wrapped(problem, self.caption_size, width - 2 * self.gap, most=4)
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
        short = _elided(text, size, width)
        self.pencil.text(at, short, color, _font(short, size), anchor)


def _fitted(image: Image.Image, width: float, height: float) -> tuple[int, int]:
    """Return the largest size of the image's aspect inside width x height."""
    scale = min(width / image.width, height / image.height)
    return max(1, round(image.width * scale)), max(1, round(image.height * scale))


@cache
def _font_of(wide: bool, size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    if not wide:
        return ImageFont.load_default(size)
    import matplotlib

    path = Path(matplotlib.get_data_path()) / "fonts" / "ttf" / "DejaVuSans.ttf"
    return ImageFont.truetype(path, round(size * 0.92))


def _font(text: str, size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    """Pillow's own font, which is the finer one, or, for letters and arrows that it lacks, the one of matplotlib."""
    return _font_of(not all(letter.isascii() or letter in "…±·°" for letter in text), size)


def _elided(text: str, size: int, width: int) -> str:
    """`text` on one line of `width` pixels, its end given up for "…" where it is longer."""
    text = " ".join(text.split())[:1000]
    if _font(text, size).getlength(text) <= width:
        return text
    font = _font(text, size)
    kept = bisect_right(range(len(text)), float(width), key=lambda count: font.getlength(text[: count + 1] + "…"))
    return text[:kept].rstrip() + "…"


def _wrapped(text: str, size: int, width: int, most: int) -> list[str]:
    """`text` in at most `most` lines of `width` pixels; what is left over stays in the last, to be elided."""
    lines: list[str] = []
    for word in text.split():
        longer = f"{lines[-1]} {word}" if lines else word
        if lines and (len(lines) == most or _font(longer, size).getlength(longer) <= width):
            lines[-1] = longer
        else:
            lines.append(word)
    return lines
