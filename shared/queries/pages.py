"""Places in long lists: a page begins after the last entry of the one before, whatever came in meanwhile."""

from __future__ import annotations

import base64
import binascii
import json
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import ColumnElement, and_, or_

from stylefarm.shared.db.clock import parse_moment
from stylefarm.shared.db.tables import JobRow, SweepRow
from stylefarm.shared.errors import InvalidRequest

MOST_LISTED = 1000
# More than any sweep has, and a number that the database can compare with.
MOST_CELLS = 1 << 30


class Place(NamedTuple):
    """The place of a job or a sweep in a list; `position` is that of a job in the sweep in which it is listed."""

    created_at: datetime
    id: str
    sweep: str | None = None
    position: int = 0

    def jobs_after(self) -> ColumnElement[bool]:
        """Return whether a job stands after this place, in the order of `NEWEST_JOBS`."""
        in_sweep = or_(JobRow.position > self.position, and_(JobRow.position == self.position, JobRow.id > self.id))
        if self.sweep is None:
            beyond = or_(JobRow.sweep_id.is_not(None), and_(JobRow.sweep_id.is_(None), in_sweep))
        else:
            beyond = or_(JobRow.sweep_id > self.sweep, and_(JobRow.sweep_id == self.sweep, in_sweep))
        return or_(JobRow.created_at < self.created_at, and_(JobRow.created_at == self.created_at, beyond))

    def sweeps_after(self) -> ColumnElement[bool]:
        """Return whether a sweep stands after this place, in the order of `NEWEST_SWEEPS`."""
        same = and_(SweepRow.created_at == self.created_at, SweepRow.id > self.id)
        return or_(SweepRow.created_at < self.created_at, same)


def place_of(row: JobRow | SweepRow) -> str:
    """Return the place of an entry as a cursor."""
    sweep = (row.sweep_id, row.position) if isinstance(row, JobRow) else (None, 0)
    text = json.dumps([row.created_at.isoformat(), row.id, *sweep], separators=(",", ":"))
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def parse_place(cursor: str) -> Place:
    """Return the place that a cursor stands for. Raises InvalidRequest."""
    try:
        values = json.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
        moment, row_id, sweep, position = values
        if not _is_id(row_id) or not (sweep is None or _is_id(sweep)) or type(position) is not int:
            raise ValueError(cursor)
        return Place(parse_moment(moment), row_id, sweep, min(max(position, -1), MOST_CELLS))
    except (ValueError, TypeError, RecursionError, binascii.Error):
        raise InvalidRequest(f"{cursor!r:.40} is no cursor: give `next` of an earlier answer") from None


def _is_id(value: object) -> bool:
    return isinstance(value, str) and len(value) <= 36 and value.isprintable()
