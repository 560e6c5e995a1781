"""Which jobs a list has: the filters of `GET /api/v1/jobs`."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Any, Literal

from fastapi import Depends, Query

from stylefarm.producer.backends.protocol import JobQuery
from stylefarm.shared.db.clock import parse_moment
from stylefarm.shared.db.states import State
from stylefarm.shared.errors import InvalidRequest
from stylefarm.shared.spec.marks import parse_tags
from stylefarm.shared.spec.ratings import MOST_STARS

SweepId = Annotated[str | None, Query(pattern="^[0-9a-f-]{36}$", description="Only jobs of this sweep.")]
Moment = Annotated[str | None, Query(max_length=40, description="A moment in ISO 8601, with its offset.")]
Where = Annotated[
    list[str],
    Query(description="Only jobs with this value of a parameter, as JSON or as text: style_weight=10. Repeatable."),
]


async def job_list(
    state: Annotated[list[State], Query()] = [],  # noqa: B006 - FastAPI copies it
    sweep: SweepId = None,
    where: Where = [],  # noqa: B006
    since: Moment = None,
    until: Moment = None,
    tag: Annotated[list[str], Query(description="Only jobs with this tag, or of such a sweep.")] = [],  # noqa: B006
    stars: Annotated[int | None, Query(ge=0, le=MOST_STARS, description="Only jobs of so many stars or more.")] = None,
    flag: Annotated[list[Literal["pick", "reject", "none"]], Query()] = [],  # noqa: B006
) -> JobQuery:
    """Return which jobs a request wants. Raises InvalidRequest."""
    return JobQuery(state, sweep, _values(where), _moment(since), _moment(until), parse_tags(tag), stars, flag)


JobListDep = Annotated[JobQuery, Depends(job_list)]


def _values(texts: Sequence[str]) -> dict[str, list[Any]]:
    found: dict[str, list[Any]] = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not (name and equals):
            raise InvalidRequest(f"where = {text!r:.60} is no filter: write parameter=value, e.g. style_weight=10")
        found.setdefault(name, []).append(_value(value))
    return found


def _value(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return text


def _moment(text: str | None) -> datetime | None:
    if text is None:
        return None
    try:
        return parse_moment(text)
    except ValueError:
        raise InvalidRequest(f"{text!r:.40} is no moment: write it as 2026-11-21T08:00:00+00:00") from None
