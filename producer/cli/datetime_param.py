"""Times as a user writes them."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Any

import click

_AGE = re.compile(r"(\d+(?:\.\d+)?)\s*([smhdw])")
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}


class DateTimeParam(click.ParamType[datetime]):
    """A time in ISO 8601, UTC unless it has an offset, or an age: 90s, 30m, 2h, 3d, 1w."""

    name = "when"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> datetime:
        """Return an aware datetime; fail for a text that is neither."""
        if isinstance(value, datetime):
            return value
        age = _AGE.fullmatch(value.strip())
        try:
            if age is not None:
                return datetime.now(UTC) - timedelta(**{_UNITS[age[2]]: float(age[1])})
            moment = datetime.fromisoformat(value.strip())
            # The first and the last moments of all are beyond what UTC has.
            return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)
        except (ValueError, OverflowError):
            self.fail(f"{value!r} is no moment: write 2026-11-21T08:00, or an age such as 30m, 2h or 3d", param, ctx)


DATE_TIME = DateTimeParam()
