"""Whom a sweep calls: once when its first job fails, once when all have ended."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from sqlalchemy import ColumnElement, delete, exists, func, insert, select, update
from sqlalchemy.orm import Session

from stylefarm.shared.db.clock import now
from stylefarm.shared.db.states import FINAL, State
from stylefarm.shared.db.tables import Job, SharedCell, Sweep, Webhook
from stylefarm.shared.errors import NotFound
from stylefarm.shared.queries.sweeps import members
from stylefarm.shared.store.moves import Transactions

Event = Literal["failed", "ended"]
EVENTS: tuple[Event, ...] = ("failed", "ended")

# Seconds from one try to the next; after the last one it is given up.
PAUSES = (10.0, 60.0, 300.0, 1800.0, 7200.0, 21600.0)
# So many failures are told of by name.
TOLD = 10


@dataclass(frozen=True)
class Call:
    """One call that is to be made now: to whom, of what, and the document that says so."""

    sweep_id: str
    event: Event
    url: str
    document: Mapping[str, Any]


class Webhooks(Transactions):
    """The calls that sweeps are to make. Every method raises ServiceUnavailable and NotMigrated."""

    def set(self, sweep_id: str, url: str | None) -> None:
        """Has a sweep call `url`, of what has happened already too; None: nobody. Raises NotFound."""
        with self._transaction() as session:
            if session.get(Sweep, sweep_id) is None:
                raise NotFound(f"there is no sweep {sweep_id}")
            session.execute(delete(Webhook).where(Webhook.sweep_id == sweep_id))
            if url is not None:
                session.execute(insert(Webhook), [{"sweep_id": sweep_id, "event": e, "url": url} for e in EVENTS])

    def of(self, sweep_id: str) -> list[Webhook]:
        """What a sweep is to call, and how that went."""
        with self._transaction() as session:
            return list(session.scalars(select(Webhook).where(Webhook.sweep_id == sweep_id).order_by(Webhook.event)))

    def notice(self) -> None:
        """Marks the calls whose event has happened as due."""
        happened = {"failed": _some(Job.state == State.FAILED), "ended": ~_some(Job.state.not_in(sorted(FINAL)))}
        with self._transaction() as session:
            for event, has_happened in happened.items():
                waiting = (Webhook.event == event) & Webhook.due_at.is_(None) & Webhook.delivered_at.is_(None)
                marked = update(Webhook).where(waiting, has_happened).values(due_at=now())
                session.execute(marked, execution_options={"synchronize_session": False})

    def unsigned(self, reason: str) -> None:
        """Writes down why calls that are due are made by nobody yet."""
        untried = (Webhook.due_at <= now()) & Webhook.delivered_at.is_(None) & (Webhook.tries == 0)
        with self._transaction() as session:
            session.execute(update(Webhook).where(untried, Webhook.error.is_(None)).values(error=reason))

    def take(self) -> Call | None:
        """A call that is due, which nobody else makes until its pause is over; None if there is none."""
        is_due = (Webhook.due_at <= now()) & Webhook.delivered_at.is_(None) & (Webhook.tries < len(PAUSES))
        with self._transaction() as session:
            first = select(Webhook).where(is_due).order_by(Webhook.due_at).limit(1).with_for_update(skip_locked=True)
            found = session.scalars(first).one_or_none()
            if found is None:
                return None
            pause = PAUSES[found.tries]
            found.tries += 1
            session.flush()
            this = (Webhook.sweep_id == found.sweep_id) & (Webhook.event == found.event)
            session.execute(update(Webhook).where(this).values(due_at=now(pause)))
            event: Event = "failed" if found.event == "failed" else "ended"
            return Call(found.sweep_id, event, found.url, _document(session, found.sweep_id, event))

    def made(self, call: Call, error: str | None) -> None:
        """Writes down how a call went; None: it was answered well."""
        values: dict[str, Any] = {"error": error} if error else {"error": None, "delivered_at": now()}
        with self._transaction() as session:
            # Another address that the sweep was given meanwhile was not called.
            this = (Webhook.sweep_id == call.sweep_id) & (Webhook.event == call.event) & (Webhook.url == call.url)
            session.execute(update(Webhook).where(this).values(values))


def _some(condition: ColumnElement[bool]) -> ColumnElement[bool]:
    """Whether some job of a webhook's sweep, its own or a shared one, is so; two questions, each with an index."""
    own = exists().where(Job.sweep_id == Webhook.sweep_id, condition)
    shared = exists().where(SharedCell.sweep_id == Webhook.sweep_id, SharedCell.job_id == Job.id, condition)
    return own | shared


def _document(session: Session, sweep_id: str, event: Event) -> dict[str, Any]:
    sweep = session.get_one(Sweep, sweep_id)
    of_sweep = Job.id.in_(select(members(sweep_id).c.job_id))
    counts = session.execute(select(Job.state, func.count()).where(of_sweep).group_by(Job.state)).all()
    failed = select(Job.id, Job.error).where(of_sweep, Job.state == State.FAILED).order_by(Job.finished_at).limit(TOLD)
    return {
        "schema_version": 1,
        "event": f"sweep.{event}",
        "sweep": {"id": sweep.id, "name": sweep.name},
        "counts": {str(state): count for state, count in counts},
        "failures": [{"job": job_id, "error": error} for job_id, error in session.execute(failed)],
    }
