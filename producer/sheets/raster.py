"""A sheet as pictures: one for each page, with pictures or values at the edges; or a ranked list."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import product

from PIL import Image

from stylefarm.producer.client.farm import Sweep
from stylefarm.producer.parallel import in_parallel
from stylefarm.producer.sheets.gather import SheetJob, gather_jobs, image_addresses, picture, side_by_side
from stylefarm.producer.sheets.layout import Sheet
from stylefarm.producer.sheets.paper import Paper, divided, suitable
from stylefarm.producer.sheets.parts import Cell, Head, Words
from stylefarm.producer.terminal.progress import counting, working
from stylefarm.producer.views.labels import PICTURES, job_labels, key_of
from stylefarm.producer.views.metrics import NOT_VALIDATED, in_words, measured
from stylefarm.producer.views.pictures import shrink
from stylefarm.producer.views.selection import Axis, Selection, ranked
from stylefarm.producer.views.status import Status
from stylefarm.shared.errors import FarmError

WIDEST, NARROWEST = 256, 48
LONGEST_HEAD = 1024
# Values of one axis that stand in a line; more are in several.
LONGEST_LINE = 6


@dataclass(frozen=True)
class Drawing:
    """How a sheet is drawn.

    Args:
        metric: the number under each cell.
        cell: a cell's width in pixels; None: what suits the paper.
        sort_by: a metric, where it is one ranked list.
        top: how many results are ranked.
        paper: the pages of a PDF.

    Example:
        >>> Drawing("ssim", cell=256).top
        50
    """

    metric: str
    cell: int | None
    sort_by: str | None = None
    top: int = 50
    paper: Paper | None = None


def pages(sweep: Sweep, selection: Selection, drawing: Drawing) -> Iterator[tuple[str, Image.Image]]:
    """Yield each page of a sheet: a grid, or one ranked list, or, on paper, the parts of it.

    Args:
        sweep: what is shown.
        selection: its jobs, in rows and columns.
        drawing: how it is drawn.

    Yields:
        The words for the page's slice of the axes, and the page, RGB.

    Raises:
        InvalidRequest: there is no such metric to rank by, or the sheet is too large for a picture.

    Example:
        for title, image in pages(sweep, select(sweep.axes, sweep.statuses()), Drawing("ssim", cell=256)):
            image.save(f"{title or 'sheet'}.png")
    """
    for title, sheet in _sheets(sweep, selection, drawing):
        with working("drawing the sheet"):
            drawn = list(_drawn(sheet, drawing))
        for image in drawn:
            yield title, image


def _drawn(sheet: Sheet, drawing: Drawing) -> Iterator[Image.Image]:
    if drawing.paper is None:
        yield sheet.drawn()
    elif not drawing.paper.cut:
        yield from divided(drawing.paper, sheet)
    else:
        paper, cell = suitable(drawing.paper, sheet, drawing.cell)
        yield from divided(paper, replace(sheet, cell=cell))


def _sheets(sweep: Sweep, selection: Selection, drawing: Drawing) -> Iterator[tuple[str, Sheet]]:
    if drawing.sort_by is not None:
        yield drawing.sort_by, _ranking(sweep, selection, drawing)
        return
    sides = [[_heads(sweep, selection, axis) for axis in side] for side in (selection.rows, selection.columns)]
    for page in selection.pages():
        rows, columns = (
            [tuple(heads[place] for heads, place in zip(levels, at, strict=True)) for at in places]
            for levels, places in zip(sides, (page.rows, page.columns), strict=True)
        )
        drawn = zip(page.cells.items(), _cells(sweep, list(page.cells.values()), drawing), strict=True)
        made = {at: _noted(cell, page.notes[at]) for (at, _), cell in drawn}
        # Combinations that the sweep has not.
        cells = {at: made.get(at, Cell(blank=True)) for at in product(range(len(rows)), range(len(columns)))}
        title = " · ".join(part for part in (sweep.name, page.title) if part)
        foot = "" if drawing.metric == "loss" else NOT_VALIDATED
        words = Words(title, _corner(selection), foot)
        sheet = Sheet(rows, columns, cells, words, drawing.cell or WIDEST)
        yield page.title, _in_lines(sheet) if _is_one_line(sheet) else sheet


def _is_one_line(sheet: Sheet) -> bool:
    """Return whether a sheet is of one axis, with more values than a line of cells is pleasant to look at."""
    one_axis = {len(heads) for heads in (*sheet.rows, *sheet.columns)} == {0, 1}
    return one_axis and min(len(sheet.rows), len(sheet.columns)) == 1 and len(sheet.cells) > LONGEST_LINE


def _in_lines(sheet: Sheet) -> Sheet:
    """Return a sheet of one axis with its cells in several lines, each with its value below it."""
    heads = [head for side in (sheet.rows, sheet.columns) for one in side for head in one]
    across, down = _grid(len(heads))
    cells = {
        divmod(place, across): _noted(sheet.cells[at], head.label)
        for place, (at, head) in enumerate(zip(sorted(sheet.cells), heads, strict=True))
    }
    cells |= {divmod(place, across): Cell(blank=True) for place in range(len(heads), down * across)}
    return Sheet([()] * down, [()] * across, cells, replace(sheet.words, corner=""), sheet.cell)


def _grid(count: int) -> tuple[int, int]:
    """Return how many cells there are in a line, and how many lines, so that a sheet is about as wide as it is high."""
    across = max(1, min(8, math.ceil(math.sqrt(count * 1.6))))
    return across, math.ceil(count / across)


def _noted(cell: Cell, note: str) -> Cell:
    return replace(cell, caption=f"{note}\n{cell.caption}") if note else cell


def _corner(selection: Selection) -> str:
    """Return what rows and columns are: of one axis each in a line, of more in two."""
    down, across = (", ".join(axis.name for axis in side) for side in (selection.rows, selection.columns))
    if not (down and across):
        return ""
    if len(selection.rows) == len(selection.columns) == 1:
        return f"{down} / {across}"
    return f"{across} →\n{down} ↓"


def cell_width(count: int, bytes_per_pixel: float, most_bytes: int) -> int:
    """Return the width of a cell, in pixels, with which that many square ones stay below `most_bytes` in a file.

    Args:
        count: how many cells share a file.
        bytes_per_pixel: of the format.
        most_bytes: the size of the file, at most.

    Example:
        >>> cell_width(count=100, bytes_per_pixel=1.0, most_bytes=1_000_000)
        100
    """
    return max(NARROWEST, min(WIDEST, math.isqrt(round(most_bytes / max(1, count) / bytes_per_pixel))))


def _ranking(sweep: Sweep, selection: Selection, drawing: Drawing) -> Sheet:
    metric = drawing.sort_by or drawing.metric
    statuses = ranked(selection.statuses, metric)[: drawing.top]
    across, down = _grid(len(statuses))
    shown = zip(statuses, job_labels(statuses), _cells(sweep, statuses, drawing), strict=True)
    cells = {
        divmod(place, across): Cell(
            cell.image, f"{place + 1}. {label}\n{in_words(metric, measured(status, metric))}", cell.problem
        )
        for place, (status, label, cell) in enumerate(shown)
    }
    left_over = range(len(statuses), down * across)
    cells |= {divmod(place, across): Cell(blank=True) for place in left_over}
    title = " · ".join(part for part in (sweep.name, f"by {metric}, the closest first") if part)
    return Sheet([()] * down, [()] * across, cells, Words(title, "", NOT_VALIDATED), drawing.cell or WIDEST)


def _cells(sweep: Sweep, statuses: Sequence[Status], drawing: Drawing) -> list[Cell]:
    backend = sweep.farm.backend

    def cell_of(shown: SheetJob) -> Cell:
        caption = in_words(drawing.metric, measured(shown.status, drawing.metric))
        image = None if shown.newest is None else shrink(picture(backend, shown.newest), drawing.cell or WIDEST)
        if shown.progress is not None and image is not None:
            caption = f"{shown.status.state} {shown.status.iteration}/{shown.status.iterations}"
        return Cell(image, caption, shown.problem, shown.progress)

    with counting("pictures", len(statuses)) as advance:
        made = in_parallel(gather_jobs(sweep, statuses), cell_of, advance)
    return [Cell(problem=f"missing: {one}") if isinstance(one, FarmError) else one for one in made]


def _heads(sweep: Sweep, selection: Selection, axis: Axis) -> list[Head]:
    """Return a head for each value of an axis."""
    if axis.name not in PICTURES:
        return [Head(f"{axis.name} = {label}", short=label) for label in axis.labels]
    images = head_pictures(sweep, selection.placed, axis.name)
    pairs = zip(axis.labels, axis.values, strict=True)
    return [Head(label, images.get(key_of(value))) for label, value in pairs]


def head_pictures(sweep: Sweep, statuses: Sequence[Status], axis: str) -> Mapping[str, Image.Image]:
    """Return the pictures of an axis of pictures, by `key_of` their values; without those that are gone.

    Args:
        sweep: which one.
        statuses: its jobs, each with a value of `axis` in its cell.
        axis: content or style.

    Example:
        heads = head_pictures(sweep, sweep.statuses(), "style")
        heads[key_of("waves.jpg")].save("head.png")
    """
    found = {key_of(status.cell[axis]): image_addresses(status.spec, axis) for status in statuses}

    def head_of(hashes: Sequence[str]) -> Image.Image:
        return shrink(side_by_side(sweep.farm.backend, hashes), LONGEST_HEAD)

    with counting(f"pictures of {axis}", len(found)) as advance:
        made = in_parallel(found.values(), head_of, advance)
    return {key: one for key, one in zip(found, made, strict=True) if not isinstance(one, FarmError)}
