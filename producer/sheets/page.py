"""A sheet as one HTML file that needs nothing else: no network, no other file, no program but a browser."""

from __future__ import annotations

import base64
import html
import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib import resources
from typing import Any

from PIL import Image

from stylefarm.producer.client.farm import Sweep
from stylefarm.producer.parallel import in_parallel
from stylefarm.producer.sheets.gather import SheetJob, gather_jobs, image_addresses, picture, side_by_side
from stylefarm.producer.terminal.progress import counting
from stylefarm.producer.theme import css_variables
from stylefarm.producer.views.labels import PICTURES, job_labels, key_of
from stylefarm.producer.views.metrics import MEASURES, NOT_VALIDATED, check_metric, higher_is_better, metric_names
from stylefarm.producer.views.pictures import webp
from stylefarm.producer.views.selection import Selection
from stylefarm.shared.db.records import StoredObject
from stylefarm.shared.errors import FarmError
from stylefarm.shared.queries.sweeps import StoredSnapshot

# All pictures of a page; base64 makes them a third larger, and the whole page stays below 30 MB.
MOST_BYTES = 19_000_000
INPUT_BYTES, INPUT_EDGE = 20_000, 384
MOST_INPUT_BYTES = 2_000_000
# In the order in which they are run.
SCRIPTS = ("page.axes.js", "page.js")
LARGEST, SMALLEST = 512, 96
# A generous estimate for paintings as WebP; a thumbnail that needs more is compressed more.
BYTES_PER_PIXEL = 0.25
MOST_STEPS, MOST_SNAPSHOTS = 12, 1200


@dataclass(frozen=True)
class Picture:
    """A picture of the page: what makes it, and how large it may be.

    Example:
        Picture(lambda: job.image, edge=512, most_bytes=20_000)
    """

    make: Callable[[], Image.Image]
    edge: int
    most_bytes: int


@dataclass(frozen=True)
class Opening:
    """What the page shows when it is opened: the metric under each cell, and the metric it is ranked by, if any.

    Example:
        >>> Opening("ssim").sort_by is None
        True
    """

    metric: str
    sort_by: str | None = None


def page(sweep: Sweep, selection: Selection, opening: Opening) -> bytes:
    """Return a sheet as one HTML file, below 30 MB for 2,000 results.

    The newest picture of each job is in it, and, where there are few jobs, snapshots too, evenly chosen.

    Args:
        sweep: what is shown.
        selection: its jobs, in rows and columns.
        opening: what the page shows first.

    Returns:
        The page, UTF-8.

    Raises:
        InvalidRequest: there is no such metric.

    Example:
        html = page(sweep, select(sweep.axes, sweep.statuses()), Opening("ssim"))
    """
    for metric in (opening.metric, opening.sort_by or opening.metric):
        check_metric(metric, selection.statuses)
    document, pictures = _document(sweep, selection, opening)
    with counting("thumbnails", len(pictures)) as advance:
        made = in_parallel(pictures, _encoded, advance)
    document["images"] = [None if isinstance(one, FarmError) else base64.b64encode(one).decode() for one in made]
    return _filled(sweep.name or f"sweep {sweep.id[:8]}", document)


def _document(sweep: Sweep, selection: Selection, opening: Opening) -> tuple[dict[str, Any], list[Picture]]:
    """Return what the page knows, and the pictures that it names by their places in the list."""
    jobs = gather_jobs(sweep, selection.placed)
    pictures, inputs = _inputs(sweep, jobs)
    steps = [_evenly(shown.steps, min(MOST_STEPS, MOST_SNAPSHOTS // max(1, len(jobs)))) for shown in jobs]
    left = MOST_BYTES - sum(one.most_bytes for one in pictures)
    each = left / max(1, len(jobs) + sum(map(len, steps)) / 2)
    places = [{key_of(value): index for index, value in enumerate(axis.values)} for axis in selection.axes]

    def place(stored: StoredObject | None, share: float) -> int | None:
        if stored is None:
            return None
        edge = max(SMALLEST, min(LARGEST, round(math.sqrt(each * share / BYTES_PER_PIXEL))))
        pictures.append(Picture(lambda: picture(sweep.farm.backend, stored), edge, round(each * share)))
        return len(pictures) - 1

    cells = [
        {
            "at": [
                found[key_of(shown.status.cell.get(axis.name))]
                for axis, found in zip(selection.axes, places, strict=True)
            ],
            **_cell_document(shown, label),
            "inputs": [inputs.get(image_addresses(shown.status.spec, name)) for name in PICTURES],
            "image": place(shown.newest, 1),
            "steps": [[shot.iteration, place(shot.stored, 0.5)] for shot in of_job],
        }
        for shown, of_job, label in zip(jobs, steps, job_labels([shown.status for shown in jobs]), strict=True)
    ]
    names = [axis.name for axis in selection.axes]
    measures = metric_names(selection.statuses)
    document = {
        "title": sweep.name or f"sweep {sweep.id[:8]}",
        "id": sweep.id,
        "axes": [
            {"name": axis.name, "labels": axis.labels, "images": _head_images(selection, axis.name, inputs)}
            for axis in selection.axes
        ],
        "rows": [names.index(axis.name) for axis in selection.rows],
        "columns": [names.index(axis.name) for axis in selection.columns],
        "measures": [
            {
                "name": name,
                "words": MEASURES[name].description if name in MEASURES else name,
                "more": higher_is_better(name),
            }
            for name in measures
        ],
        "metric": opening.metric,
        "sortBy": opening.sort_by,
        "note": NOT_VALIDATED,
        "cells": cells,
    }
    return document, pictures


def _cell_document(shown: SheetJob, label: str) -> dict[str, Any]:
    status = shown.status
    numbers = {**status.metrics, "loss": status.loss}
    return {
        "id": status.id,
        "title": label,
        "state": str(status.state),
        "problem": shown.problem,
        "progress": shown.progress,
        "iteration": status.iteration,
        "iterations": status.iterations,
        "measures": {name: value for name, value in numbers.items() if value is not None and math.isfinite(value)},
    }


def _inputs(sweep: Sweep, jobs: Sequence[SheetJob]) -> tuple[list[Picture], dict[tuple[str, ...], int]]:
    """Return the contents and styles of all jobs, each once, and their places by their content hashes."""
    found = dict.fromkeys(image_addresses(shown.status.spec, name) for shown in jobs for name in PICTURES)
    found.pop((), None)
    most = min(INPUT_BYTES, MOST_INPUT_BYTES // max(1, len(found)))

    def of(hashes: tuple[str, ...]) -> Picture:
        return Picture(lambda: side_by_side(sweep.farm.backend, hashes), INPUT_EDGE, most)

    return [of(hashes) for hashes in found], {hashes: index for index, hashes in enumerate(found)}


def _head_images(selection: Selection, name: str, inputs: Mapping[tuple[str, ...], int]) -> list[int | None]:
    values = next(axis.values for axis in selection.axes if axis.name == name)
    if name not in PICTURES:
        return [None] * len(values)
    found = {key_of(status.cell[name]): inputs.get(image_addresses(status.spec, name)) for status in selection.placed}
    return [found.get(key_of(value)) for value in values]


def _evenly(shots: Sequence[StoredSnapshot], most: int) -> list[StoredSnapshot]:
    """At most `most` of the snapshots, the last among them."""
    if len(shots) <= most:
        return list(shots)
    return [shots[(number + 1) * len(shots) // most - 1] for number in range(most)]


def _encoded(wanted: Picture) -> bytes:
    return webp(wanted.make(), wanted.edge, wanted.most_bytes)


def _filled(title: str, document: Mapping[str, Any]) -> bytes:
    """Return the template with everything in it. In JSON, no "<" can end the element that it stands in."""
    parts = resources.files("stylefarm.producer.sheets")
    data = json.dumps(document, separators=(",", ":"), ensure_ascii=False, allow_nan=False).replace("<", "\\u003c")
    texts = {
        "TITLE": html.escape(title),
        "STYLE": (parts / "page.css").read_text(encoding="utf-8").replace("%%PALETTE%%", css_variables()),
        "SCRIPT": "".join((parts / name).read_text(encoding="utf-8") for name in SCRIPTS),
        "DATA": data,
    }
    pieces = (parts / "page.html").read_text(encoding="utf-8").split("%%")
    return "".join(texts.get(piece, piece) for piece in pieces).encode("utf-8", "replace")
