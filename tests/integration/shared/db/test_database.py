"""Connections that outlive their server, and bulk rows that the server refuses."""

from __future__ import annotations

import sqlite3
import time
from contextlib import ExitStack, closing, suppress
from pathlib import Path
from unittest.mock import Mock

import pytest

from stylefarm import migrations
from stylefarm.shared.db.connection import PING_AFTER_SECONDS, connect, new_engine
from stylefarm.shared.errors import ServiceUnavailable
from stylefarm.shared.store import Store
from tests.integration.jobs import new_job
from tests.servers import PostgresServer


def test_a_restarted_server_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Given a pooled connection, if PostgreSQL restarts, I expect a rested one replaced, a busy one told of."""
    with PostgresServer() as server:
        store = Store(connect(server.create_database("farm")))
        migrations.upgrade(store.engine)
        (job_id,) = store.submissions.create([new_job()])
        server.restart()
        time.sleep(PING_AFTER_SECONDS + 0.1)
        assert store.attempts.claim(job_id, "w") is not None
        # However long the restart takes, the connection counts as busy.
        monkeypatch.setattr("stylefarm.shared.db.connection.PING_AFTER_SECONDS", 3600)
        server.restart()
        with pytest.raises(ServiceUnavailable, match="does not answer"):
            store.submissions.create([new_job()])
        assert len(store.submissions.create([new_job()])) == 1
        store.engine.dispose()


def test_who_gets_no_connection_hears_why(postgres_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Given threads that have all connections of a process, if another one wants one, I expect our own error."""
    store = Store(connect(postgres_url))
    monkeypatch.setattr(store.engine.pool, "_timeout", 0.1)
    with pytest.raises(ServiceUnavailable, match="keeps all connections of this process"), ExitStack() as held:
        for _ in range(100):
            held.enter_context(store.maintenance._transaction()).connection()


def test_an_interrupt_at_the_end_is_not_logged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Given connections that are closed, I expect Ctrl-C to pass without SQLAlchemy's traceback, and errors logged."""
    for error, logged in ((KeyboardInterrupt(), 0), (OSError("gone"), 1)):
        engine = new_engine(f"sqlite:///{tmp_path / 'farm.db'}")
        with engine.connect():
            pass
        monkeypatch.setattr(engine.dialect, "do_close", Mock(side_effect=error))
        with suppress(KeyboardInterrupt):
            engine.dispose()
        assert len(caplog.records) == logged


def test_a_new_file_that_another_program_opens_too_is_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Given a new file that another program is about to write, if it is opened, I expect that waited for."""
    file = tmp_path / "farm.db"
    with closing(sqlite3.connect(file, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        monkeypatch.setattr(time, "sleep", lambda _: other.rollback())
        engine = new_engine(f"sqlite:///{file}")
        with engine.connect() as connection:
            assert connection.exec_driver_sql("PRAGMA journal_mode").scalar_one() == "wal"
        engine.dispose()


def test_a_file_that_another_program_closes_is_opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Given a log beside a file, if the last program that has it open ends at this moment, I expect it opened."""
    file, log, exists = tmp_path / "farm.db", tmp_path / "farm.db-wal", Path.exists
    file.touch()
    log.write_bytes(b"a frame")

    def exists_and_is_deleted(path: Path) -> bool:
        found = exists(path)
        if path == log:
            log.unlink(missing_ok=True)
        return found

    monkeypatch.setattr(Path, "exists", exists_and_is_deleted)
    engine = new_engine(f"sqlite:///{file}")
    with engine.connect():
        pass
    engine.dispose()


def test_rows_are_copied_all_or_none(postgres_url: str) -> None:
    """Given a table that is not migrated as far, if rows are copied into it, I expect our own error and no row."""
    store = Store(connect(postgres_url))
    with store.maintenance._transaction() as session:
        session.connection().exec_driver_sql("ALTER TABLE jobs DROP COLUMN label CASCADE")
    with pytest.raises(ServiceUnavailable, match="stylefarm db upgrade"):
        store.submissions.create([new_job()])
    with store.maintenance._transaction() as session:
        assert session.connection().exec_driver_sql("SELECT count(*) FROM jobs").scalar_one() == 0
