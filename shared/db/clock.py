"""The database's clock, which measures every lease: the clocks of workers may disagree."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import ColumnElement, DateTime, Dialect, Double, FunctionElement, TypeDecorator, literal
from sqlalchemy.ext.compiler import compiles


def parse_moment(text: str) -> datetime:
    """Return the moment that a text in ISO 8601 stands for, in UTC.

    Args:
        text: with a time zone.

    Raises:
        ValueError: it is none, it has no time zone, or it lies outside of the years 1 to 9999 in UTC.

    Example:
        >>> parse_moment("2026-11-26T15:00:00+01:00").isoformat()
        '2026-11-26T14:00:00+00:00'
    """
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError(f"{text!r:.40} has no time zone")
    try:
        return moment.astimezone(UTC)
    except OverflowError as error:
        raise ValueError(f"{text!r:.40} lies outside of all years") from error


class UtcDateTime(TypeDecorator[datetime]):
    """A time, always with a time zone and in UTC; SQLite has no time zones and stores plain UTC."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Return the moment in UTC, as the database takes it."""
        if value is None:
            return None
        value = value.astimezone(UTC)
        return value.replace(tzinfo=None) if dialect.name == "sqlite" else value

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Return an aware moment in UTC."""
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


class now(FunctionElement[datetime]):  # noqa: N801 - reads as the SQL function that it is
    """The database's current time, or `seconds` from it; not the start of the transaction."""

    type = UtcDateTime()
    inherit_cache = True

    def __init__(self, seconds: float | ColumnElement[float] = 0.0) -> None:
        super().__init__(seconds if isinstance(seconds, ColumnElement) else literal(seconds, Double))


class settled(FunctionElement[datetime]):  # noqa: N801 - reads as the SQL function that it is
    """A time before which nothing changes any more: each transaction that wrote an earlier one has ended.

    To be asked before anything else in a transaction.
    """

    type = UtcDateTime()
    inherit_cache = True


# SQLite does not know when a transaction began; this is longer than any of them takes.
LONGEST_SECONDS = 5.0


@compiles(now, "postgresql")
def _postgresql(element: now, compiler: Any, **options: Any) -> str:
    return f"(clock_timestamp() + make_interval(secs => {compiler.process(element.clauses, **options)}))"


@compiles(now, "sqlite")
def _sqlite(element: now, compiler: Any, **options: Any) -> str:
    seconds = compiler.process(element.clauses, **options)
    # Padded to the six digits in which SQLAlchemy stores a DateTime, so that both compare as text.
    return f"strftime('%Y-%m-%d %H:%M:%f000', 'now', printf('%+.3f seconds', {seconds}))"


@compiles(settled, "postgresql")
def _postgresql_settled(element: settled, compiler: Any, **options: Any) -> str:
    # The transaction itself is among them.
    return (
        "(SELECT min(xact_start) FROM pg_stat_activity"
        " WHERE datname = current_database() AND backend_type = 'client backend')"
    )


@compiles(settled, "sqlite")
def _sqlite_settled(element: settled, compiler: Any, **options: Any) -> str:
    return str(compiler.process(now(-LONGEST_SECONDS), **options))
