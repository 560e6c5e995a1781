"""Sheets as files: PNG, JPEG, PDF or HTML, by the suffix."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from io import BytesIO
from pathlib import Path
from typing import Any

from PIL import Image

from stylefarm.producer.client.farm import Sweep
from stylefarm.producer.sheets.page import Opening, page
from stylefarm.producer.sheets.paper import PAPERS, RESOLUTION, Paper
from stylefarm.producer.sheets.raster import Drawing, cell_width, pages
from stylefarm.producer.terminal.progress import working
from stylefarm.producer.views.metrics import check_metric
from stylefarm.producer.views.selection import Page, Selection, Side, select
from stylefarm.shared.errors import InvalidRequest
from stylefarm.shared.files.atomic import check_writable, write_atomically

SUFFIXES = (".html", ".png", ".jpg", ".jpeg", ".pdf")
# Measured on paintings, which compress badly; a sheet should stay below 30 MB.
BYTES_PER_PIXEL = {".png": 2.5, ".jpg": 0.4, ".jpeg": 0.4, ".pdf": 0.4}
MOST_BYTES = 28_000_000
JPEG_QUALITY = 82


def write_sheet(
    sweep: Sweep,
    path: str | Path,
    *,
    rows: Side = None,
    columns: Side = None,
    where: Mapping[str, Sequence[Any]] | None = None,
    metric: str = "loss",
    sort_by: str | None = None,
    top: int = 50,
    cell: int | None = None,
    paper: str = "fit",
    ask: Callable[[int], object] | None = None,
    force: bool = False,
) -> list[Path]:
    """Write the contact sheet of a sweep.

    A side shows one axis, or two, the second within the first. An HTML file holds everything, with choosers for the
    other axes; a PDF has a page for each combination of them that has jobs; of PNG and JPEG there is a file for each,
    numbered where there are several.

    Args:
        sweep: what is shown.
        path: a file that ends in .html, .png, .jpg or .pdf.
        rows: an axis, or two: "content,style_weight". By default content, or else what there is; and a third axis
            within the side that has fewer values.
        columns: likewise; by default style, or else what there is.
        where: the values that are wanted of some axes, e.g. {"style_weight": [10]}.
        metric: the number under each cell.
        sort_by: a metric; instead of a grid, all results in one list, the best first.
        top: how many of that list are drawn; HTML has them all.
        cell: pixels across a cell; by default as many as keep the file below 30 MB, at most 256.
        paper: of a PDF: "a4" or "letter", on which a sheet goes on from page to page; "fit": pages as large as it is.
        ask: called with the number of files before anything is drawn, where there are several; it may raise.
        force: overwrite files that exist.

    Returns:
        The files that were written.

    Raises:
        InvalidRequest: there is no such axis, value or metric, or the file cannot be written.
        StorageFull: the disk is full; nothing half-written is left.
        ServiceUnavailable: likewise.

    Example:
        write_sheet(sweep, "sheet.html", sort_by="ssim")
    """
    path = Path(path)
    suffix = path.suffix.lower()
    if suffix not in SUFFIXES:
        raise InvalidRequest(f"{path} ends in no format of a sheet: give one of {', '.join(SUFFIXES)}")
    page_size = _paper(paper, suffix)
    statuses = sweep.statuses()
    selection = select(sweep.axes, statuses, rows, columns, where)
    if not selection.placed:
        raise InvalidRequest("no job of the sweep has these values: give fewer of them")
    for name in (metric, sort_by):
        if name is not None:
            check_metric(name, statuses)
    if suffix == ".html":
        check_writable(path, force=force)
        write_atomically(path, page(sweep, selection, Opening(metric, sort_by)), force=force)
        return [path]
    if cell is None and (page_size is None or not page_size.cut):
        shown = [min(top, len(statuses))] if sort_by else [_room(page) for page in selection.pages()]
        cell = cell_width(sum(shown) if suffix == ".pdf" else max(shown), BYTES_PER_PIXEL[suffix], MOST_BYTES)
    drawing = Drawing(metric, cell, sort_by, top, page_size)
    if suffix == ".pdf":
        check_writable(path, force=force)
        return [_write_pdf(sweep, selection, drawing, path, force)]
    return _write_pictures(sweep, selection, drawing, path, ask, force)


def _paper(name: str, suffix: str) -> Paper | None:
    if name not in PAPERS:
        raise InvalidRequest(f"unknown paper {name!r}: give one of {', '.join(PAPERS)}")
    if name != "fit" and suffix != ".pdf":
        raise InvalidRequest(f"paper = {name} is for a PDF: give a name in .pdf, or leave it out")
    return PAPERS[name] if suffix == ".pdf" else None


def _write_pictures(
    sweep: Sweep,
    selection: Selection,
    drawing: Drawing,
    path: Path,
    ask: Callable[[int], object] | None,
    force: bool,
) -> list[Path]:
    count = 1 if drawing.sort_by else sum(1 for _ in selection.pages())
    paths = [path]
    if count > 1:
        paths = [path.with_name(f"{path.stem}-{number + 1}{path.suffix}") for number in range(count)]
        if ask is not None:
            ask(count)
    for one in paths:
        check_writable(one, force=force)
    for one, (_, image) in zip(paths, pages(sweep, selection, drawing), strict=True):
        with working("encoding the sheet"):
            data = _encoded(image, path.suffix.lower())
        write_atomically(one, data, force=force)
    return paths


def _write_pdf(sweep: Sweep, selection: Selection, drawing: Drawing, path: Path, force: bool) -> Path:
    drawn = [image for _, image in pages(sweep, selection, drawing)]
    with working("encoding the sheet"):
        data = _pdf(drawn, sweep.name)
    write_atomically(path, data, force=force)
    return path


def _room(page: Page) -> int:
    """How many cells a page has, with the heads."""
    return (len(page.rows) + 1) * (len(page.columns) + 1)


def _encoded(image: Image.Image, suffix: str) -> bytes:
    file = BytesIO()
    if suffix == ".png":
        image.save(file, "PNG")
    else:
        image.save(file, "JPEG", quality=JPEG_QUALITY)
    return file.getvalue()


def _pdf(images: list[Image.Image], title: str) -> bytes:
    file = BytesIO()
    first, *rest = images
    first.save(
        file, "PDF", save_all=True, append_images=rest, resolution=RESOLUTION, quality=JPEG_QUALITY, title=title or None
    )
    return file.getvalue()
