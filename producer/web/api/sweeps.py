"""Sweeps: listed, checked, submitted, looked at, and what is done to many of their cells at once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import Response

from stylefarm.producer.backends.protocol import Action, Command, CommandCount
from stylefarm.producer.grids import parse_grid
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
from stylefarm.shared.db.states import State
from stylefarm.shared.errors import InvalidRequest
from stylefarm.shared.queries.pages import MOST_LISTED, parse_place, place_of
from stylefarm.shared.schema.http import (
    ImportanceAnswer,
    SubmittedSweepAnswer,
    SweepActionAnswer,
    SweepAnswer,
    SweepsPage,
    ValidatedSweepAnswer,
    VariationsAnswer,
)
from stylefarm.shared.services import Services
from stylefarm.shared.spec.marks import parse_tags

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
    tags: list[str] = []
    note: str | None = None
    force: bool = False
    """Render all of it once more."""
    skip_bad: bool = False
    """Leave out the cells whose pictures cannot be used."""


class SweepAction(CellSelection):
    """What is to be done with the selected cells of a sweep.

    `priority` is for prioritize, `from_checkpoint` and `failed` (only those that failed) for retry. `own` leaves alone
    what the sweep shares with older ones, and goes without a selection.
    """

    action: Action
    priority: Annotated[int, Field(ge=0, le=9)] | None = None
    from_checkpoint: bool = False
    failed: bool = False
    own: bool = False

    @property
    def command(self) -> Command:
        """The same as a command."""
        return Command(self.action, self.priority, failed=self.failed, from_checkpoint=self.from_checkpoint)

    def check_own(self) -> None:
        """Raise InvalidRequest if the sweep's own jobs are meant, and cells are selected."""
        if self.positions is not None or self.filter is not None or self.expected_count is not None:
            raise InvalidRequest("own means all jobs that are the sweep's own: leave positions, filter and count out")


def sweep_links(sweep_id: str) -> dict[str, str]:
    """Return the addresses of what belongs to a sweep."""
    here = f"/api/v1/sweeps/{sweep_id}"
    names = ("cells", "stream", "actions", "ranking", "importance")
    return {"self": here, "page": f"/sweeps/{sweep_id}", **{name: f"{here}/{name}" for name in names}}


@router.get("/sweeps", response_model=SweepsPage)
def list_sweeps(
    request: Request,
    farm: FarmDep,
    reader: Reader,
    tag: Annotated[list[str], Query(description="Only sweeps with this tag. Repeatable.")] = [],  # noqa: B006
    limit: Annotated[int, Query(ge=1, le=MOST_LISTED)] = 50,
    cursor: Annotated[str | None, Query()] = None,
) -> Response:
    """List sweeps, newest first, with their axes and how many of their jobs are in each state.

    `next` is the cursor of the next page, null on the last one.
    """
    after = None if cursor is None else parse_place(cursor)
    listed = farm.services.listing.sweeps(limit + 1, parse_tags(tag), after)
    shown = listed[:limit]
    sweeps = [
        {
            "sweep": about(one.sweep),
            "axes": one.sweep.axes,
            "counts": counts_document(one.counts),
            "links": sweep_links(one.sweep.id),
        }
        for one in shown
    ]
    return answer(request, {"sweeps": sweeps, "next": place_of(shown[-1].sweep) if len(listed) > limit else None})


@router.post("/sweeps:validate", response_model=ValidatedSweepAnswer)
def validate(request: Request, farm: FarmDep, user: Submitter, body: SweepRequest) -> Response:
    """Check a sweep, and return how many pictures it would render and how long that takes; nothing is stored.

    `worker_seconds` are those of one worker alone.
    """
    grid = _grid(farm, body)
    found = farm.forecast(grid, skip_bad=body.skip_bad)
    return answer(
        request,
        {
            "jobs": found.cells,
            "known": found.known,
            "new": found.new,
            "skipped": found.skipped,
            "seconds": None if found.hours is None else found.hours * 3600,
            "worker_seconds": None if found.machine_hours is None else found.machine_hours * 3600,
            "workers": found.workers,
            "basis": found.basis,
            "axes": found.axes,
            "notes": list(found.notes),
        },
    )


@router.post("/sweeps", status_code=201, response_model=SubmittedSweepAnswer)
def submit(
    request: Request, farm: FarmDep, user: Submitter, body: SweepRequest, key: IdempotencyKey = None
) -> Response:
    """Submit a sweep; `parent` is the sweep from one of whose cells it was made.

    `created_jobs` are the jobs that were queued. The answer also says what was left out, and which terms were not
    given to jobs that were there already.
    """
    with once(request, farm, user.user, key, body) as reply:
        if reply.response is not None:
            return reply.response
        headers = submission_rate(request, user.user)
        grid = _grid(farm, body)
        if body.parent is not None:
            farm.services.queries.sweep(body.parent)
        sweep = farm.sweep(
            grid, parent=body.parent, tags=body.tags, note=body.note, force=body.force, skip_bad=body.skip_bad
        )
        document = {
            "sweep": about(farm.services.queries.sweep(sweep.id)),
            "axes": sweep.axes,
            "links": sweep_links(sweep.id),
            "created": len(sweep.created),
            "created_jobs": sorted(sweep.created),
            "skipped": sweep.skipped,
            "problems": list(sweep.problems),
            "kept": list(sweep.kept),
            "folded": sweep.folded,
        }
        return reply.store(document, 201, {"Location": f"/api/v1/sweeps/{sweep.id}", **headers})


def _grid(farm: FarmDep, body: SweepRequest) -> Any:
    grid = parse_grid(checked_sweep(farm, body.sweep), farm.settings)
    if grid.search is not None:
        raise InvalidRequest("a search runs where it was begun, and not over HTTP: leave `search` out")
    if len(grid) > MOST_CELLS:
        raise InvalidRequest(f"a sweep has up to {MOST_CELLS:,} cells over HTTP, and this one {len(grid):,}: split it")
    return grid


@router.get("/sweeps/{sweep_id}", response_model=SweepAnswer)
def get_sweep(request: Request, farm: FarmDep, reader: Reader, sweep_id: str) -> Response:
    """Return a sweep, and how many of its jobs are in each state."""
    row = farm.services.queries.sweep(sweep_id)
    counts = counts_document(farm.services.queries.counts(sweep_id))
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


@router.post("/sweeps/{sweep_id}/actions", response_model=SweepActionAnswer)
def act(request: Request, farm: FarmDep, user: Submitter, sweep_id: str, body: SweepAction) -> Response:
    """Cancel, pause, resume, retry or prioritize the selected cells: 409 if they are not `expected_count`.

    `changed` jobs were, and `afresh` of them have no checkpoint to go on from, as far as that is counted: for `own`.
    """
    if body.own:
        body.check_own()
        farm.services.queries.sweep(sweep_id)
        result = farm.backend.command(JobSelector(sweep=sweep_id), body.command)
        return _command_answer(request, farm, sweep_id, result, result.changed)
    cells = body.cells(farm.services, sweep_id, user.user)
    if body.expected_count is not None and len(cells) != body.expected_count:
        raise Refused(
            f"the selection has {len(cells):,} cells now, and not {body.expected_count:,}: look again, and repeat it",
            409,
        )
    jobs = list(dict.fromkeys(cell.job for cell in cells))
    result = farm.backend.command(JobSelector(jobs=jobs), body.command) if jobs else CommandCount(0)
    return _command_answer(request, farm, sweep_id, result, len(cells))


def _command_answer(request: Request, farm: FarmDep, sweep_id: str, result: CommandCount, cells: int) -> Response:
    counts = counts_document(farm.services.queries.counts(sweep_id))
    return answer(request, {**asdict(result), "cells": cells, "counts": counts})


def counts_document(counts: Mapping[State, int]) -> dict[str, int]:
    """Return how many jobs are in each state as a value."""
    return {str(state): count for state, count in counts.items()}


@router.get("/sweeps/{sweep_id}/importance", response_model=ImportanceAnswer)
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


@router.get("/sweeps/{sweep_id}/cells/{position}/variations", response_model=VariationsAnswer)
def get_variations(request: Request, farm: FarmDep, reader: Reader, sweep_id: str, position: int) -> Response:
    """Return the parameters of a cell, and values around them to vary: the beginning of a sweep like it."""
    return answer(request, variations(farm.services, sweep_id, position))
