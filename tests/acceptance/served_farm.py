"""The program as the user of a farm on servers has it."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path

import psutil
from sqlalchemy import Engine, text

from tests.programs import CommandLine
from tests.servers.processes import wait_until

# A number that nothing else in a farm's database is locked by.
LOCK = 1
WAIT_FOR_LOCK = f"""
CREATE FUNCTION wait_for_test() RETURNS trigger LANGUAGE plpgsql
AS 'BEGIN PERFORM pg_advisory_xact_lock({LOCK}); RETURN NEW; END';
CREATE TRIGGER wait_for_test BEFORE UPDATE ON jobs FOR EACH ROW
WHEN (NEW.id = '{{job}}' AND NEW.state = 'done') EXECUTE FUNCTION wait_for_test();
"""


def served_farm(pictures: Path, servers: Mapping[str, str]) -> CommandLine:
    """The program in the folder of the pictures, told of servers of the test's own."""
    return CommandLine(
        pictures,
        {
            **servers,
            "STYLEFARM_HOME": str(pictures.parent / "home"),
            "STYLEFARM_LOG_FORMAT": "json",
            "STYLEFARM_HEARTBEAT_SECONDS": "0.5",
            "STYLEFARM_RECONCILE_SECONDS": "1",
            "STYLEFARM_THREADS": "1",
            "TORCH_HOME": str(pictures.parent / "torch"),
        },
    )


@contextlib.contextmanager
def worker_of(farm: CommandLine, *options: str) -> Iterator[subprocess.Popen[str]]:
    """A worker, which is killed at the end of the block if it still runs."""
    process = farm.start("worker", "start", *options)
    try:
        yield process
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate()


def rendering_processes(worker: subprocess.Popen[str]) -> list[int]:
    """The process of the worker's one slot, and the one below it that renders; waits until both are there."""
    found: list[psutil.Process] = []

    def are_there() -> bool:
        found[:] = psutil.Process(worker.pid).children(recursive=True)
        return len(found) == 2

    wait_until(are_there, 120)
    slot, embedded_worker = found
    assert embedded_worker.ppid() == slot.pid
    return [slot.pid, embedded_worker.pid]


@contextlib.contextmanager
def never_done(job: str, engine: Engine) -> Iterator[None]:
    """Have whoever renders a job wait before it is done, until the block ends, however fast the machine is."""
    with engine.connect() as connection:
        connection.execute(text(WAIT_FOR_LOCK.format(job=job)))
        connection.execute(text(f"SELECT pg_advisory_lock({LOCK})"))
        connection.commit()
        try:
            yield
        finally:
            connection.execute(text(f"SELECT pg_advisory_unlock({LOCK})"))
            connection.commit()
