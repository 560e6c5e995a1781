"""Webhooks of sweeps: called once when the first job fails, and once when all have ended."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from sqlalchemy import ColumnElement, delete, exists, func, insert, select, update
from sqlalchemy.orm import Session

from stylefarm.shared.db.clock import now
from stylefarm.shared.db.states import FINAL, State
from stylefarm.shared.db.tables import JobRow, SharedCellRow, SweepRow, WebhookRow
from stylefarm.shared.errors import NotFound
from stylefarm.shared.queries.sweeps import members
from stylefarm.shared.store.moves import Transactions

WebhookEvent = Literal["failed", "ended"]
EVENTS: tuple[WebhookEvent, ...] = ("failed", "ended")

# Seconds between attempts; after the last one, the call is given up.
PAUSES = (10.0, 60.0, 300.0, 1800.0, 7200.0, 21600.0)
# So many failures are listed.
FAILURES_LISTED = 10


@dataclass(frozen=True)
class WebhookCall:
    """A call to make now: its address, its event, and the document to post."""

    sweep_id: str
    event: WebhookEvent
    url: str
    document: Mapping[str, Any]

    @property
    def message_id(self) -> str:
        """The same for every try, so that whoever is called can tell that it is the same call."""
        return f"{self.sweep_id}-{self.event}"


class Webhooks(Transactions):
    """The table of webhooks. Every method raises ServiceUnavailable and NotMigrated."""

    def set(self, sweep_id: str, url: str | None) -> None:
        """Set the `url` that a sweep calls, also for what has happened already; None: no calls. Raises NotFound."""
        with self._transaction() as session:
            if session.get(SweepRow, sweep_id) is None:
                raise NotFound(f"there is no sweep {sweep_id}")
            session.execute(delete(WebhookRow).where(WebhookRow.sweep_id == sweep_id))
            if url is not None:
                session.execute(insert(WebhookRow), [{"sweep_id": sweep_id, "event": e, "url": url} for e in EVENTS])

    def of(self, sweep_id: str) -> list[WebhookRow]:
        """Return the calls of a sweep, and how they went."""
        with self._transaction() as session:
            return list(
                session.scalars(select(WebhookRow).where(WebhookRow.sweep_id == sweep_id).order_by(WebhookRow.event))
            )

    def mark_due(self) -> None:
        """Mark the calls whose event has happened as due."""
        happened = {"failed": _some(JobRow.state == State.FAILED), "ended": ~_some(JobRow.state.not_in(sorted(FINAL)))}
        with self._transaction() as session:
            for event, has_happened in happened.items():
                waiting = (WebhookRow.event == event) & WebhookRow.due_at.is_(None) & WebhookRow.delivered_at.is_(None)
                marked = update(WebhookRow).where(waiting, has_happened).values(due_at=now())
                session.execute(marked, execution_options={"synchronize_session": False})

    def mark_unsigned(self, reason: str) -> None:
        """Record why calls that are due cannot be made yet."""
        untried = (WebhookRow.due_at <= now()) & WebhookRow.delivered_at.is_(None) & (WebhookRow.tries == 0)
        with self._transaction() as session:
            session.execute(update(WebhookRow).where(untried, WebhookRow.error.is_(None)).values(error=reason))

    def take_due(self) -> WebhookCall | None:
        """Return a call that is due and reserve it until its pause is over; None if there is none."""
        is_due = (WebhookRow.due_at <= now()) & WebhookRow.delivered_at.is_(None) & (WebhookRow.tries < len(PAUSES))
        with self._transaction() as session:
            first = (
                select(WebhookRow).where(is_due).order_by(WebhookRow.due_at).limit(1).with_for_update(skip_locked=True)
            )
            found = session.scalars(first).one_or_none()
            if found is None:
                return None
            pause = PAUSES[found.tries]
            found.tries += 1
            session.flush()
            this = (WebhookRow.sweep_id == found.sweep_id) & (WebhookRow.event == found.event)
            session.execute(update(WebhookRow).where(this).values(due_at=now(pause)))
            event: WebhookEvent = "failed" if found.event == "failed" else "ended"
            return WebhookCall(found.sweep_id, event, found.url, _document(session, found.sweep_id, event))

    def record_outcome(self, call: WebhookCall, error: str | None) -> None:
        """Record how a call went; None: it succeeded."""
        values: dict[str, Any] = {"error": error} if error else {"error": None, "delivered_at": now()}
        with self._transaction() as session:
            # The sweep may have another address by now, which was not called.
            this = (
                (WebhookRow.sweep_id == call.sweep_id) & (WebhookRow.event == call.event) & (WebhookRow.url == call.url)
            )
            session.execute(update(WebhookRow).where(this).values(values))


def _some(condition: ColumnElement[bool]) -> ColumnElement[bool]:
    """Return whether some job of a webhook's sweep, own or shared, meets a condition: each by an index."""
    own = exists().where(JobRow.sweep_id == WebhookRow.sweep_id, condition)
    shared = exists().where(SharedCellRow.sweep_id == WebhookRow.sweep_id, SharedCellRow.job_id == JobRow.id, condition)
    return own | shared


def _document(session: Session, sweep_id: str, event: WebhookEvent) -> dict[str, Any]:
    sweep = session.get_one(SweepRow, sweep_id)
    of_sweep = JobRow.id.in_(select(members(sweep_id).c.job_id))
    counts = session.execute(select(JobRow.state, func.count()).where(of_sweep).group_by(JobRow.state)).all()
    failed = (
        select(JobRow.id, JobRow.error)
        .where(of_sweep, JobRow.state == State.FAILED)
        .order_by(JobRow.finished_at)
        .limit(FAILURES_LISTED)
    )
    return {
        "schema_version": 1,
        "event": f"sweep.{event}",
        "sweep": {"id": sweep.id, "name": sweep.name},
        "counts": {str(state): count for state, count in counts},
        "failures": [{"job": job_id, "error": error} for job_id, error in session.execute(failed)],
    }
