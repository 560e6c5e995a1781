"""Picks to take along: a zip of pictures, a contact sheet, a sweep file."""

from __future__ import annotations

import csv
import io
import tempfile
import zipfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO, Annotated

import yaml
from fastapi import APIRouter, Request
from pydantic import Field
from starlette.responses import Response, StreamingResponse

from stylefarm.producer.client.farm import Farm
from stylefarm.producer.sheets.page import Opening, page
from stylefarm.producer.views.file_names import file_names
from stylefarm.producer.views.metrics import metric_names
from stylefarm.producer.views.selection import select
from stylefarm.producer.views.status import Status
from stylefarm.producer.web.access import FarmDep, Reader
from stylefarm.producer.web.picked import sweep_file
from stylefarm.producer.web.selection import CellSelection
from stylefarm.shared.blobs.storage import fetch_verified
from stylefarm.shared.errors import InvalidRequest
from stylefarm.shared.queries.reviews import StoredRating

router = APIRouter(tags=["reviews"])

MOST_PICTURES = 2000
IN_MEMORY = 32 << 20
CHUNK = 1 << 18


class Export(CellSelection):
    """What the selected cells become: pictures in a zip, a contact sheet, or a sweep file."""

    what: Annotated[str, Field(pattern="^(zip|sheet|sweep)$")]


@router.post("/sweeps/{sweep_id}/exports", response_class=Response)
def export(request: Request, farm: FarmDep, reader: Reader, sweep_id: str, body: Export) -> Response:
    """Return the selected cells as a file."""
    cells = body.cells(farm.services, sweep_id, reader.user)
    if not cells:
        raise InvalidRequest("nothing is selected: pick some cells first")
    if len(cells) > MOST_PICTURES:
        raise InvalidRequest(
            f"{len(cells):,} cells are selected, and at most {MOST_PICTURES:,} are exported: select fewer"
        )
    jobs = {(cell.position, cell.job) for cell in cells}
    # All by one look: the sweep may be growing.
    rows = farm.services.queries.sweep_jobs(sweep_id)
    everything = farm.rated([Status.of(row) for row in rows])
    sweep = farm.find_sweep(sweep_id)
    chosen = [status for status, row in zip(everything, rows, strict=True) if (row.position, row.id) in jobs]
    name = f"{sweep.name or sweep_id[:8]}-{len(chosen)}"
    if body.what == "sweep":
        text = yaml.safe_dump(sweep_file(name, chosen), sort_keys=False, allow_unicode=True)
        return _file(text.encode(), f"{name}.yaml", "application/yaml")
    if body.what == "sheet":
        metric = next(iter(metric_names(chosen)))
        return _file(page(sweep, select(sweep.axes, chosen), Opening(metric)), f"{name}.html", "text/html")
    ratings = farm.services.review_reads.ratings(reader.user, [status.id for status in chosen])
    names = dict(zip((id(status) for status in everything), file_names(everything), strict=True))
    file = _zip(farm, chosen, [names[id(status)] for status in chosen], ratings)
    return StreamingResponse(_read(file), headers=_attachment(f"{name}.zip"), media_type="application/zip")


def _zip(farm: Farm, chosen: Sequence[Status], names: Sequence[str], ratings: dict[str, StoredRating]) -> IO[bytes]:
    """Return a zip of the results, and a table of what they are."""
    file = tempfile.SpooledTemporaryFile(IN_MEMORY)  # noqa: SIM115 - closed by whoever sends it
    table = io.StringIO()
    writer = csv.writer(table)
    writer.writerow(["file", "job", "stars", "flag", "state"])
    with zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as archive:
        for status, name in zip(chosen, names, strict=True):
            rating = ratings.get(status.id, StoredRating(status.id, None, None))
            path = ""
            if status.result is not None:
                path = name + Path(status.result.key).suffix
                archive.writestr(path, fetch_verified(farm.services.blobs, status.result.key, status.result.sha256))
            writer.writerow([path, status.id, rating.stars, rating.flag, status.state])
        archive.writestr("pictures.csv", table.getvalue())
    file.seek(0)
    return file


def _read(file: IO[bytes]) -> Iterator[bytes]:
    with file:
        while part := file.read(CHUNK):
            yield part


def _file(data: bytes, name: str, media_type: str) -> Response:
    # A sheet has scripts and styles of its own in it: it is opened from the disk, and never as a page of this server.
    return Response(data, headers=_attachment(name), media_type=media_type)


def _attachment(name: str) -> dict[str, str]:
    plain = "".join(letter if letter.isascii() and (letter.isalnum() or letter in "._-") else "_" for letter in name)
    return {"Content-Disposition": f'attachment; filename="{plain}"', "Cache-Control": "no-store"}
