"""Bulk inserts: by PostgreSQL's COPY, which is several times as fast as INSERT, or by SQLite's INSERT."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import ARRAY, Column, ColumnElement, String, Table, any_, bindparam, insert, select
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from stylefarm.shared.db.clock import UtcDateTime, now
from stylefarm.shared.db.json_values import JsonObject
from stylefarm.shared.store.moves import CHUNK


def insert_rows(session: Session, table: Table, rows: Sequence[Mapping[str, Any]]) -> None:
    """Insert rows, which all name the same columns; the others get their defaults, times the present moment.

    What goes into a JSON column is JSON already.
    """
    if not rows:
        return
    if session.get_bind().dialect.name == "postgresql":
        _copy(session, table, rows)
        return
    # The same time for all rows, as COPY has it: lists then keep the order of jobs that were submitted together.
    moment = session.execute(select(now())).scalar_one()
    times = {
        column.name: moment
        for column in table.columns
        if isinstance(column.type, UtcDateTime) and column.default is not None and column.name not in rows[0]
    }
    as_json = [column.name for column in table.columns if isinstance(column.type, JsonObject)]
    for start in range(0, len(rows), CHUNK):
        chunk = [{**times, **row} for row in rows[start : start + CHUNK]]
        for row in chunk:
            row.update((name, json.loads(row[name])) for name in as_json if name in row)
        session.execute(insert(table), chunk)


def _copy(session: Session, table: Table, rows: Sequence[Mapping[str, Any]]) -> None:
    moment = session.execute(select(now())).scalar_one()
    given = list(rows[0])
    # The database assigns autoincrement columns itself.
    others = [c for c in table.columns if c.name not in given and c is not table.autoincrement_column]
    rest = {column.name: _default(column, moment) for column in others}
    names = ", ".join(f'"{name}"' for name in (*given, *rest))
    defaults = list(rest.values())
    statement = f"COPY {table.name} ({names}) FROM STDIN"
    connection = session.connection()
    # psycopg's own cursor, since SQLAlchemy has no COPY.
    driver: Any = connection.connection
    errors: Any = connection.dialect.dbapi
    try:
        with driver.cursor() as cursor, cursor.copy(statement) as copy:
            for row in rows:
                copy.write_row([*row.values(), *defaults])
    except errors.Error as error:
        # SQLAlchemy does not see what bypasses it; as a DBAPIError, this error is translated like any other.
        raise DBAPIError.instance(statement, None, error, errors.Error, dialect=connection.dialect) from error


def _default(column: Column[Any], moment: object) -> Any:
    if isinstance(column.type, UtcDateTime):
        return moment if column.default is not None else None
    default: Any = column.default
    if default is None:
        return None
    value = default.arg(None) if default.is_callable else default.arg
    return json.dumps(value) if isinstance(column.type, JsonObject) else value


def is_any_of(session: Session, column: ColumnElement[str], values: Sequence[str]) -> ColumnElement[bool]:
    """Return whether a column has one of many values: on PostgreSQL one array parameter, which is parsed far faster."""
    if session.get_bind().dialect.name == "postgresql":
        return column == any_(bindparam(None, list(values), type_=ARRAY(String)))
    return column.in_(values)
