"""Pages of long lists: each begins after the last entry of the one before, whatever came in meanwhile."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple, TypeVar

from sqlalchemy import ColumnElement, select, true

from stylefarm.shared.db.clock import parse_moment
from stylefarm.shared.db.states import State
from stylefarm.shared.db.tables import JobRow, SweepRow
from stylefarm.shared.errors import InvalidRequest
from stylefarm.shared.queries.jobs import DatabaseReader

MOST_LISTED = 500

Row = TypeVar("Row", JobRow, SweepRow)


class Place(NamedTuple):
    """The place of an entry in a list, newest first."""

    created_at: datetime
    id: str


class Pages(DatabaseReader):
    """Reads of pages of lists. Every method raises ServiceUnavailable and NotMigrated."""

    def jobs(self, states: Sequence[State], limit: int, after: Place | None = None) -> list[JobRow]:
        """Return jobs, newest first, those after a place."""
        in_states = JobRow.state.in_(states) if states else true()
        return self._page(JobRow, in_states, limit, after)

    def sweeps(self, limit: int, after: Place | None = None) -> list[SweepRow]:
        """Return sweeps, newest first, those after a place."""
        return self._page(SweepRow, true(), limit, after)

    def _page(self, kind: type[Row], which: ColumnElement[bool], limit: int, after: Place | None) -> list[Row]:
        later: ColumnElement[bool] = true()
        if after is not None:
            same = (kind.created_at == after.created_at) & (kind.id < after.id)
            later = (kind.created_at < after.created_at) | same
        statement = select(kind).where(which, later).order_by(kind.created_at.desc(), kind.id.desc()).limit(limit)
        with self._session() as session:
            return list(session.scalars(statement).all())


def place_of(row: JobRow | SweepRow) -> str:
    """Return the place of an entry as a cursor."""
    return base64.urlsafe_b64encode(f"{row.created_at.isoformat()} {row.id}".encode()).decode().rstrip("=")


def parse_place(cursor: str) -> Place:
    """Return the place that a cursor stands for. Raises InvalidRequest."""
    try:
        text = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)).decode()
        moment, _, row_id = text.partition(" ")
        return Place(parse_moment(moment), row_id)
    except (ValueError, binascii.Error):
        raise InvalidRequest(f"{cursor!r:.40} is no cursor: give `next` of an earlier answer") from None
