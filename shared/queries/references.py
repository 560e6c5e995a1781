"""What a user calls a job or a sweep: an id, its beginning, @last, or the name of a sweep."""

from __future__ import annotations

import re

from sqlalchemy import Select, func, select
from sqlalchemy.orm import Session

from stylefarm.shared.db.tables import JobRow, SweepRow
from stylefarm.shared.errors import InvalidRequest, NotFound
from stylefarm.shared.text import unstorable

# An id may be shortened to a beginning of this length or more, as long as it is unique.
SHORTEST_PREFIX = 4
# Ids that a sentence lists.
MOST_LISTED = 5

_LAST = re.compile(r"@last(?:~(\d{1,9}))?")
_HEX = set("0123456789abcdef-")

Kind = type[JobRow] | type[SweepRow]

# In the order of lists.
NEWEST_JOBS = (JobRow.created_at.desc(), JobRow.sweep_id.nulls_first(), JobRow.position, JobRow.id)
NEWEST_SWEEPS = (SweepRow.created_at.desc(), SweepRow.id)


def find_id(session: Session, kind: Kind, text: str) -> str:
    """Return the id that a user means.

    Args:
        session: of the database.
        kind: JobRow or SweepRow.
        text: a whole id, a beginning of it, @last (the first in lists, which are newest first), @last~1 (the one after
            it) and so on, or of sweeps the name.

    Raises:
        NotFound: there is none.
        InvalidRequest: there are several.
    """
    wanted, noun = text.strip(), _noun(kind)
    last = _LAST.fullmatch(wanted)
    if last is not None:
        return _newest(session, kind, wanted, int(last[1] or 0))
    begins = _beginning_with(session, kind, wanted)
    if len(begins) == 1 and begins[0] == wanted.lower():
        return begins[0]
    named = _named(session, wanted) if kind is SweepRow else []
    found = list(dict.fromkeys([*begins, *named]))
    if not found:
        raise _not_found(session, kind, text)
    if len(found) > 1:
        if not named:
            raise InvalidRequest(f"several {noun}s start with {text}: give more digits of the id")
        raise InvalidRequest(f"{text!r:.100} may be any of {_listed(found)}: give the id of one of them")
    return found[0]


def find_kind(session: Session, text: str) -> Kind:
    """Return whether a user means a job or a sweep: by @last the sweep, if the newest job is one's, or else the job.

    Raises:
        NotFound: there is neither.
        InvalidRequest: it may be either.
    """
    wanted = text.strip()
    if _LAST.fullmatch(wanted):
        newest = session.execute(select(JobRow.sweep_id).order_by(*NEWEST_JOBS).limit(1)).first()
        return JobRow if newest is not None and newest[0] is None else SweepRow
    jobs = _beginning_with(session, JobRow, wanted)
    sweeps = [*_beginning_with(session, SweepRow, wanted), *_named(session, wanted)]
    if jobs and sweeps:
        raise InvalidRequest(f"{text!r:.100} may be any of {_listed([*jobs, *sweeps])}: give the id of one of them")
    if not jobs and not sweeps:
        raise NotFound(f"no job and no sweep is called {text!r:.100}: give an id, @last, or the name of a sweep")
    return JobRow if jobs else SweepRow


def _newest(session: Session, kind: Kind, text: str, back: int) -> str:
    statement: Select[str] = (
        select(JobRow.id).order_by(*NEWEST_JOBS) if kind is JobRow else select(SweepRow.id).order_by(*NEWEST_SWEEPS)
    )
    found = session.scalars(statement.offset(back).limit(1)).first()
    if found is None:
        count = session.scalar(select(func.count()).select_from(kind)) or 0
        noun = _noun(kind)
        there = f"there are only {count:,} {noun}s" if count > 1 else f"there is {'only one' if count else 'no'} {noun}"
        raise NotFound(f"{text}: {there}")
    return found


def _beginning_with(session: Session, kind: Kind, text: str) -> list[str]:
    wanted = text.lower()
    if len(wanted) < SHORTEST_PREFIX or not set(wanted) <= _HEX:
        return []
    begins = select(kind.id).where(kind.id.startswith(wanted)).order_by(kind.id).limit(MOST_LISTED + 1)
    return list(session.scalars(begins))


def _named(session: Session, text: str) -> list[str]:
    if not text or unstorable(text):
        return []
    named = select(SweepRow.id).where(SweepRow.name == text).order_by(*NEWEST_SWEEPS).limit(MOST_LISTED + 1)
    return list(session.scalars(named))


def _listed(ids: list[str]) -> str:
    return ", ".join(ids[:MOST_LISTED]) + (" and others" if len(ids) > MOST_LISTED else "")


def _not_found(session: Session, kind: Kind, text: str) -> NotFound:
    noun, other = _noun(kind), SweepRow if kind is JobRow else JobRow
    others = _beginning_with(session, other, text.strip())
    if kind is JobRow:
        others += _named(session, text.strip())
    if others:
        return NotFound(f"{text} is a {_noun(other)}, not a {noun}: ask `stylefarm {_noun(other)}` for it")
    if len(text.strip()) >= SHORTEST_PREFIX and set(text.strip().lower()) <= _HEX:
        return NotFound(f"there is no {noun} {text}: `stylefarm config show` tells which farm was asked")
    or_name = ", its name" if kind is SweepRow else ""
    return NotFound(
        f"no {noun} is called {text!r:.100}: give its id, or its first {SHORTEST_PREFIX} digits or more{or_name}, or"
        " @last"
    )


def _noun(kind: Kind) -> str:
    return "job" if kind is JobRow else "sweep"
