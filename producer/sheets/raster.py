"""A sheet as pictures: one for each page, with pictures or values at the edges; or a ranked list."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from PIL import Image

from stylefarm.producer.client.farm import Sweep
from stylefarm.producer.parallel import in_parallel
from stylefarm.producer.sheets.gather import SheetJob, gather_jobs, image_addresses, picture, side_by_side
from stylefarm.producer.sheets.layout import Cell, Head, contact_sheet
from stylefarm.producer.terminal.progress import counting, working
from stylefarm.producer.views.labels import PICTURES, job_labels, key_of
from stylefarm.producer.views.metrics import NOT_VALIDATED, in_words, measured
from stylefarm.producer.views.pictures import shrink
from stylefarm.producer.views.selection import Axis, Selection, ranked
from stylefarm.producer.views.status import Status
from stylefarm.shared.errors import FarmError

WIDEST, NARROWEST = 256, 48
LONGEST_HEAD = 1024


@dataclass(frozen=True)
class Drawing:
    """How a sheet is drawn: the metric under each cell, a cell's width in pixels, and how many results are ranked.

    Example:
        >>> Drawing("ssim", cell=256).top
        50
    """

    metric: str
    cell: int
    sort_by: str | None = None
    top: int = 50


def pages(sweep: Sweep, selection: Selection, drawing: Drawing) -> Iterator[tuple[str, Image.Image]]:
    """Yield each page of a sheet: a grid, or one ranked list.

    Args:
        sweep: what is shown.
        selection: its jobs, in rows and columns.
        drawing: how it is drawn.

    Yields:
        The words for the page's slice of the axes, and the page, RGB.

    Raises:
        InvalidRequest: there is no such metric to rank by.

    Example:
        for title, image in pages(sweep, select(sweep.axes, sweep.statuses()), Drawing("ssim", cell=256)):
            image.save(f"{title or 'sheet'}.png")
    """
    if drawing.sort_by is not None:
        yield drawing.sort_by, _ranking(sweep, selection, drawing)
        return
    left, above = (_heads(sweep, selection, axis) for axis in (selection.rows, selection.columns))
    named = [axis.name for axis in (selection.rows, selection.columns) if axis.name]
    for page in selection.pages():
        positions, statuses = list(page.cells), list(page.cells.values())
        cells = dict(zip(positions, _cells(sweep, statuses, drawing), strict=True))
        title = " · ".join(part for part in (sweep.name, page.title) if part)
        corner = f"{selection.rows.name} / {selection.columns.name}" if len(named) == 2 else ""
        foot = "" if drawing.metric == "loss" else NOT_VALIDATED
        with working("drawing the sheet"):
            drawn = contact_sheet(left, above, cells, corner=corner, title=title, foot=foot, cell=drawing.cell)
        yield page.title, drawn


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


def _ranking(sweep: Sweep, selection: Selection, drawing: Drawing) -> Image.Image:
    metric = drawing.sort_by or drawing.metric
    statuses = ranked(selection.statuses, metric)[: drawing.top]
    across = max(1, min(8, math.ceil(math.sqrt(len(statuses) * 1.6))))
    rows = [Head("")] * math.ceil(len(statuses) / across)
    shown = zip(statuses, job_labels(statuses), _cells(sweep, statuses, drawing), strict=True)
    cells = {
        divmod(place, across): Cell(
            cell.image, f"{place + 1}. {label}\n{in_words(metric, measured(status, metric))}", cell.problem
        )
        for place, (status, label, cell) in enumerate(shown)
    }
    left_over = range(len(statuses), len(rows) * across)
    cells |= {divmod(place, across): Cell(blank=True) for place in left_over}
    title = " · ".join(part for part in (sweep.name, f"by {metric}, the closest first") if part)
    with working("drawing the sheet"):
        return contact_sheet(rows, [Head("")] * across, cells, title=title, foot=NOT_VALIDATED, cell=drawing.cell)


def _cells(sweep: Sweep, statuses: Sequence[Status], drawing: Drawing) -> list[Cell]:
    services = sweep.farm.services

    def cell_of(shown: SheetJob) -> Cell:
        caption = in_words(drawing.metric, measured(shown.status, drawing.metric))
        image = None if shown.newest is None else shrink(picture(services, shown.newest), drawing.cell)
        if shown.progress is not None and image is not None:
            caption = f"{shown.status.state} {shown.status.iteration}/{shown.status.iterations}"
        return Cell(image, caption, shown.problem, shown.progress)

    with counting("pictures", len(statuses)) as advance:
        made = in_parallel(gather_jobs(sweep, statuses), cell_of, advance)
    return [Cell(problem=f"missing: {one}") if isinstance(one, FarmError) else one for one in made]


def _heads(sweep: Sweep, selection: Selection, axis: Axis) -> list[Head]:
    if not axis.name:
        return [Head("")]
    if axis.name not in PICTURES:
        return [Head(f"{axis.name} = {label}") for label in axis.labels]
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
        return shrink(side_by_side(sweep.farm.services, hashes), LONGEST_HEAD)

    with counting(f"pictures of {axis}", len(found)) as advance:
        made = in_parallel(found.values(), head_of, advance)
    return {key: one for key, one in zip(found, made, strict=True) if not isinstance(one, FarmError)}
