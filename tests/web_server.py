"""`stylefarm web` as a process of a test's own."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import sqlite3
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil

from tests.programs import CommandLine
from tests.servers.processes import freeze, thaw

SAID = re.compile(r"dashboard at (http://\S+)/")


@dataclass(frozen=True)
class WebServer:
    """A server that answers at `address`, without a slash at its end, for the farm of a home."""

    address: str
    process: subprocess.Popen[str]
    home: Path


@contextlib.contextmanager
def rendering_suspended(pid: int, database: Path) -> Iterator[None]:
    """Stop the process that renders beside the server of that process id: what is queued meanwhile is not taken."""
    renderers = psutil.Process(pid).children()
    while True:
        for process in renderers:
            freeze(process)
        # It may have been stopped in the midst of a transaction, which would keep all others waiting.
        if _is_unlocked(database):
            break
        for process in renderers:
            thaw(process)
        time.sleep(0.05)
    try:
        yield
    finally:
        for process in renderers:
            thaw(process)


def _is_unlocked(database: Path) -> bool:
    with contextlib.closing(sqlite3.connect(database, timeout=0)) as connection:
        try:
            connection.execute("BEGIN IMMEDIATE")
        except sqlite3.OperationalError:
            return False
        connection.rollback()
    return True


@contextlib.contextmanager
def web_server(home: Path, *options: str, **variables: str) -> Iterator[WebServer]:
    """Start the server of an embedded farm at a free port, and stop it with all of its processes."""
    program = CommandLine(home.parent, {"STYLEFARM_HOME": str(home), **variables})
    process = program.start("web", "--port", "0", *options)
    try:
        assert process.stderr is not None
        said = process.stderr.readline()
        found = SAID.search(said)
        assert found is not None, said + process.stderr.read()
        yield WebServer(found[1], process, home)
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
