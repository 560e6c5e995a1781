"""The jobs of a sweep at once: what has changed, which failed last, their snapshots."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from stylefarm.producer.views.rated import rated
from stylefarm.producer.views.status import Status
from stylefarm.producer.web.access import FarmDep, Reader
from stylefarm.producer.web.answers import answer
from stylefarm.producer.web.api.jobs import job_document, snapshot_document
from stylefarm.producer.web.documents import parse_cursor
from stylefarm.shared.schema.http import ChangesAnswer, JobsAnswer, SweepSnapshotsAnswer

router = APIRouter(tags=["sweeps"])

MOST_FAILURES = 1000


@router.get("/sweeps/{sweep_id}/changes", response_model=ChangesAnswer)
def changes(
    request: Request, farm: FarmDep, reader: Reader, sweep_id: str, since: Annotated[str | None, Query()] = None
) -> Response:
    """Return the progress of the jobs that have changed since a cursor, or of all, and the next cursor."""
    farm.services.queries.sweep(sweep_id)
    found = farm.backend.changes(sweep_id, None if since is None else parse_cursor(since))
    entries = [{**change._asdict(), "updated_at": change.updated_at.isoformat()} for change in found.jobs]
    return answer(request, {"changes": entries, "cursor": found.cursor.isoformat()})


@router.get("/sweeps/{sweep_id}/failures", response_model=JobsAnswer)
def failures(
    request: Request,
    farm: FarmDep,
    reader: Reader,
    sweep_id: str,
    limit: Annotated[int, Query(ge=1, le=MOST_FAILURES)] = 5,
) -> Response:
    """Return the jobs that failed last, the newest first."""
    farm.services.queries.sweep(sweep_id)
    found = [Status.of(row) for row in farm.services.listing.failures(sweep_id, limit)]
    return answer(request, {"jobs": [job_document(status) for status in rated(farm.services, reader.user, found)]})


@router.get("/sweeps/{sweep_id}/snapshots", response_model=SweepSnapshotsAnswer)
def snapshots(request: Request, farm: FarmDep, reader: Reader, sweep_id: str) -> Response:
    """Return the snapshots of each job that has any, by its id; each picture is at /pictures/{sha256}."""
    farm.services.queries.sweep(sweep_id)
    found = farm.backend.sweep_snapshots(sweep_id)
    return answer(
        request, {"snapshots": {job: [snapshot_document(shot) for shot in shots] for job, shots in found.items()}}
    )
