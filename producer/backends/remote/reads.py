"""What is read from a farm over HTTP."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING, Any

from stylefarm.producer.backends.protocol import History, JobQuery, Kind, ListedSweep, SweepFacts
from stylefarm.producer.backends.remote.connection import CHUNK, MOST_CURVES, FarmConnection, in_chunks
from stylefarm.producer.backends.remote.values import (
    changes_of,
    counts_of,
    history_of,
    listed_sweep_of,
    losses_of,
    ratings_of,
    snapshot_of,
    status_of,
    sweep_of,
)
from stylefarm.producer.views.status import Status
from stylefarm.shared.db.records import StoredObject
from stylefarm.shared.db.states import State
from stylefarm.shared.errors import DamagedObject
from stylefarm.shared.queries.jobs import Changes
from stylefarm.shared.queries.sweeps import StoredSnapshot
from stylefarm.shared.settings import Settings
from stylefarm.shared.spec.ratings import NOT_RATED

if TYPE_CHECKING:
    from stylefarm.producer.views.losses import Losses


class RemoteReads:
    """The reads of a Backend, whose docstrings say what each returns.

    Args:
        settings: where the farm is, and who asks.
    """

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.connection = FarmConnection(settings.url or "", settings.token)

    @property
    def address(self) -> str:
        """See `Backend.address`."""
        return self.connection.url

    def close(self) -> None:
        """See `Backend.close`."""
        self.connection.close()

    def fetch(self, stored: StoredObject) -> bytes:
        """See `PictureSource.fetch`."""
        data = self.connection.file(f"/pictures/{stored.sha256}")
        if hashlib.sha256(data).hexdigest() != stored.sha256:
            raise DamagedObject(f"the object {stored.key} came back with other bytes than were stored: fetch it again")
        return data

    def find(self, reference: str, kind: Kind | None = None) -> tuple[Kind, str]:
        """See `Backend.find`."""
        found = self.connection.get("/find", reference=reference, kind=kind)
        return found["kind"], found["id"]

    def statuses(self, ids: Sequence[str]) -> list[Status]:
        """See `Backend.statuses`."""
        asked = dict.fromkeys(ids)
        found: dict[str, Status] = {}
        for chunk in in_chunks(asked):
            answered = self.connection.post("/jobs:batchGet", {"jobs": chunk}, again=True)
            found.update((status.id, status) for status in map(status_of, answered["jobs"]))
        return [found[job_id] for job_id in ids if job_id in found]

    def progress(self, ids: Sequence[str]) -> list[Status]:
        """See `Backend.progress`."""
        return self.statuses(ids)

    def rated(self, statuses: Sequence[Status]) -> list[Status]:
        """See `Backend.rated`."""
        ratings = {}
        for chunk in in_chunks(dict.fromkeys(status.id for status in statuses)):
            ratings.update(ratings_of(self.connection.post("/ratings:batchGet", {"jobs": chunk}, again=True)))
        found = ((status, ratings.get(status.id, NOT_RATED)) for status in statuses)
        return [replace(status, stars=rating.stars, flag=rating.flag) for status, rating in found]

    def jobs(self, query: JobQuery, limit: int | None) -> list[Status]:
        """See `Backend.jobs`."""
        wanted = {
            "state": [str(state) for state in query.states],
            "sweep": query.sweep,
            "where": list(_filters(query.where or {})),
            "since": _text(query.since),
            "until": _text(query.until),
            "tag": list(query.tags),
            "stars": query.stars,
            "flag": list(query.flags),
        }
        return [status_of(entry) for entry in self._pages("/jobs", "jobs", limit, wanted)]

    def losses(self, job_id: str) -> Losses:
        """See `Backend.losses`."""
        return losses_of(self.connection.get(f"/jobs/{job_id}/losses"))

    def snapshots(self, job_id: str) -> list[StoredSnapshot]:
        """See `Backend.snapshots`."""
        return [snapshot_of(entry) for entry in self.connection.get(f"/jobs/{job_id}/snapshots")["snapshots"]]

    def history(self, job_id: str) -> History:
        """See `Backend.history`."""
        return history_of(self.connection.get(f"/jobs/{job_id}/events"))

    def sweep(self, sweep_id: str) -> SweepFacts:
        """See `Backend.sweep`."""
        return sweep_of(self.connection.get(f"/sweeps/{sweep_id}"))

    def sweeps(self, limit: int, tags: Sequence[str] = ()) -> list[ListedSweep]:
        """See `Backend.sweeps`."""
        return [listed_sweep_of(entry) for entry in self._pages("/sweeps", "sweeps", limit, {"tag": list(tags)})]

    def sweep_statuses(self, sweep_id: str, limit: int | None = None) -> list[Status]:
        """See `Backend.sweep_statuses`."""
        return self.jobs(JobQuery(sweep=sweep_id), limit)

    def counts(self, sweep_id: str) -> dict[State, int]:
        """See `Backend.counts`."""
        return counts_of(self.connection.get(f"/sweeps/{sweep_id}")["counts"])

    def changes(self, sweep_id: str, cursor: datetime | None) -> Changes:
        """See `Backend.changes`."""
        return changes_of(self.connection.get(f"/sweeps/{sweep_id}/changes", since=_text(cursor)))

    def failures(self, sweep_id: str, limit: int) -> list[Status]:
        """See `Backend.failures`."""
        return [status_of(one) for one in self.connection.get(f"/sweeps/{sweep_id}/failures", limit=limit)["jobs"]]

    def pace(self, sweep_id: str) -> float:
        """See `Backend.pace`."""
        return float(self.connection.get(f"/sweeps/{sweep_id}")["done_per_second"])

    def sweep_snapshots(self, sweep_id: str) -> dict[str, list[StoredSnapshot]]:
        """See `Backend.sweep_snapshots`."""
        found = self.connection.get(f"/sweeps/{sweep_id}/snapshots")["snapshots"]
        return {job_id: [snapshot_of(entry) for entry in entries] for job_id, entries in found.items()}

    def sweep_losses(self, sweep_id: str) -> Iterator[tuple[str, Losses]]:
        """See `Backend.sweep_losses`."""
        asked = dict.fromkeys(status.id for status in self.sweep_statuses(sweep_id))
        for chunk in in_chunks(asked, MOST_CURVES):
            found = self.connection.post("/jobs:batchLosses", {"jobs": chunk}, again=True)["losses"]
            for job_id in filter(found.__contains__, chunk):
                yield job_id, losses_of(found[job_id])

    def _pages(self, path: str, noun: str, limit: int | None, query: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
        """Yield the entries of a list, page by page."""
        cursor: str | None = None
        left = limit
        while left is None or left > 0:
            size = CHUNK if left is None else min(left, CHUNK)
            page = self.connection.get(path, **query, limit=size, cursor=cursor)
            yield from page[noun]
            cursor = page["next"]
            if cursor is None:
                return
            left = None if left is None else left - len(page[noun])


def _filters(where: Mapping[str, Sequence[Any]]) -> Iterator[str]:
    for name, values in where.items():
        for value in values:
            yield f"{name}={json.dumps(value)}"


def _text(moment: datetime | None) -> str | None:
    return None if moment is None else moment.isoformat()
