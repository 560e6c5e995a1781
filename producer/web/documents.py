"""The cells of a sweep as one columnar document, which pages keep and filter."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from stylefarm.producer.views.labels import PICTURES, key_of, value_labels
from stylefarm.producer.views.metrics import MEASURES, higher_is_better
from stylefarm.shared.db.clock import parse_moment
from stylefarm.shared.db.states import State
from stylefarm.shared.db.tables import SweepRow
from stylefarm.shared.errors import InvalidRequest
from stylefarm.shared.queries.cells import CellChanges, CellRow
from stylefarm.shared.queries.reviews import StoredRating
from stylefarm.shared.services import Services
from stylefarm.shared.spec.spec import BLOB

STATES = tuple(State)
_STATE_NUMBERS = {state: number for number, state in enumerate(STATES)}
_NOT_RATED = StoredRating("", None, None)


def sweep_document(services: Services, sweep_id: str, user: str) -> dict[str, Any]:
    """Return all cells of a sweep, as `GET /api/v1/sweeps/{id}/cells` answers.

    Args:
        services: the farm's.
        sweep_id: its whole id.
        user: whose ratings are in it.

    Raises:
        NotFound: there is no such sweep.
    """
    changes = services.cell_reads.cells(sweep_id)
    # After its cells, so that each of their values is on its axis: the sweep may be growing.
    sweep = services.queries.sweep(sweep_id)
    ratings = services.review_reads.of_sweep(user, sweep_id)
    metrics = metric_names(changes.cells)
    return {
        "sweep": about(sweep),
        "axes": axes_document(services, sweep, changes.cells),
        "metrics": [
            {
                "name": name,
                "description": MEASURES[name].description if name in MEASURES else name,
                "higher_is_better": higher_is_better(name),
            }
            for name in metrics
        ],
        "states": list(map(str, STATES)),
        "counts": state_counts(changes.cells),
        "cursor": changes.cursor.isoformat(),
        "cells": {
            **columns(changes, sweep.axes, metrics),
            **rating_columns(changes.cells, ratings),
        },
    }


def sweep_changes(services: Services, sweep_id: str, user: str, since: datetime) -> dict[str, Any]:
    """Return the cells that have changed since a cursor, or whose ratings have, and the next cursor.

    Args:
        services: the farm's.
        sweep_id: the sweep's whole id.
        user: whose ratings are in it.
        since: the cursor of an earlier answer.

    Raises:
        NotFound: there is no such sweep.
    """
    changes = services.cell_reads.cells(sweep_id, since)
    ratings = services.review_reads.of_sweep(user, sweep_id, since)
    rated = set(ratings).difference(cell.job for cell in changes.cells)
    if rated:
        others = services.cell_reads.of_jobs(sweep_id, sorted(rated))
        changes = CellChanges([*changes.cells, *others.cells], {**changes.pictures, **others.pictures}, changes.cursor)
    # After its cells, as above.
    sweep = services.queries.sweep(sweep_id)
    jobs = list(dict.fromkeys(cell.job for cell in changes.cells))
    return {
        "cursor": changes.cursor.isoformat(),
        "counts": {str(state): count for state, count in services.queries.counts(sweep_id).items()},
        "cells": {
            **columns(changes, sweep.axes, metric_names(changes.cells)),
            **rating_columns(changes.cells, services.review_reads.ratings(user, jobs)),
        },
    }


def about(sweep: SweepRow) -> dict[str, Any]:
    """Return what a page says of a sweep."""
    return {
        "id": sweep.id,
        "name": sweep.name,
        "created_at": sweep.created_at.isoformat(),
        "tags": sweep.tags,
        "note": sweep.note,
        "parent": sweep.parent_id,
    }


def metric_names(cells: Iterable[CellRow]) -> list[str]:
    """Return the names of the metrics that any of the jobs has, known ones first."""
    found = {name for cell in cells for name in cell.metrics}
    return [*(name for name in MEASURES if name in found), *sorted(found - set(MEASURES))]


def state_counts(cells: Iterable[CellRow]) -> dict[str, int]:
    """Return how many cells are in each state; states without cells are left out."""
    found = Counter(cell.state for cell in cells)
    return {str(state): found[state] for state in STATES if found[state]}


def axes_document(services: Services, sweep: SweepRow, cells: Sequence[CellRow]) -> list[dict[str, Any]]:
    """Return the axes: their values, how these are labelled, and the hashes of pictures among them."""
    pictures = _axis_pictures(services, sweep, cells)
    return [
        {
            "name": name,
            "values": values,
            "labels": value_labels(name, values),
            "pictures": [pictures.get((name, key_of(value))) for value in values],
        }
        for name, values in sweep.axes.items()
    ]


def _axis_pictures(services: Services, sweep: SweepRow, cells: Sequence[CellRow]) -> dict[tuple[str, str], str]:
    """Return the hash of the first picture of each value of content and style, from the spec of a job that has it."""
    jobs: dict[tuple[str, str], str] = {}
    for name in PICTURES:
        if name in sweep.axes:
            for cell in cells:
                if name in cell.cell:
                    jobs.setdefault((name, key_of(cell.cell[name])), cell.job)
    specs = {job.id: job.spec for job in services.queries.jobs(list(dict.fromkeys(jobs.values())))}
    found: dict[tuple[str, str], str] = {}
    for (name, key), job in jobs.items():
        address = specs.get(job, {}).get(name)
        first = next(iter(address), None) if isinstance(address, list) else address
        if isinstance(first, str) and first.startswith(BLOB):
            found[name, key] = first.removeprefix(BLOB)
    return found


def columns(changes: CellChanges, axes: Mapping[str, Sequence[Any]], metrics: Sequence[str]) -> dict[str, Any]:
    """Return the columns of cells, all but the ratings."""
    cells = changes.cells
    pictures = [changes.pictures.get(cell.job) for cell in cells]
    return {
        "position": [cell.position for cell in cells],
        "job": [cell.job for cell in cells],
        "at": places_on_axes(cells, axes),
        "state": [_STATE_NUMBERS.get(cell.state, -1) for cell in cells],
        "iteration": [cell.iteration for cell in cells],
        "iterations": [cell.iterations for cell in cells],
        "loss": [_finite(cell.loss) for cell in cells],
        "picture": [None if picture is None else picture.sha256 for picture in pictures],
        "picture_iteration": [None if picture is None else picture.iteration for picture in pictures],
        "metrics": {name: [_finite(cell.metrics.get(name)) for cell in cells] for name in metrics},
        "error": [cell.error for cell in cells],
    }


def rating_columns(cells: Sequence[CellRow], ratings: Mapping[str, StoredRating]) -> dict[str, Any]:
    """Return the columns of a user's ratings."""
    found = [ratings.get(cell.job, _NOT_RATED) for cell in cells]
    return {"stars": [rating.stars for rating in found], "flag": [rating.flag for rating in found]}


def places_on_axes(cells: Sequence[CellRow], axes: Mapping[str, Sequence[Any]]) -> list[list[int | None]]:
    """Return for each axis the place of each cell's value on it; None where a cell has none."""
    places: list[list[int | None]] = []
    for name, values in axes.items():
        numbers = {key_of(value): number for number, value in enumerate(values)}
        places.append([numbers.get(key_of(cell.cell[name])) if name in cell.cell else None for cell in cells])
    return places


def parse_cursor(text: str) -> datetime:
    """Return the moment of a cursor. Raises InvalidRequest."""
    try:
        return parse_moment(text)
    except ValueError:
        raise InvalidRequest(f"{text!r:.40} is no cursor: give the one of an earlier answer") from None


def _finite(value: float | None) -> float | None:
    return value if value is not None and math.isfinite(value) else None
