"""Insert new jobs: the rows that a submission becomes."""

from __future__ import annotations

import json
import uuid
from collections.abc import Sequence
from functools import lru_cache
from typing import Any, NamedTuple, cast

from sqlalchemy import Table, insert, select
from sqlalchemy.orm import Session

from stylefarm.shared.db.records import NewJob
from stylefarm.shared.db.states import State
from stylefarm.shared.db.tables import DependencyRow, EventRow, JobRequestRow, JobRow
from stylefarm.shared.errors import NotFound
from stylefarm.shared.spec.kinds import AnySpec
from stylefarm.shared.store.bulk import insert_rows
from stylefarm.shared.store.dependents import settle
from stylefarm.shared.store.moves import CHUNK


class NewRows(NamedTuple):
    """A new job as it goes into the tables: its rows, and the ids of the jobs that it waits for."""

    job: dict[str, Any]
    request: dict[str, Any]
    after: Sequence[str]

    @property
    def id(self) -> str:
        """The id that the job will have."""
        return str(self.job["id"])


def insert_jobs(session: Session, entries: Sequence[NewRows]) -> None:
    """Insert new jobs, each with its first event and with what it waits for. Raises NotFound."""
    insert_rows(session, cast("Table", JobRow.__table__), [entry.job for entry in entries])
    insert_rows(session, cast("Table", JobRequestRow.__table__), [entry.request for entry in entries])
    insert_rows(session, cast("Table", EventRow.__table__), [_first_event(entry) for entry in entries])
    _wait(session, [(entry.id, entry.after) for entry in entries if entry.after])


@lru_cache(maxsize=256)
def _as_json(texts: tuple[str, ...]) -> str:
    """Return the texts as JSON; those of a sweep's jobs are mostly the same."""
    return json.dumps(texts)


def _wait(session: Session, waiting: Sequence[tuple[str, Sequence[str]]]) -> None:
    """Record what these jobs wait for, and release those whose parents are all done."""
    if not waiting:
        return
    parents = sorted({parent for _, after in waiting for parent in after})
    # Locked: a parent that ended between this query and the commit would not know of its children.
    missing = set(parents)
    for start in range(0, len(parents), CHUNK):
        held = select(JobRow.id).where(JobRow.id.in_(parents[start : start + CHUNK]))
        missing -= set(session.scalars(held.order_by(JobRow.created_at, JobRow.id).with_for_update(read=True)))
    if missing:
        raise NotFound(f"there is no job {min(missing)} to wait for: give the ids of jobs of this farm")
    rows = [{"job_id": job_id, "parent_id": parent} for job_id, after in waiting for parent in sorted(set(after))]
    for start in range(0, len(rows), CHUNK):
        session.execute(insert(DependencyRow), rows[start : start + CHUNK])
    for start in range(0, len(waiting), CHUNK):
        settle(session, JobRow.id.in_([job_id for job_id, _ in waiting[start : start + CHUNK]]))


def _first_event(entry: NewRows) -> dict[str, Any]:
    return {"job_id": entry.id, "attempt": 0, "state": entry.job["state"], "reason": "submitted"}


def new_rows(job: NewJob[AnySpec], sweep_id: str | None, position: int) -> NewRows:
    """Return the rows of a new job, with a new id."""
    job_id, terms = str(uuid.uuid4()), job.terms
    request = {
        "job_id": job_id,
        "spec": job.document,
        "notes": _as_json(tuple(job.notes)),
        "loss_terms": _as_json(job.spec.loss_terms),
        "tags": _as_json(job.marks.tags),
        "note": job.marks.note,
    }
    row = {
        "id": job_id,
        "sweep_id": sweep_id,
        "position": position,
        "cell": json.dumps(dict(job.cell or {})),
        "spec_key": job.key,
        "content_name": job.content_name,
        "style_name": job.style_name,
        "iterations": job.spec.total_iterations,
        "state": str(State.WAITING if terms.after else State.QUEUED),
        "priority": terms.priority,
        "device": terms.device,
        "label": terms.label,
        "time_limit": terms.time_limit,
        "max_attempts": terms.max_attempts,
        "batch_key": job.batch_key,
    }
    return NewRows(row, request, terms.after)
