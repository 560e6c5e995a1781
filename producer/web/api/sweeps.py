"""Sweeps: listed, checked, submitted, looked at, and what is done to many of their cells at once."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import Response

from stylefarm.producer.backends.protocol import Action, Command
from stylefarm.producer.grids import parse_grid
from stylefarm.producer.reports.forecast import forecast
from stylefarm.producer.views.importance import importance
from stylefarm.producer.web.access import FarmDep, Reader, Submitter
from stylefarm.producer.web.answers import answer
from stylefarm.producer.web.documents import about, metric_names
from stylefarm.producer.web.once import IdempotencyKey, once
from stylefarm.producer.web.problems import Refused
from stylefarm.producer.web.rates import submission_rate
from stylefarm.producer.web.selection import CellSelection
from stylefarm.producer.web.submitted import checked_sweep
from stylefarm.producer.web.variations import variations
from stylefarm.shared.db.records import JobSelector
from stylefarm.shared.errors import InvalidRequest
from stylefarm.shared.queries.pages import MOST_LISTED, parse_place, place_of
from stylefarm.shared.services import Services

router = APIRouter(tags=["sweeps"])

# Cells of a sweep that is submitted over HTTP.
MOST_CELLS = 20_000


class SweepRequest(BaseModel):
    """A sweep, as in a sweep file: base, matrix, zip ... Pictures are hashes ("sha256:...")."""

    model_config = ConfigDict(extra="forbid")

    sweep: Annotated[
        dict[str, Any],
        Field(
            examples=[
                {
                    "name": "weights",
                    "base": {"content": f"sha256:{'1f' * 32}", "style": f"sha256:{'2e' * 32}"},
                    "matrix": {"style_weight": [10, 100]},
                }
            ]
        ),
    ]
    parent: Annotated[str, Field(min_length=36, max_length=36)] | None = None


class SweepAction(CellSelection):
    """What is to be done with the selected cells of a sweep; `priority` for prioritize."""

    action: Action
    priority: Annotated[int, Field(ge=0, le=9)] | None = None


def sweep_links(sweep_id: str) -> dict[str, str]:
    """Return the addresses of what belongs to a sweep."""
    here = f"/api/v1/sweeps/{sweep_id}"
    names = ("cells", "stream", "actions", "ranking", "importance")
    return {"self": here, "page": f"/sweeps/{sweep_id}", **{name: f"{here}/{name}" for name in names}}


@router.get("/sweeps")
def list_sweeps(
    request: Request,
    farm: FarmDep,
    reader: Reader,
    limit: Annotated[int, Query(ge=1, le=MOST_LISTED)] = 50,
    cursor: Annotated[str | None, Query()] = None,
) -> Response:
    """List sweeps, newest first; `next` is the cursor of the next page, null on the last one."""
    rows = farm.services.pages.sweeps(limit + 1, None if cursor is None else parse_place(cursor))
    shown = rows[:limit]
    sweeps = [{"sweep": about(row), "links": sweep_links(row.id)} for row in shown]
    return answer(request, {"sweeps": sweeps, "next": place_of(shown[-1]) if len(rows) > limit else None})


@router.post("/sweeps:validate")
def validate(request: Request, farm: FarmDep, user: Submitter, body: SweepRequest) -> Response:
    """Check a sweep, and return how many pictures it would render and how long that takes; nothing is stored."""
    grid = _grid(farm, body)
    found = forecast(farm, grid)
    return answer(
        request,
        {
            "jobs": found.cells,
            "known": found.known,
            "new": found.new,
            "seconds": None if found.hours is None else found.hours * 3600,
            "basis": found.basis,
            "axes": found.axes,
            "notes": list(found.notes),
        },
    )


@router.post("/sweeps", status_code=201)
def submit(
    request: Request, farm: FarmDep, user: Submitter, body: SweepRequest, key: IdempotencyKey = None
) -> Response:
    """Submit a sweep; `parent` is the sweep from one of whose cells it was made."""
    with once(request, farm, user.user, key, body) as reply:
        if reply.response is not None:
            return reply.response
        headers = submission_rate(request, user.user)
        grid = _grid(farm, body)
        if body.parent is not None:
            farm.services.queries.sweep(body.parent)
        sweep = farm.sweep(grid, parent=body.parent)
        document = {
            "sweep": about(farm.services.queries.sweep(sweep.id)),
            "links": sweep_links(sweep.id),
            "created": len(sweep.created),
        }
        return reply.store(document, 201, {"Location": f"/api/v1/sweeps/{sweep.id}", **headers})


def _grid(farm: FarmDep, body: SweepRequest) -> Any:
    grid = parse_grid(checked_sweep(body.sweep), farm.settings)
    if grid.search is not None:
        raise InvalidRequest("a search runs where it was begun, and not over HTTP: leave `search` out")
    if len(grid) > MOST_CELLS:
        raise InvalidRequest(f"a sweep has up to {MOST_CELLS:,} cells over HTTP, and this one {len(grid):,}: split it")
    return grid


@router.get("/sweeps/{sweep_id}")
def get_sweep(request: Request, farm: FarmDep, reader: Reader, sweep_id: str) -> Response:
    """Return a sweep, and how many of its jobs are in each state."""
    row = farm.services.queries.sweep(sweep_id)
    counts = {str(state): count for state, count in farm.services.queries.counts(sweep_id).items()}
    pace = farm.services.listing.throughput(sweep_id)
    return answer(
        request,
        {
            "sweep": about(row),
            "axes": row.axes,
            "counts": counts,
            "done_per_second": pace,
            "links": sweep_links(row.id),
        },
    )


@router.post("/sweeps/{sweep_id}/actions")
def act(request: Request, farm: FarmDep, user: Submitter, sweep_id: str, body: SweepAction) -> Response:
    """Cancel, pause, resume, retry or prioritize the selected cells: 409 if they are not `expected_count`."""
    cells = body.cells(farm.services, sweep_id, user.user)
    if body.expected_count is not None and len(cells) != body.expected_count:
        raise Refused(
            f"the selection has {len(cells):,} cells now, and not {body.expected_count:,}: look again, and repeat it",
            409,
        )
    jobs = list(dict.fromkeys(cell.job for cell in cells))
    command = Command(body.action, body.priority)
    changed = farm.backend.command(JobSelector(jobs=jobs), command).changed if jobs else 0
    counts = {str(state): count for state, count in farm.services.queries.counts(sweep_id).items()}
    return answer(request, {"changed": changed, "cells": len(cells), "counts": counts})


@router.get("/sweeps/{sweep_id}/importance")
def get_importance(request: Request, farm: FarmDep, reader: Reader, sweep_id: str) -> Response:
    """Return what each axis has to do with each metric: eta squared, or PED-ANOVA of a sweep with drawn values."""
    return answer(request, importance_document(farm.services, sweep_id))


def importance_document(services: Services, sweep_id: str) -> dict[str, Any]:
    """Return the same of a sweep as a value. Raises NotFound."""
    sweep = services.queries.sweep(sweep_id)
    cells = services.cell_reads.cells(sweep_id).cells
    axes = {name: [cell.cell.get(name) for cell in cells] for name in sweep.axes}
    values: dict[str, list[float | None]] = {
        name: [cell.metrics.get(name) for cell in cells] for name in metric_names(cells)
    }
    values["loss"] = [cell.loss for cell in cells]
    found = importance(axes, values)
    return {"method": found.method, "metrics": found.shares}


@router.get("/sweeps/{sweep_id}/cells/{position}/variations")
def get_variations(request: Request, farm: FarmDep, reader: Reader, sweep_id: str, position: int) -> Response:
    """Return the parameters of a cell, and values around them to vary: the beginning of a sweep like it."""
    return answer(request, variations(farm.services, sweep_id, position))
