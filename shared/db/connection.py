"""Connections to the database, and translation of its drivers' errors."""

from __future__ import annotations

import errno
import logging
import math
import os
import shutil
import sqlite3
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import Any

from sqlalchemy import Engine, create_engine, event
from sqlalchemy.engine import URL, Connection, make_url
from sqlalchemy.exc import (
    ArgumentError,
    DatabaseError,
    DataError,
    DBAPIError,
    DisconnectionError,
    InternalError,
    NoSuchModuleError,
    OperationalError,
    ProgrammingError,
)
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.orm import Session
from sqlalchemy.pool import ConnectionPoolEntry, QueuePool

from stylefarm.shared.errors import InvalidRequest, InvalidSettings, NotMigrated, ServiceUnavailable, StorageFull

BUSY_SECONDS = 30
# Where SQLite does not wait itself.
BUSY_PAUSE_SECONDS = 0.01
# Bytes that SQLite needs beside a file to open it: an index of 32 KiB for its log, and a page of the log.
LEAST_ROOM = 64 << 10
# Where a connection's entry in the pool keeps the file that it can only read.
READ_ONLY = "read_only_file"
CONNECT_SECONDS = 5

# A dead connection is noticed within seconds; the kernel's own timeout is a quarter of an hour.
POSTGRESQL = {
    "connect_timeout": CONNECT_SECONDS,
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 2,
    "tcp_user_timeout": 15_000,
}

# A connection that was idle for so long may be dead, and is tested before it is used.
PING_AFTER_SECONDS = 1.0

UPGRADE_HINT = "run `stylefarm db upgrade` with the same settings"


@lru_cache(maxsize=8)
def connect(url: str) -> Engine:
    """Return the engine for `url` that the whole process shares; otherwise as `new_engine`."""
    return new_engine(url)


def new_engine(url: str) -> Engine:
    """Return a separate engine for `url`, which its owner disposes of; it connects when it is first used.

    Raises InvalidSettings for a URL that is none, or names a database other than SQLite and PostgreSQL.
    """
    # SQLAlchemy's log of what closing a connection runs into; who presses Ctrl-C then has no use for a traceback.
    logging.getLogger(f"{QueuePool.__module__}.{QueuePool.__qualname__}").addFilter(_is_no_interrupt)
    try:
        parsed = make_url(url)
        backend = parsed.get_backend_name()
        if backend == "sqlite":
            return _sqlite(parsed)
        if backend != "postgresql":
            raise InvalidSettings(f"database_url names {backend}: stylefarm keeps its state in PostgreSQL or SQLite")
        parsed = parsed.set(drivername="postgresql+psycopg")
        return _postgresql(parsed)
    except (ArgumentError, NoSuchModuleError) as error:
        raise InvalidSettings(f"database_url is no database URL ({error}): write postgresql://user@host/name") from None
    except ModuleNotFoundError as error:
        raise InvalidSettings(f"PostgreSQL needs the package {error.name}: pip install 'stylefarm[postgres]'") from None


def _is_no_interrupt(record: logging.LogRecord) -> bool:
    return record.exc_info is None or not isinstance(record.exc_info[1], KeyboardInterrupt)


def _postgresql(url: URL) -> Engine:
    engine = create_engine(url, connect_args=POSTGRESQL)

    @event.listens_for(engine, "checkin")
    def rest(_connection: object, entry: ConnectionPoolEntry) -> None:
        entry.info["resting_since"] = time.monotonic()

    @event.listens_for(engine, "checkout")
    def wake(connection: Any, entry: ConnectionPoolEntry, _proxy: object) -> None:
        # SQLAlchemy's own pre-ping tests each time, which takes as long as a whole move of a job.
        rested = time.monotonic() - entry.info.get("resting_since", math.inf)
        if rested > PING_AFTER_SECONDS and not _answers(engine, connection):
            raise DisconnectionError  # the pool then takes a new one

    return engine


def _answers(engine: Engine, connection: Any) -> bool:
    try:
        return engine.dialect.do_ping(connection)
    except Exception as error:
        if engine.dialect.dbapi is not None and isinstance(error, engine.dialect.dbapi.Error):
            return False
        raise


def _sqlite(url: URL) -> Engine:
    if url.database:
        _make_folder(Path(url.database).parent)
    engine = create_engine(url, connect_args={"timeout": BUSY_SECONDS})
    event.listen(engine, "do_connect", _open_sqlite)
    event.listen(engine, "connect", _prepare_sqlite)
    event.listen(engine, "checkout", _reopen_sqlite)
    event.listen(engine, "begin", _begin_sqlite)
    return engine


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        if error.errno in {errno.ENOSPC, errno.EDQUOT}:
            raise StorageFull(
                f"the folder {folder} cannot be made: the disk is full; make room and try again"
            ) from None
        reason = "there is a file of that name" if isinstance(error, FileExistsError) else error.strerror
        raise InvalidSettings(f"the folder {folder} cannot be made ({reason}): set STYLEFARM_HOME to another") from None


def _open_sqlite(
    _dialect: object, entry: ConnectionPoolEntry, arguments: Sequence[Any], options: Mapping[str, Any]
) -> sqlite3.Connection | None:
    """Open a database for reading alone where nothing can be written beside it; None: open it as any other."""
    file = Path(arguments[0])
    # With a log beside it, another process may be writing, or was killed: the file alone is not the whole then.
    if not file.is_file() or _has_log(file) or _takes_writes(file):
        return None
    entry.info[READ_ONLY] = file
    # SQLite would make files beside it even to read.
    connection: sqlite3.Connection = sqlite3.connect(
        f"{file.absolute().as_uri()}?immutable=1", **{**options, "uri": True}
    )
    return connection


def _reopen_sqlite(_connection: object, entry: ConnectionPoolEntry, _proxy: object) -> None:
    """Have the pool open a file anew that was opened for reading alone, when it can be written again."""
    file = entry.info.get(READ_ONLY)
    if file is not None and _takes_writes(file):
        del entry.info[READ_ONLY]
        raise DisconnectionError


def _has_log(file: Path) -> bool:
    try:
        return file.with_name(f"{file.name}-wal").stat().st_size > 0
    except FileNotFoundError:
        # Looked for by one call: whoever closes the file last deletes it.
        return False


def _takes_writes(file: Path) -> bool:
    return os.access(file, os.W_OK) and os.access(file.parent, os.W_OK) and not _is_full(file.parent)


def _is_full(folder: Path) -> bool:
    return shutil.disk_usage(folder).free < LEAST_ROOM


def _prepare_sqlite(connection: sqlite3.Connection, _entry: ConnectionPoolEntry) -> None:
    # Transactions are begun by `_begin_sqlite`, not by the driver's own rules.
    connection.isolation_level = None
    _write_ahead(connection)
    for pragma in ("synchronous = NORMAL", "foreign_keys = ON"):
        connection.execute(f"PRAGMA {pragma}")


def _write_ahead(connection: sqlite3.Connection) -> None:
    """Keep a log beside the file. Of two programs that open a new file at once, SQLite refuses one without waiting."""
    due = time.monotonic() + BUSY_SECONDS
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL")
            return
        except sqlite3.OperationalError as error:
            if not error.sqlite_errorname.startswith("SQLITE_BUSY") or time.monotonic() >= due:
                raise
        time.sleep(BUSY_PAUSE_SECONDS)


def _begin_sqlite(connection: Connection) -> None:
    # A transaction that reads and then writes would fail at once, instead of waiting, if another had written between.
    mode = "DEFERRED" if connection.get_execution_options().get("read_only") else "IMMEDIATE"
    connection.exec_driver_sql(f"BEGIN {mode}")


@contextmanager
def reading_session(engine: Engine) -> Iterator[Session]:
    """Open a session that changes nothing, and waits for nobody who does. Raises what `translate_errors` does."""
    reading = engine.execution_options(read_only=True)
    with translate_errors(engine), Session(reading, expire_on_commit=False) as session:
        yield session


@contextmanager
def translate_errors(engine: Engine) -> Iterator[None]:
    """Turn what the driver raises inside into ServiceUnavailable, NotMigrated, StorageFull or InvalidRequest."""
    try:
        yield
    except UnicodeEncodeError as error:
        raise InvalidRequest(f"{error.object!r:.100} is no text in UTF-8, and nothing is called so") from error
    except (OperationalError, ProgrammingError, InternalError) as error:
        raise _in_our_words(engine, error) from error
    except PoolTimeout as error:
        # All connections of the pool are in use, most likely waiting for a server that does not answer.
        raise ServiceUnavailable(
            f"the database at {address_of(engine)} keeps all connections of this process waiting: is it running, and"
            " can it be reached?"
        ) from error
    except DataError as error:
        # PostgreSQL takes no NUL in a text, which SQLite does.
        reason = " ".join(str(error.orig).split())
        raise InvalidRequest(f"the database takes no such value ({reason}), and nothing is called so") from error
    except DBAPIError as error:
        # For a damaged file, or one of another format, SQLite reports a generic error.
        if not error.connection_invalidated and type(error) is not DatabaseError:
            raise
        raise _unavailable(engine, error) from error


def _in_our_words(engine: Engine, error: DBAPIError) -> Exception:
    text = str(error.orig)
    if "no such table" in text or "no such column" in text or _sqlstate(error) in {"42P01", "42703"}:
        return NotMigrated(f"the database at {address_of(engine)} lacks tables of this release: {UPGRADE_HINT}")
    if "disk is full" in text or _sqlstate(error) == "53100" or _has_no_room(engine, error):
        return StorageFull(f"the disk of the database at {address_of(engine)} is full: make room and try again")
    if "readonly database" in text:
        return ServiceUnavailable(
            f"the database {address_of(engine)} can only be read: its file or its folder is read-only; set"
            " STYLEFARM_HOME to a folder that can be written"
        )
    return _unavailable(engine, error)


def _has_no_room(engine: Engine, error: DBAPIError) -> bool:
    """Return whether SQLite could not write, and its disk is full, of which it reports several errors."""
    name = getattr(error.orig, "sqlite_errorname", "")
    could_not_write = name.startswith(("SQLITE_IOERR", "SQLITE_READONLY", "SQLITE_CANTOPEN"))
    return could_not_write and bool(engine.url.database) and _is_full(Path(str(engine.url.database)).parent)


def _unavailable(engine: Engine, error: DBAPIError) -> ServiceUnavailable:
    reason = " ".join(str(error.orig).split())
    if engine.url.get_backend_name() == "sqlite":
        return ServiceUnavailable(
            f"the database {address_of(engine)} cannot be used ({reason}): check that file, or set STYLEFARM_HOME to"
            " another folder"
        )
    if "authentication failed" in reason:
        return ServiceUnavailable(
            f"the database at {address_of(engine)} refuses us ({reason}): check the user and the password in"
            " database_url"
        )
    return ServiceUnavailable(
        f"the database at {address_of(engine)} does not answer ({reason}): is it running, and is database_url right?"
    )


def _sqlstate(error: DBAPIError) -> Any:
    return getattr(error.orig, "sqlstate", None)


def address_of(engine: Engine) -> str:
    """Return the database's address without its password, for sentences."""
    url = engine.url
    if url.get_backend_name() == "sqlite":
        return str(url.database)
    return f"{url.host or 'localhost'}:{url.port or 5432}/{url.database}"
