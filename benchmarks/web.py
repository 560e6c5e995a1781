"""Times the dashboard and the API: first bytes, the page in Chromium, streams, ratings, actions, the status endpoint.

    python -m benchmarks.web [--cells 2000] [--large 20000] [--only answers streams pages]

A farm of made-up sweeps is served by `stylefarm web` in a process of its own, and asked over the loopback address.
"""

from __future__ import annotations

import argparse
import gzip
import http.client
import tempfile
import time
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx2
import psutil

from benchmarks.web_farm import filled
from benchmarks.web_pages import chromium, measure_pages
from benchmarks.web_rows import quantile, row, timed
from benchmarks.web_streams import measure_changes, measure_end
from examples.embedded import embedded_settings
from stylefarm import Farm, State, Sweep
from stylefarm.producer.web.pages import StaticFiles
from tests.web_server import WebServer, web_server

SECONDS = 5.0
PARTS = ("answers", "streams", "pages")


def main() -> None:
    """Measures, and prints a row for each target."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cells", type=int, default=2000)
    parser.add_argument("--large", type=int, default=20_000)
    parser.add_argument("--only", nargs="+", choices=PARTS, default=PARTS)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, Farm(embedded_settings(Path(folder) / "home")) as farm:
        print("| what | measured |\n|---|---|")
        row("JS + CSS + charts, compressed", f"{compressed_size() / 1024:.1f} KB")
        sweep = filled(farm, "many", _axes(arguments.cells), State.DONE)
        large = filled(farm, "more", _axes(arguments.large), State.DONE)
        with web_server(Path(folder) / "home") as server:
            if "answers" in arguments.only:
                waiting = filled(farm, "waiting", _axes(arguments.large), State.PAUSED)
                measure_answers(server, sweep)
                measure_actions(server, waiting)
                measure_ratings(server, sweep)
            if "pages" in arguments.only:
                with chromium() as page:
                    measure_pages(page, server, sweep, large)
            if "streams" in arguments.only:
                measure_changes(server, farm, sweep)
            measure_end(server, sweep)


def _axes(cells: int) -> dict[str, list[Any]]:
    return {"style_weight": [float(weight) for weight in range(1, cells // 40 + 1)], "seed": list(range(40))}


def compressed_size() -> int:
    """The bytes of everything that pages load, as it is sent."""
    return sum(len(gzip.compress(data, 9)) for name, data in StaticFiles().files.items() if not name.endswith(".txt"))


def measure_answers(server: WebServer, sweep: Sweep) -> None:
    """The document of a sweep, its page, and the status of a job."""
    cells = len(sweep)
    with httpx2.Client(base_url=server.address) as client:
        path = f"/api/v1/sweeps/{sweep.id}/cells"
        client.get(path)
        row(f"{cells:,} cells: page, first byte", f"{timed(lambda: client.get(f'/sweeps/{sweep.id}')):.0f} ms")
        row(f"{cells:,} cells: document", f"{timed(lambda: client.get(path)):.0f} ms")
    _measure_status(server, sweep.statuses(limit=1)[0].id)


def _measure_status(server: WebServer, job: str) -> None:
    """The status of a job, one request after the other on one connection."""
    process, path = psutil.Process(server.process.pid), f"/api/v1/jobs/{job}/status"
    connection = http.client.HTTPConnection(urlsplit(server.address).netloc)
    count, start, before = 0, time.perf_counter(), process.cpu_times()
    while time.perf_counter() - start < SECONDS:
        connection.request("GET", path)
        connection.getresponse().read()
        count += 1
    took, after = time.perf_counter() - start, process.cpu_times()
    used = after.user + after.system - before.user - before.system
    connection.close()
    row(
        "status endpoint, one connection", f"{count / took:.0f} requests/s, {count / used:.0f} a second of its CPU time"
    )


def measure_actions(server: WebServer, large: Sweep) -> None:
    """An action on ten thousand jobs that a filter selects."""
    with httpx2.Client(base_url=server.address, timeout=60) as client:
        body = {
            "action": "prioritize",
            "priority": 7,
            "filter": {"states": ["paused"], "axes": {"seed": list(range(20))}},
        }
        start = time.perf_counter()
        answered = client.post(f"/api/v1/sweeps/{large.id}/actions", json=body).json()
        row(f"an action on {answered['changed']:,} filtered jobs", f"{time.perf_counter() - start:.2f} s")


def measure_ratings(server: WebServer, sweep: Sweep) -> None:
    """A rating, until it is stored."""
    jobs = [status.id for status in sweep.statuses()][:200]
    took = []
    with httpx2.Client(base_url=server.address) as client:
        for number, job in enumerate(jobs):
            start = time.perf_counter()
            client.post("/api/v1/ratings", json={"ratings": [{"job": job, "stars": number % 6}]})
            took.append(1000 * (time.perf_counter() - start))
    row("a rating stored, p99 of 200", f"{quantile(took, 0.99):.0f} ms")


if __name__ == "__main__":
    main()
