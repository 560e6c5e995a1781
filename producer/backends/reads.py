"""What is read from a farm's own database and object store."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from itertools import groupby
from operator import itemgetter
from typing import TYPE_CHECKING, cast

from stylefarm.producer.backends.connection import DatabaseConnection
from stylefarm.producer.backends.protocol import History, JobQuery, Kind, ListedSweep, SweepFacts
from stylefarm.producer.views.filters import job_filter
from stylefarm.producer.views.rated import rated
from stylefarm.producer.views.status import Status
from stylefarm.shared.blobs.storage import fetch_verified
from stylefarm.shared.db.records import StoredObject, stored_object
from stylefarm.shared.db.states import State
from stylefarm.shared.db.tables import JobRow, SweepRow
from stylefarm.shared.queries.jobs import Changes, Queries
from stylefarm.shared.queries.lists import JobFilter, RatingFilter
from stylefarm.shared.queries.sweeps import StoredSnapshot
from stylefarm.shared.schema.documents import AttemptDocument, EventDocument

if TYPE_CHECKING:
    from stylefarm.producer.views.losses import Losses

_ROWS: dict[Kind, type[JobRow] | type[SweepRow]] = {"job": JobRow, "sweep": SweepRow}


class DatabaseReads(DatabaseConnection):
    """The reads of a Backend, whose docstrings say what each returns."""

    def fetch(self, stored: StoredObject) -> bytes:
        """See `PictureSource.fetch`."""
        return fetch_verified(self.services.blobs, stored.key, stored.sha256)

    def find(self, reference: str, kind: Kind | None = None) -> tuple[Kind, str]:
        """See `Backend.find`."""
        queries = self.services.queries
        found: Kind = kind or ("job" if queries.kind_of(reference) is JobRow else "sweep")
        return found, queries.full_id(_ROWS[found], reference)

    def statuses(self, ids: Sequence[str]) -> list[Status]:
        """See `Backend.statuses`."""
        return self.rated(self.progress(ids))

    def progress(self, ids: Sequence[str]) -> list[Status]:
        """See `Backend.progress`."""
        return [Status.of(row) for row in self.services.queries.jobs(ids)]

    def rated(self, statuses: Sequence[Status]) -> list[Status]:
        """See `Backend.rated`."""
        return rated(self.services, self.settings.user, statuses)

    def jobs(self, query: JobQuery, limit: int | None) -> list[Status]:
        """See `Backend.jobs`."""
        wanted = job_filter_of(query, self.settings.user)
        return self._rated_rows(self.services.listing.jobs(wanted, limit))

    def losses(self, job_id: str) -> Losses:
        """See `Backend.losses`."""
        from stylefarm.producer.views.losses import Losses

        queries = self.services.queries
        return Losses.of(queries.losses(job_id), queries.job(job_id).loss_terms)

    def snapshots(self, job_id: str) -> list[StoredSnapshot]:
        """See `Backend.snapshots`."""
        rows = self.services.queries.snapshots(job_id)
        return [StoredSnapshot(row.iteration, stored_object(row)) for row in rows]

    def history(self, job_id: str) -> History:
        """See `Backend.history`."""
        queries = self.services.queries
        attempts: list[AttemptDocument] = [
            {
                "attempt": attempt.attempt,
                "worker": attempt.worker,
                "started_at": attempt.started_at.isoformat(),
                "ended_at": None if attempt.ended_at is None else attempt.ended_at.isoformat(),
                "outcome": attempt.outcome,
                **cast("AttemptDocument", attempt.record),
            }
            for attempt in queries.attempts(job_id)
        ]
        return History(job_events(queries, job_id), attempts)

    def sweep(self, sweep_id: str) -> SweepFacts:
        """See `Backend.sweep`."""
        return SweepFacts.of(self.services.queries.sweep(sweep_id))

    def sweeps(self, limit: int, tags: Sequence[str] = ()) -> list[ListedSweep]:
        """See `Backend.sweeps`."""
        listed = self.services.listing.sweeps(limit, tags)
        return [ListedSweep(SweepFacts.of(one.sweep), one.counts) for one in listed]

    def sweep_statuses(self, sweep_id: str, limit: int | None = None) -> list[Status]:
        """See `Backend.sweep_statuses`."""
        return self._rated_rows(self.services.queries.sweep_jobs(sweep_id, limit))

    def counts(self, sweep_id: str) -> dict[State, int]:
        """See `Backend.counts`."""
        return self.services.queries.counts(sweep_id)

    def changes(self, sweep_id: str, cursor: datetime | None) -> Changes:
        """See `Backend.changes`."""
        return self.services.queries.changed(sweep_id, cursor)

    def failures(self, sweep_id: str, limit: int) -> list[Status]:
        """See `Backend.failures`."""
        return self._rated_rows(self.services.listing.failures(sweep_id, limit))

    def pace(self, sweep_id: str) -> float:
        """See `Backend.pace`."""
        return self.services.listing.throughput(sweep_id)

    def sweep_snapshots(self, sweep_id: str) -> dict[str, list[StoredSnapshot]]:
        """See `Backend.sweep_snapshots`."""
        return self.services.sweep_reads.snapshots(sweep_id)

    def sweep_losses(self, sweep_id: str) -> Iterator[tuple[str, Losses]]:
        """See `Backend.sweep_losses`."""
        from stylefarm.producer.views.losses import Losses

        reads = self.services.sweep_reads
        terms = reads.loss_terms(sweep_id)
        for job_id, pairs in groupby(reads.losses(sweep_id), key=itemgetter(0)):
            # A job that has come to the sweep since is left out.
            if job_id in terms:
                yield job_id, Losses.of([point for _, point in pairs], terms[job_id])

    def _rated_rows(self, rows: Sequence[JobRow]) -> list[Status]:
        return self.rated([Status.of(row) for row in rows])


def job_filter_of(query: JobQuery, user: str) -> JobFilter:
    """Return what the database is asked for.

    Args:
        query: which jobs are wanted.
        user: whose ratings count.

    Raises:
        InvalidRequest: there is no such parameter.

    Example:
        wanted = job_filter_of(JobQuery(tags=["cats"]), "ada")
    """
    rating = RatingFilter(user, query.stars, query.flags)
    predicate = job_filter(query.where or {})
    return JobFilter(query.states, query.sweep, query.since, query.until, predicate, query.tags, rating)


def job_events(queries: Queries, job_id: str) -> list[EventDocument]:
    """Return the events of a job as values, oldest first.

    Args:
        queries: of the farm.
        job_id: the whole id.
    """
    return [
        {
            "at": event.at.isoformat(),
            "state": event.state,
            "attempt": event.attempt,
            "worker": event.worker,
            "reason": event.reason,
        }
        for event in queries.events(job_id)
    ]
