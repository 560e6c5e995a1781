"""Ratings and votes: each action of a user is written down with what was there before, so that it can be undone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from sqlalchemy import delete, insert, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from stylefarm.shared.db.clock import now
from stylefarm.shared.db.review_tables import RatingRow, ReviewActionRow, SavedViewRow, VoteRow
from stylefarm.shared.db.tables import JobRow, SharedCellRow, SweepRow
from stylefarm.shared.errors import InvalidRequest, NotFound
from stylefarm.shared.spec.ratings import NOT_RATED, Rating
from stylefarm.shared.store.moves import CHUNK, Transactions

Outcome = Literal["left", "right", "tie", "skip"]
# Actions of a user that can be undone; older ones are forgotten.
MOST_ACTIONS = 10_000


@dataclass(frozen=True)
class ReviewAction:
    """An action that was done, undone or redone: its number, its kind, and the ratings that stand now, by job."""

    id: int
    kind: Literal["rating", "vote"]
    ratings: Mapping[str, Rating]


class Reviews(Transactions):
    """Writes ratings, votes and saved views. Raises ServiceUnavailable and NotMigrated."""

    def rate(self, user: str, changes: Mapping[str, Mapping[str, Any]]) -> ReviewAction:
        """Change a user's ratings as one action.

        Args:
            user: whose ratings.
            changes: by job, `stars` and `flag`, or one of the two: what is not named stays as it is.

        Raises:
            NotFound: one of the jobs is not there; nothing is changed.
            InvalidRequest: a value is out of its range.
        """
        if not changes:
            raise InvalidRequest("no job is named whose rating is to change: name one at least")
        with self._transaction() as session:
            _check_jobs(session, list(changes))
            before = _ratings(session, user, list(changes))
            after = {job: _changed(before.get(job, NOT_RATED), change) for job, change in changes.items()}
            _write(session, user, after)
            recorded = {job: [_plain(before.get(job, NOT_RATED)), _plain(rating)] for job, rating in after.items()}
            return ReviewAction(_record(session, user, "rating", recorded), "rating", after)

    def vote(self, user: str, sweep_id: str, left: str, right: str, outcome: Outcome) -> ReviewAction:
        """Write down which of two jobs of a sweep a user prefers.

        Raises:
            NotFound: the sweep is not there, or one of the jobs is not in it.
            InvalidRequest: both are the same.
        """
        if left == right:
            raise InvalidRequest("a vote is between two pictures: name another job")
        values = {"sweep_id": sweep_id, "user": user, "left_job": left, "right_job": right, "outcome": outcome}
        with self._transaction() as session:
            _check_members(session, sweep_id, (left, right))
            vote = session.execute(insert(VoteRow).values(**values, at=now()).returning(VoteRow.id)).scalar_one()
            return ReviewAction(_record(session, user, "vote", {"vote": vote, **values}), "vote", {})

    def undo(self, user: str) -> ReviewAction | None:
        """Undo the newest action of a user that is not undone; None if there is none."""
        return self._step(user, undo=True)

    def redo(self, user: str) -> ReviewAction | None:
        """Do again what was undone last; None if nothing was, or something else was done since."""
        return self._step(user, undo=False)

    def save_view(self, user: str, sweep_id: str, name: str, query: str) -> None:
        """Keep a view of a sweep by name; another one of that name is replaced. Raises NotFound."""
        with self._transaction() as session:
            if session.get(SweepRow, sweep_id) is None:
                raise NotFound(f"there is no sweep {sweep_id}")
            values = {"sweep_id": sweep_id, "user": user, "name": name, "query": query}
            statement = _upsert(session, SavedViewRow).values(**values, updated_at=now())
            changes = {"query": statement.excluded.query, "updated_at": now()}
            session.execute(statement.on_conflict_do_update(index_elements=["sweep_id", "user", "name"], set_=changes))

    def delete_view(self, user: str, sweep_id: str, name: str) -> None:
        """Forget a view. Raises NotFound."""
        here = (SavedViewRow.sweep_id == sweep_id) & (SavedViewRow.user == user) & (SavedViewRow.name == name)
        with self._transaction() as session:
            if session.scalars(delete(SavedViewRow).where(here).returning(SavedViewRow.name)).first() is None:
                raise NotFound(f"no view of that sweep is called {name!r:.80}")

    def _step(self, user: str, *, undo: bool) -> ReviewAction | None:
        newest = ReviewActionRow.id.desc() if undo else ReviewActionRow.id
        these = (ReviewActionRow.user == user) & ReviewActionRow.undone.is_(not undo)
        with self._transaction() as session:
            statement = select(ReviewActionRow).where(these).order_by(newest).limit(1).with_for_update()
            action = session.scalars(statement).one_or_none()
            if action is None:
                return None
            action.undone = undo
            if action.kind == "vote":
                action.changes = _step_vote(session, action.changes, undo=undo)
                return ReviewAction(action.id, "vote", {})
            # Jobs that were deleted since have no ratings any more.
            there = _existing(session, list(action.changes))
            ratings = {job: Rating(*both[0 if undo else 1]) for job, both in action.changes.items() if job in there}
            _write(session, user, ratings)
            return ReviewAction(action.id, "rating", ratings)


def _changed(before: Rating, change: Mapping[str, Any]) -> Rating:
    return Rating(change.get("stars", before.stars), change.get("flag", before.flag))


def _plain(rating: Rating) -> list[Any]:
    return [rating.stars, rating.flag]


def _ratings(session: Session, user: str, jobs: Sequence[str]) -> dict[str, Rating]:
    found: dict[str, Rating] = {}
    for start in range(0, len(jobs), CHUNK):
        these = RatingRow.job_id.in_(jobs[start : start + CHUNK])
        rows = session.execute(
            select(RatingRow.job_id, RatingRow.stars, RatingRow.flag).where(RatingRow.user == user, these)
        )
        found.update((job, Rating(stars, flag)) for job, stars, flag in rows)
    return found


def _existing(session: Session, jobs: Sequence[str]) -> set[str]:
    found: set[str] = set()
    for start in range(0, len(jobs), CHUNK):
        found.update(session.scalars(select(JobRow.id).where(JobRow.id.in_(jobs[start : start + CHUNK]))))
    return found


def _check_jobs(session: Session, jobs: Sequence[str]) -> None:
    there = _existing(session, jobs)
    missing = next((job for job in jobs if job not in there), None)
    if missing is not None:
        raise NotFound(f"there is no job {missing}")


def _check_members(session: Session, sweep_id: str, jobs: Sequence[str]) -> None:
    if session.get(SweepRow, sweep_id) is None:
        raise NotFound(f"there is no sweep {sweep_id}")
    own = select(JobRow.id).where(JobRow.sweep_id == sweep_id, JobRow.id.in_(jobs))
    cells = SharedCellRow.job_id.in_(jobs)
    shared = select(SharedCellRow.job_id).where(SharedCellRow.sweep_id == sweep_id, cells)
    there = {*session.scalars(own), *session.scalars(shared)}
    missing = next((job for job in jobs if job not in there), None)
    if missing is not None:
        raise NotFound(f"there is no job {missing} in sweep {sweep_id}")


def _upsert(session: Session, table: type[Any]) -> Any:
    return postgresql.insert(table) if session.get_bind().dialect.name == "postgresql" else sqlite.insert(table)


def _write(session: Session, user: str, ratings: Mapping[str, Rating]) -> None:
    """Write ratings; those without stars and flag keep their row, so that others learn of the change."""
    rows = [
        {"job_id": job, "user": user, "stars": rating.stars, "flag": rating.flag} for job, rating in ratings.items()
    ]
    for start in range(0, len(rows), CHUNK):
        moment = session.scalars(select(now())).one()
        statement = _upsert(session, RatingRow).values(
            [{**row, "updated_at": moment} for row in rows[start : start + CHUNK]]
        )
        columns = {name: statement.excluded[name] for name in ("stars", "flag", "updated_at")}
        session.execute(statement.on_conflict_do_update(index_elements=["job_id", "user"], set_=columns))


def _record(session: Session, user: str, kind: str, changes: Mapping[str, Any]) -> int:
    """Write an action down. What was undone before cannot be redone any more."""
    undone = (ReviewActionRow.user == user) & ReviewActionRow.undone.is_(True)
    session.execute(delete(ReviewActionRow).where(undone))
    values = {"user": user, "kind": kind, "changes": dict(changes), "undone": False}
    number = session.execute(
        insert(ReviewActionRow).values(**values, at=now()).returning(ReviewActionRow.id)
    ).scalar_one()
    if number % 100 == 0:
        oldest = select(ReviewActionRow.id).where(ReviewActionRow.user == user)
        kept = oldest.order_by(ReviewActionRow.id.desc()).offset(MOST_ACTIONS).limit(1).scalar_subquery()
        session.execute(delete(ReviewActionRow).where(ReviewActionRow.user == user, ReviewActionRow.id <= kept))
    return number


def _step_vote(session: Session, changes: Mapping[str, Any], *, undo: bool) -> dict[str, Any]:
    """Take a vote back, or cast it again; return the action's changes with the number that the vote has now."""
    if undo:
        session.execute(delete(VoteRow).where(VoteRow.id == changes["vote"]))
        return dict(changes)
    values = {name: value for name, value in changes.items() if name != "vote"}
    jobs = (values["left_job"], values["right_job"])
    if _existing(session, jobs) != set(jobs) or session.get(SweepRow, values["sweep_id"]) is None:
        return dict(changes)
    vote = session.execute(insert(VoteRow).values(**values, at=now()).returning(VoteRow.id)).scalar_one()
    return {**changes, "vote": vote}
