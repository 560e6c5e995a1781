"""Times the streams of a sweep: from a change in the database to a hundred viewers, and their end with the server."""

from __future__ import annotations

import os
import re
import selectors
import signal
import socket
import statistics
import threading
import time
from typing import Any, cast

import psutil
from sqlalchemy import Table, bindparam, update

from benchmarks.web_rows import quantile, row
from stylefarm import Farm, Sweep
from stylefarm.shared.db.clock import now
from stylefarm.shared.db.tables import JobRow
from tests.acceptance.web.test_server import opened
from tests.web_server import WebServer

VIEWERS = 100
ROUNDS = 40
CHANGED = 250
PAUSE = 0.25

# The loss of a changed job says in which round it was changed.
FIRST_ROUND = 70_000
ROUND = re.compile(rb"\b70\d{3}(?=\.0\b)")


class Viewers:
    """Connections to the stream of a sweep, all read by one thread, which notes when each hears of each round."""

    def __init__(self, server: WebServer, sweep: Sweep) -> None:
        self.selector = selectors.DefaultSelector()
        self.heard: dict[tuple[int, int], float] = {}
        self.connections = [opened(server, f"/api/v1/sweeps/{sweep.id}/stream") for _ in range(VIEWERS)]
        for number, connection in enumerate(self.connections):
            connection.setblocking(False)
            self.selector.register(connection, selectors.EVENT_READ, (number, bytearray()))
        self.over = threading.Event()
        self.thread = threading.Thread(target=self._read)
        self.thread.start()

    def _read(self) -> None:
        while not self.over.is_set():
            for key, _ in self.selector.select(0.1):
                number, rest = key.data
                rest += cast("socket.socket", key.fileobj).recv(1 << 20)
                event, end, after = bytes(rest).rpartition(b"\n\n")
                at = time.monotonic()
                for found in {int(text) for text in ROUND.findall(event)} if end else ():
                    self.heard.setdefault((number, found - FIRST_ROUND), at)
                rest[:] = after

    def close(self) -> None:
        """End all connections."""
        self.over.set()
        self.thread.join()
        for connection in self.connections:
            connection.close()


def measure_changes(server: WebServer, farm: Farm, sweep: Sweep) -> None:
    """A thousand changes a second for ten seconds, to a hundred viewers."""
    jobs = [status.id for status in sweep.statuses()]
    viewers = Viewers(server, sweep)
    process = psutil.Process(server.process.pid)
    time.sleep(1.5)
    before, written = process.memory_info().rss, []
    due = time.monotonic()
    for number in range(ROUNDS):
        first = number * CHANGED % len(jobs)
        _change(farm, jobs[first : first + CHANGED], number)
        written.append(time.monotonic())
        due += PAUSE
        time.sleep(max(0.0, due - time.monotonic()))
    seconds = time.monotonic() - written[0]
    time.sleep(2)
    after = process.memory_info().rss
    viewers.close()
    delays = [at - written[number] for (_, number), at in viewers.heard.items()]
    missed = VIEWERS * ROUNDS - len(delays)
    row(
        f"{ROUNDS * CHANGED / seconds:,.0f} changes a second to {VIEWERS} viewers",
        f"p99 {quantile(delays, 0.99):.2f} s (median {statistics.median(delays):.2f}, {missed} missed)",
    )
    row("memory of the server before and after", f"{before / 2**20:.0f} and {after / 2**20:.0f} MiB")


def _change(farm: Farm, jobs: list[str], number: int) -> None:
    """Write progress of many jobs at once."""
    table = cast("Table", JobRow.__table__)
    change = update(table).where(table.c.id == bindparam("job"))
    values: dict[str, Any] = {"loss": float(FIRST_ROUND + number), "updated_at": now()}
    with farm.services.engine.begin() as connection:
        connection.execute(change.values(values), [{"job": job} for job in jobs])


def measure_end(server: WebServer, sweep: Sweep) -> None:
    """SIGTERM with a hundred streams, until the process has ended."""
    connections = [opened(server, f"/api/v1/sweeps/{sweep.id}/stream") for _ in range(VIEWERS)]
    for connection in connections:
        connection.recv(4096)
    start = time.perf_counter()
    os.kill(server.process.pid, signal.SIGTERM)
    server.process.wait(30)
    row(f"SIGTERM with {VIEWERS} streams", f"{time.perf_counter() - start:.2f} s")
    for connection in connections:
        connection.close()
