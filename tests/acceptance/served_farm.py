"""The program as the user of a farm on servers has it."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping
from pathlib import Path

import psutil

from tests.programs import CommandLine
from tests.servers.processes import wait_until


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


def rendering_processes(worker: subprocess.Popen[str]) -> list[int]:
    """The process of the worker's one slot, and the one below it that renders; waits until both are there."""
    wait_until(lambda: len(psutil.Process(worker.pid).children(recursive=True)) == 2, 60)
    slot, embedded_worker = psutil.Process(worker.pid).children(recursive=True)
    assert embedded_worker.ppid() == slot.pid
    return [slot.pid, embedded_worker.pid]
