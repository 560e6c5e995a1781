"""Jobs: submitted, listed, waited for, looked at."""

from __future__ import annotations

import asyncio
import dataclasses
import re
import time
from collections.abc import Sequence
from typing import Annotated, Any

from anyio import to_thread
from fastapi import APIRouter, Header, Query, Request
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import RedirectResponse, Response

from stylefarm.producer.backends.protocol import Action, Command
from stylefarm.producer.backends.reads import job_events, job_filter_of
from stylefarm.producer.client.farm import Farm
from stylefarm.producer.views.losses import Losses
from stylefarm.producer.views.rated import rated
from stylefarm.producer.views.status import Status
from stylefarm.producer.web.access import FarmDep, Reader, Submitter
from stylefarm.producer.web.answers import answer, has_already
from stylefarm.producer.web.job_list import JobListDep
from stylefarm.producer.web.once import IdempotencyKey, once
from stylefarm.producer.web.rates import submission_rate
from stylefarm.producer.web.submitted import checked_fields
from stylefarm.shared.blobs.storage import fetch_verified
from stylefarm.shared.db.records import MEDIA_TYPES, JobSelector, LossPoint
from stylefarm.shared.errors import NotFound, StillPending
from stylefarm.shared.queries.pages import MOST_LISTED, parse_place, place_of
from stylefarm.shared.queries.sweeps import StoredSnapshot
from stylefarm.shared.schema.http import (
    ActionAnswer,
    HistoryAnswer,
    JobsAnswer,
    JobsPage,
    LinkedJob,
    LossCurvesAnswer,
    LossesAnswer,
    ProgressAnswer,
    SnapshotsAnswer,
    SubmittedJobAnswer,
)

router = APIRouter(tags=["jobs"])

LONGEST_WAIT = 60.0
WAIT_POLL_SECONDS = 0.3
MOST_BATCHED = 1000
# A curve of thousands of iterations with ten terms is a quarter of a megabyte.
MOST_CURVES = 100
JobId = Annotated[str, Field(min_length=36, max_length=36)]
Presigned = Annotated[
    bool,
    Query(description="Lead to the file in the object store, where browsers reach that."),
]


class NewJobRequest(BaseModel):
    """A job: its parameters. Pictures are hashes, which may say what the picture is called: "sha256:1f.../cat.jpg"."""

    model_config = ConfigDict(extra="forbid")

    job: Annotated[
        dict[str, Any],
        Field(examples=[{"content": f"sha256:{'1f' * 32}", "style": f"sha256:{'2e' * 32}", "size": 512}]),
    ]
    force: bool = False


class JobBatch(BaseModel):
    """Ids of jobs."""

    model_config = ConfigDict(extra="forbid")

    jobs: Annotated[list[JobId], Field(min_length=1, max_length=MOST_BATCHED)]


class CurveBatch(BaseModel):
    """Ids of jobs whose loss curves are wanted."""

    model_config = ConfigDict(extra="forbid")

    jobs: Annotated[list[JobId], Field(min_length=1, max_length=MOST_CURVES)]


class JobAction(BaseModel):
    """What is to be done with a job; `priority` for prioritize, `from_checkpoint` for retry."""

    model_config = ConfigDict(extra="forbid")

    action: Action
    priority: Annotated[int, Field(ge=0, le=9)] | None = None
    from_checkpoint: bool = False


def job_document(status: Status) -> dict[str, Any]:
    """Return a job with the addresses of what belongs to it."""
    here = f"/api/v1/jobs/{status.id}"
    links = {name: f"{here}/{name}" for name in ("status", "losses", "snapshots", "events", "actions")}
    if not status.state.final:
        links["cancel"] = links["actions"]
    if status.result is not None:
        links["result"] = f"{here}/result"
    if status.sweep is not None:
        links["sweep"] = f"/api/v1/sweeps/{status.sweep}"
        links["stream"] = f"/api/v1/sweeps/{status.sweep}/stream"
    return {"job": status.as_json(), "links": {"self": here, **links}}


@router.get("/jobs", response_model=JobsPage)
def list_jobs(
    request: Request,
    farm: FarmDep,
    reader: Reader,
    wanted: JobListDep,
    limit: Annotated[int, Query(ge=1, le=MOST_LISTED)] = 50,
    cursor: Annotated[str | None, Query()] = None,
) -> Response:
    """List jobs, newest first, those of a `sweep` in the order of its cells; `next` is the cursor of the next page."""
    chosen = job_filter_of(wanted, reader.user)
    after = None if cursor is None else parse_place(cursor)
    rows = farm.services.listing.jobs(dataclasses.replace(chosen, after=after), limit + 1)
    shown = rows[:limit]
    found = rated(farm.services, reader.user, [Status.of(row) for row in shown])
    jobs = [{**job_document(status), "rating": {"stars": status.stars, "flag": status.flag}} for status in found]
    return answer(request, {"jobs": jobs, "next": place_of(shown[-1]) if len(rows) > limit else None})


@router.post(
    "/jobs",
    status_code=201,
    response_model=SubmittedJobAnswer,
    responses={200: {"model": SubmittedJobAnswer, "description": "It was rendered before"}},
)
def submit(
    request: Request, farm: FarmDep, user: Submitter, body: NewJobRequest, key: IdempotencyKey = None
) -> Response:
    """Submit a job. One whose picture was rendered before is returned, and rendered again only with `force`."""
    with once(request, farm, user.user, key, body) as reply:
        if reply.response is not None:
            return reply.response
        headers = submission_rate(request, user.user)
        job = farm.submit(**checked_fields(farm, body.job), force=body.force)
        document = {**job_document(_status(farm, user.user, job.id)), "created": job.created}
        place = {"Location": f"/api/v1/jobs/{job.id}", **headers}
        return reply.store(document, 201 if job.created else 200, place)


@router.post("/jobs:batchGet", response_model=JobsAnswer)
def batch_get(request: Request, farm: FarmDep, reader: Reader, body: JobBatch) -> Response:
    """Return many jobs by their ids, in their order; those that are not there are left out."""
    found = [Status.of(row) for row in farm.services.queries.jobs(body.jobs)]
    return answer(request, {"jobs": [job_document(status) for status in rated(farm.services, reader.user, found)]})


@router.post("/jobs:batchLosses", response_model=LossCurvesAnswer)
def batch_losses(request: Request, farm: FarmDep, reader: Reader, body: CurveBatch) -> Response:
    """Return the loss curves of several jobs; those that have none, or are not there, are left out."""
    curves = farm.services.queries.loss_curves(body.jobs)
    return answer(request, {"losses": {job_id: losses_document(*curve) for job_id, curve in curves.items()}})


@router.get("/jobs/{job_id}", response_model=LinkedJob)
async def get_job(
    request: Request, farm: FarmDep, reader: Reader, job_id: str, prefer: Annotated[str | None, Header()] = None
) -> Response:
    """Return a job. With `Prefer: wait=60` the answer comes when it has ended, or after so many seconds."""
    found = re.search(r"(?:^|[,;\s])wait=(\d{1,4})(?:$|[,;\s])", prefer or "")
    seconds = min(float(found[1]), LONGEST_WAIT) if found else 0.0
    until = time.monotonic() + seconds
    while True:
        status = await to_thread.run_sync(_status, farm, reader.user, job_id)
        if status.state.final or time.monotonic() >= until or request.app.state.watchers.closing:
            break
        await asyncio.sleep(min(WAIT_POLL_SECONDS, max(0.0, until - time.monotonic())))
    response = answer(request, job_document(status))
    if found:
        response.headers["Preference-Applied"] = f"wait={seconds:.0f}"
    return response


@router.get("/jobs/{job_id}/status", response_model=ProgressAnswer)
def progress(request: Request, farm: FarmDep, reader: Reader, job_id: str) -> Response:
    """Return how far a job is, for programs that ask often: state, attempt, iteration, loss."""
    found = farm.services.queries.progress(job_id)
    document = {"id": found.id, "state": str(found.state), "attempt": found.attempt, "iteration": found.iteration}
    return answer(request, {**document, "loss": found.loss, "updated_at": found.updated_at.isoformat()})


def _status(farm: Farm, user: str, job_id: str) -> Status:
    """Return where a job stands, with the rating of whoever asks."""
    return rated(farm.services, user, [Status.of(farm.services.queries.job(job_id))])[0]


@router.get("/jobs/{job_id}/losses", response_model=LossesAnswer)
def losses(request: Request, farm: FarmDep, reader: Reader, job_id: str) -> Response:
    """Return the loss curve by term."""
    queries = farm.services.queries
    return answer(request, losses_document(queries.job(job_id).loss_terms, queries.losses(job_id)))


def losses_document(terms: Sequence[str], points: Sequence[LossPoint]) -> LossesAnswer:
    """Return a loss curve as a value."""
    curve = Losses.of(points, terms)
    values = {term: column.tolist() for term, column in curve.terms.items()}
    return {"terms": list(curve.terms), "iteration": curve.iteration.tolist(), "values": values}


@router.get("/jobs/{job_id}/snapshots", response_model=SnapshotsAnswer)
def snapshots(request: Request, farm: FarmDep, reader: Reader, job_id: str) -> Response:
    """Return the snapshots, by iteration; each picture is at /pictures/{sha256}."""
    farm.services.queries.job(job_id)
    return answer(request, {"snapshots": [snapshot_document(shot) for shot in farm.backend.snapshots(job_id)]})


def snapshot_document(shot: StoredSnapshot) -> dict[str, Any]:
    """Return a snapshot as a value."""
    return {"iteration": shot.iteration, **dataclasses.asdict(shot.stored)}


@router.get("/jobs/{job_id}/events", response_model=HistoryAnswer)
def events(request: Request, farm: FarmDep, reader: Reader, job_id: str) -> Response:
    """Return the attempts at a job and its events, oldest first."""
    queries = farm.services.queries
    queries.job(job_id)
    attempts = [
        {
            "attempt": row.attempt,
            "worker": row.worker,
            "started_at": row.started_at.isoformat(),
            "ended_at": None if row.ended_at is None else row.ended_at.isoformat(),
            "outcome": row.outcome,
            "record": row.record,
        }
        for row in queries.attempts(job_id)
    ]
    return answer(request, {"attempts": attempts, "events": job_events(queries, job_id)})


@router.get(
    "/jobs/{job_id}/result",
    response_class=Response,
    responses={307: {"description": "With `presigned`: where the object store has the file."}},
)
@router.head("/jobs/{job_id}/result", include_in_schema=False)
def result(request: Request, farm: FarmDep, reader: Reader, job_id: str, presigned: Presigned = False) -> Response:
    """Return the file of the result; 304 without it where the client has the same already."""
    status = _status(farm, reader.user, job_id)
    if status.result is None:
        if status.state.final:
            raise NotFound(f"job {job_id} has no result: it is {status.state}")
        raise StillPending(f"job {job_id} is {status.state}: ask again when it is done, or send Prefer: wait=60 for it")
    tag = f'"{status.result.sha256}"'
    if has_already(request, tag):
        return Response(status_code=304, headers={"ETag": tag})
    suffix = status.result.key.rpartition(".")[2]
    name = f"{job_id[:8]}.{suffix}"
    url = farm.services.blobs.download_url(status.result.key, name) if presigned else None
    if url is not None:
        return RedirectResponse(url, headers={"Cache-Control": "no-store"})
    data = fetch_verified(farm.services.blobs, status.result.key, status.result.sha256)
    headers = {"Content-Disposition": f'attachment; filename="{name}"', "ETag": tag}
    return Response(data, headers=headers, media_type=MEDIA_TYPES.get(suffix, "application/octet-stream"))


@router.post("/jobs/{job_id}/actions", response_model=ActionAnswer)
def act(request: Request, farm: FarmDep, user: Submitter, job_id: str, body: JobAction) -> Response:
    """Cancel, pause, resume, retry or prioritize a job; `changed` is 0 where there was nothing to do.

    `afresh` is 1 where it was to go on from a checkpoint, and there is none.
    """
    farm.services.queries.job(job_id)
    command = Command(body.action, body.priority, from_checkpoint=body.from_checkpoint)
    result = farm.backend.command(JobSelector(job=job_id), command)
    return answer(request, {**dataclasses.asdict(result), **job_document(_status(farm, user.user, job_id))})
