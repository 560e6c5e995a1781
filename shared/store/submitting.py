"""What is submitted becomes rows."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import insert
from sqlalchemy.orm import Session

from shared.states import State
from shared.store.moves import CHUNK, Transactions, event
from shared.store.records import NewJob
from shared.tables import Event, Job, Sweep


class Submitting(Transactions):
    """What a producer writes."""

    def create(self, jobs: Sequence[NewJob]) -> list[str]:
        """Inserts `jobs` as queued, all or none; returns their ids."""
        with self._transaction() as session:
            return _insert(session, jobs, None)

    def create_sweep(self, name: str, axes: Mapping[str, Any], jobs: Sequence[NewJob]) -> tuple[str, list[str]]:
        """Inserts a sweep and its `jobs` as queued, all or none; returns the sweep's id and theirs."""
        sweep_id = str(uuid.uuid4())
        with self._transaction() as session:
            session.execute(insert(Sweep).values(id=sweep_id, name=name, axes=dict(axes)))
            return sweep_id, _insert(session, jobs, sweep_id)


def _insert(session: Session, jobs: Sequence[NewJob], sweep_id: str | None) -> list[str]:
    rows = [_row(job, sweep_id, position) for position, job in enumerate(jobs)]
    for start in range(0, len(rows), CHUNK):
        chunk = rows[start : start + CHUNK]
        session.execute(insert(Job), chunk)
        session.execute(insert(Event), [event(row["id"], 0, State.QUEUED, None, "submitted") for row in chunk])
    return [row["id"] for row in rows]


def _row(job: NewJob, sweep_id: str | None, position: int) -> dict[str, Any]:
    return {
        "id": str(uuid.uuid4()),
        "sweep_id": sweep_id,
        "position": position,
        "cell": dict(job.cell or {}),
        "spec": job.spec.model_dump(mode="json"),
        "spec_key": job.spec.key,
        "content_name": job.content_name,
        "style_name": job.style_name,
        "notes": list(job.notes),
        "iterations": job.spec.total_iterations,
        **job.terms.model_dump(),
    }
