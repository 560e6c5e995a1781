"""What must be true of a farm after whatever has happened to it."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterator, Sequence

from sqlalchemy import select
from sqlalchemy.orm import Session

from shared.orphans import Orphans
from shared.services import Services
from shared.states import State
from shared.tables import Event, Job, Loss, Snapshot

ENDED = {State.DONE, State.FAILED, State.CANCELLED}


def violations(services: Services, acknowledged: Sequence[str]) -> list[str]:
    """Every law that the farm has broken, in a sentence each."""
    with Session(services.store.engine) as session:
        jobs = {job.id: job for job in session.scalars(select(Job))}
        found = [*_lost(jobs, acknowledged), *_events(session, jobs), *_curves(session, jobs)]
        named = _named(session, jobs)
    found += _objects(services, named)
    Orphans(services.store.engine, services.blobs).sweep(grace=0)
    found += [f"{key} is neither named nor swept" for key in services.blobs.keys("jobs/") if key not in named]
    return found


def _lost(jobs: dict[str, Job], acknowledged: Sequence[str]) -> Iterator[str]:
    for job_id in acknowledged:
        if job_id not in jobs:
            yield f"job {job_id} was acknowledged and is not there"
        elif jobs[job_id].state not in ENDED:
            yield f"job {job_id} is {jobs[job_id].state}, and has not ended"


def _events(session: Session, jobs: dict[str, Job]) -> Iterator[str]:
    attempts: dict[str, int] = {}
    results: Counter[str] = Counter()
    for event in session.scalars(select(Event).order_by(Event.id)):
        if event.attempt < attempts.get(event.job_id, 0):
            yield f"job {event.job_id} went back to attempt {event.attempt}"
        attempts[event.job_id] = event.attempt
        results[event.job_id] += event.state == State.DONE
    for job in jobs.values():
        if results[job.id] != (job.state == State.DONE):
            yield f"job {job.id}, which is {job.state}, was committed {results[job.id]} times"
        if job.state == State.DONE and not (job.result_key or "").startswith(f"jobs/{job.id}/{job.attempt}/"):
            yield f"job {job.id} names {job.result_key}, which is not of attempt {job.attempt}"


def _curves(session: Session, jobs: dict[str, Job]) -> Iterator[str]:
    points: dict[str, list[int]] = {}
    for job_id, iteration in session.execute(select(Loss.job_id, Loss.iteration).order_by(Loss.iteration)):
        points.setdefault(job_id, []).append(iteration)
    for job in jobs.values():
        if job.state == State.DONE and points.get(job.id) != list(range(job.iterations + 1)):
            yield f"the curve of job {job.id} has the points {points.get(job.id)}"


def _named(session: Session, jobs: dict[str, Job]) -> dict[str, str]:
    """The objects that rows name, with their hashes."""
    named = {job.result_key: job.result_sha256 or "" for job in jobs.values() if job.result_key}
    return named | dict(session.execute(select(Snapshot.key, Snapshot.sha256)).tuples().all())


def _objects(services: Services, named: dict[str, str]) -> Iterator[str]:
    for key, sha256 in named.items():
        if not services.blobs.exists(key):
            yield f"{key} is named and not there"
        elif hashlib.sha256(services.blobs.get(key)).hexdigest() != sha256:
            yield f"{key} has other bytes than were named"
