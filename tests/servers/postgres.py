"""A private PostgreSQL, with databases that can be cloned from a template, one per test."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
from pathlib import Path
from typing import ClassVar

import psycopg
from psycopg import sql

from tests.servers.private import PrivateServer, ServerError
from tests.servers.processes import find_program

ROLE = "farm"
FIRST_DATABASE = "postgres"  # every new cluster has it
DEBIAN_PLACES = Path("/usr/lib/postgresql")

# The data have to outlive the processes, not the machine: commits reach the kernel, and nothing waits for a disk.
# Memory that is mapped from the folder goes with it, however the server ends.
SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "fsync": "off",
    "full_page_writes": "off",
    "dynamic_shared_memory_type": "mmap",
}


class PostgresServer(PrivateServer):
    """One PostgreSQL cluster; its role `farm` may do everything in it."""

    name = "postgres"
    stop_signal = signal.SIGINT  # "fast": SIGTERM would wait for clients to leave
    silence = (psycopg.OperationalError,)
    settings: ClassVar[dict[str, str]] = SETTINGS
    environment: ClassVar[dict[str, str]] = {"TZ": "UTC"}  # spares initdb a search for the name of the local zone

    @property
    def user(self) -> str | None:
        # PostgreSQL refuses to run as root; its Debian package brings this user for it.
        return "postgres" if os.geteuid() == 0 else None

    @property
    def url(self) -> str:
        """The database that is there from the start, as SQLAlchemy writes it, password included."""
        return self.url_of(FIRST_DATABASE)

    def url_of(self, database: str) -> str:
        """A database of this server, as SQLAlchemy writes it, password included."""
        return f"postgresql+psycopg://{ROLE}:{self.password}@127.0.0.1:{self.port}/{database}"

    def create_database(self, name: str, template: str | None = None) -> str:
        """Make a database, if asked a copy of `template` (to which nobody may be connected); return its URL."""
        statement = sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name))
        if template:
            statement += sql.SQL(" TEMPLATE {}").format(sql.Identifier(template))
        self._execute(statement)
        return self.url_of(name)

    def drop_database(self, name: str) -> None:
        """Remove a database if it exists, together with connections that a test left open."""
        self._execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))

    def _execute(self, statement: sql.Composed) -> None:
        with self._connect() as connection:
            connection.execute(statement)

    def _connect(self) -> psycopg.Connection:
        return psycopg.connect(
            host="127.0.0.1",
            port=self.port,
            user=ROLE,
            password=self.password,
            dbname=FIRST_DATABASE,
            connect_timeout=5,
            autocommit=True,
        )

    @property
    def _data(self) -> Path:
        return self.folder / "data"

    def _prepare(self) -> None:
        # Debian keeps the server's programs off the PATH, one folder a version.
        places = sorted(DEBIAN_PLACES.glob("*/bin"), key=lambda place: float(place.parent.name))
        self._program = find_program("postgres", places)
        password_file = self.folder / "password"
        password_file.write_text(self.password)
        if self.user:
            shutil.chown(password_file, self.user, self.user)
        made = subprocess.run(
            [
                str(find_program("initdb", places)),
                f"--pgdata={self._data}",
                f"--username={ROLE}",
                f"--pwfile={password_file}",
                "--auth=scram-sha-256",
                "--encoding=UTF8",
                "--locale=C",
                "--no-sync",
            ],
            cwd=self.folder,
            env={**os.environ, **self.environment},
            user=self.user,
            group=self.user,
            extra_groups=[] if self.user else None,
            capture_output=True,
            text=True,
        )
        if made.returncode:
            raise ServerError(f"initdb ended with code {made.returncode}: {made.stderr}")
        password_file.unlink()

    def _command(self) -> list[str]:
        settings = {**self.settings, "port": str(self.port), "unix_socket_directories": str(self.folder)}
        options = [f"--{name}={value}" for name, value in settings.items()]
        return [str(self._program), "-D", str(self._data), *options]

    def _is_own(self) -> bool:
        with self._connect() as connection:
            row = connection.execute("SHOW data_directory").fetchone()
        return row is not None and Path(row[0]) == self._data
