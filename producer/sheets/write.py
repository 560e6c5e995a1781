"""Sheets as files: PNG, JPEG, PDF or HTML, by the suffix."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from io import BytesIO
from pathlib import Path
from typing import Any

from PIL import Image

from stylefarm.producer.client.farm import Sweep
from stylefarm.producer.sheets.page import Opening, page
from stylefarm.producer.sheets.raster import Drawing, cell_width, pages
from stylefarm.producer.terminal.progress import working
from stylefarm.producer.views.metrics import check_metric
from stylefarm.producer.views.selection import Selection, select
from stylefarm.shared.errors import InvalidRequest
from stylefarm.shared.files import check_writable, write_atomically

SUFFIXES = (".html", ".png", ".jpg", ".jpeg", ".pdf")
# Measured on paintings, which compress badly; a sheet should stay below 30 MB.
BYTES_PER_PIXEL = {".png": 2.5, ".jpg": 0.4, ".jpeg": 0.4, ".pdf": 0.4}
MOST_BYTES = 28_000_000
JPEG_QUALITY = 82
LONGEST_JPEG = 65_500


def write_sheet(
    sweep: Sweep,
    path: str | Path,
    *,
    rows: str | None = None,
    columns: str | None = None,
    where: Mapping[str, Sequence[Any]] | None = None,
    metric: str = "loss",
    sort_by: str | None = None,
    top: int = 50,
    cell: int | None = None,
    force: bool = False,
) -> list[Path]:
    """Write the contact sheet of a sweep.

    An HTML file holds all pages, with choosers for the other axes; a PDF has a page for each combination of them; of
    PNG and JPEG there is a file for each, numbered where there are several.

    Args:
        sweep: what is shown.
        path: a file that ends in .html, .png, .jpg or .pdf.
        rows: an axis; by default content, or else what there is.
        columns: an axis; by default style, or else what there is.
        where: the values that are wanted of some axes, e.g. {"style_weight": [10]}.
        metric: the number under each cell.
        sort_by: a metric; instead of a grid, all results in one list, the best first.
        top: how many of that list are drawn; HTML has them all.
        cell: pixels across a cell; by default as many as keep the file below 30 MB, at most 256.
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
    statuses = sweep.statuses()
    selection = select(sweep.axes, statuses, rows, columns, where)
    for name in (metric, sort_by):
        if name is not None:
            check_metric(name, statuses)
    if suffix == ".html":
        check_writable(path, force=force)
        write_atomically(path, page(sweep, selection, Opening(metric, sort_by)), force=force)
        return [path]
    count = min(top, len(statuses)) if sort_by else _cells_of(selection, in_one_file=suffix == ".pdf")
    cell = cell or cell_width(count, BYTES_PER_PIXEL[suffix], MOST_BYTES)
    return _write_pages(sweep, selection, Drawing(metric, cell, sort_by, top), path, force)


def _write_pages(sweep: Sweep, selection: Selection, drawing: Drawing, path: Path, force: bool) -> list[Path]:
    suffix = path.suffix.lower()
    count = 1 if drawing.sort_by else _page_count(selection)
    if suffix == ".pdf" or count == 1:
        paths = [path]
    else:
        paths = [path.with_name(f"{path.stem}-{number + 1}{path.suffix}") for number in range(count)]
    for one in paths:
        check_writable(one, force=force)
    images = (image for _, image in pages(sweep, selection, drawing))
    if suffix == ".pdf":
        drawn = list(images)
        with working("encoding the sheet"):
            data = _pdf(drawn, sweep.name)
        write_atomically(path, data, force=force)
    else:
        for one, image in zip(paths, images, strict=True):
            with working("encoding the sheet"):
                data = _encoded(image, suffix)
            write_atomically(one, data, force=force)
    return paths


def _cells_of(selection: Selection, *, in_one_file: bool) -> int:
    """How many cells share a file, with the heads."""
    count = (len(selection.rows.values) + 1) * (len(selection.columns.values) + 1)
    return count * _page_count(selection) if in_one_file else count


def _page_count(selection: Selection) -> int:
    return math.prod(len(axis.values) for axis in selection.others)


def _encoded(image: Image.Image, suffix: str) -> bytes:
    file = BytesIO()
    if suffix == ".png":
        image.save(file, "PNG")
    else:
        if max(image.size) > LONGEST_JPEG:
            size = f"{image.width} x {image.height}"
            raise InvalidRequest(f"the sheet is {size}, too large for JPEG: give a smaller cell, or a name in .png")
        image.save(file, "JPEG", quality=JPEG_QUALITY)
    return file.getvalue()


def _pdf(images: list[Image.Image], title: str) -> bytes:
    file = BytesIO()
    first, *rest = images
    first.save(
        file, "PDF", save_all=True, append_images=rest, resolution=150, quality=JPEG_QUALITY, title=title or None
    )
    return file.getvalue()
