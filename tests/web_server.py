"""`stylefarm web` as a process of a test's own."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.programs import CommandLine

SAID = re.compile(r"dashboard at (http://\S+)/")


@dataclass(frozen=True)
class WebServer:
    """A server that answers at `address`, without a slash at its end, for the farm of a home."""

    address: str
    process: subprocess.Popen[str]
    home: Path


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
