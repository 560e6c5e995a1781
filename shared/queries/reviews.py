"""Reads of ratings, votes and saved views."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import select, true

from stylefarm.shared.db.review_tables import RatingRow, SavedViewRow, VoteRow
from stylefarm.shared.queries.jobs import CHUNK, DatabaseReader
from stylefarm.shared.queries.sweeps import members


class StoredRating(NamedTuple):
    """A user's rating of a job: 0 to 5 stars or None; "pick", "reject" or None."""

    job: str
    stars: int | None
    flag: str | None


class StoredVote(NamedTuple):
    """Which of two jobs a user prefers: left, right, tie or skip."""

    left: str
    right: str
    outcome: str
    user: str


class ReviewReads(DatabaseReader):
    """Reads of what people think of pictures. Every method raises ServiceUnavailable and NotMigrated."""

    def ratings(self, user: str, jobs: Sequence[str]) -> dict[str, StoredRating]:
        """Return a user's ratings of jobs, by job; those without one are left out."""
        found: dict[str, StoredRating] = {}
        columns = (RatingRow.job_id, RatingRow.stars, RatingRow.flag)
        with self._session() as session:
            for start in range(0, len(jobs), CHUNK):
                these = RatingRow.job_id.in_(jobs[start : start + CHUNK])
                rows = session.execute(select(*columns).where(RatingRow.user == user, these)).all()
                found.update((row[0], StoredRating(*row)) for row in rows)
        return found

    def of_sweep(self, user: str, sweep_id: str, since: datetime | None = None) -> dict[str, StoredRating]:
        """Return a user's ratings of the jobs of a sweep, by job; with `since`, those changed then or later."""
        later = true() if since is None else RatingRow.updated_at >= since
        of_sweep = RatingRow.job_id.in_(select(members(sweep_id).c.job_id))
        columns = (RatingRow.job_id, RatingRow.stars, RatingRow.flag)
        with self._session() as session:
            rows = session.execute(select(*columns).where(RatingRow.user == user, later, of_sweep)).all()
        return {row[0]: StoredRating(*row) for row in rows}

    def votes(self, sweep_id: str) -> list[StoredVote]:
        """Return all votes on pictures of a sweep, oldest first."""
        columns = (VoteRow.left_job, VoteRow.right_job, VoteRow.outcome, VoteRow.user)
        with self._session() as session:
            rows = session.execute(select(*columns).where(VoteRow.sweep_id == sweep_id).order_by(VoteRow.id)).all()
        return [StoredVote(*row) for row in rows]

    def views(self, user: str, sweep_id: str) -> dict[str, str]:
        """Return the views of a sweep that a user has kept: the query of the page's address, by name."""
        here = (SavedViewRow.sweep_id == sweep_id) & (SavedViewRow.user == user)
        with self._session() as session:
            rows = session.execute(
                select(SavedViewRow.name, SavedViewRow.query).where(here).order_by(SavedViewRow.name)
            )
            return {name: query for name, query in rows}  # noqa: C416 - a Row is no pair to mypy
