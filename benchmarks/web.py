"""Times the dashboard and the API: first bytes, the page in Chromium, streams, ratings, actions, the status endpoint.

    python -m benchmarks.web [--cells 2000] [--large 20000]

A farm of made-up sweeps is served by `stylefarm web` in a process of its own, and asked over the loopback address.
"""

from __future__ import annotations

import argparse
import gzip
import os
import signal
import statistics
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx2
from playwright.sync_api import Page, sync_playwright

from benchmarks.web_farm import filled
from examples.embedded import embedded_settings
from stylefarm import Farm, State, Sweep
from stylefarm.producer.web.pages import StaticFiles
from stylefarm.shared.db.records import JobSelector
from tests.acceptance.test_web import opened
from tests.servers.chromium import CHROMIUM
from tests.web_server import WebServer, web_server

SECONDS = 5.0
VIEWERS = 100
SCROLL = """
async () => {
  const scrolls = (e) => e.scrollHeight > e.clientHeight * 3 && getComputedStyle(e).overflowY !== "visible";
  const grid = [...document.querySelectorAll("*")].find(scrolls);
  const frames = [];
  let most = 0, last = performance.now();
  for (let step = 0; step < 240; step++) {
    grid.scrollTop += 60;
    await new Promise(requestAnimationFrame);
    const now = performance.now();
    frames.push(now - last);
    last = now;
    if (step % 20 === 0) most = Math.max(most, document.querySelectorAll("[role=gridcell]").length);
  }
  frames.sort((a, b) => a - b);
  const within = frames.filter((f) => f < 17.2).length / frames.length;
  return { p95: frames[Math.floor(frames.length * 0.95)], within, cells: most };
}
"""


def main() -> None:
    """Measures, and prints a row for each target."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cells", type=int, default=2000)
    parser.add_argument("--large", type=int, default=20_000)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, Farm(embedded_settings(Path(folder) / "home")) as farm:
        print("| what | measured |\n|---|---|")
        row("JS + CSS + charts, compressed", f"{compressed_size() / 1024:.1f} KB")
        sweep = filled(farm, "many", _axes(arguments.cells), State.DONE)
        large = filled(farm, "more", _axes(arguments.large), State.DONE)
        waiting = filled(farm, "waiting", _axes(arguments.large), State.PAUSED)
        with web_server(Path(folder) / "home") as server:
            measure_answers(server, sweep)
            measure_actions(server, waiting)
            measure_ratings(server, sweep)
            measure_streams(server, farm, sweep)
            with chromium() as page:
                measure_page(page, server, sweep, large)
            measure_end(server, sweep)


def _axes(cells: int) -> dict[str, list[Any]]:
    return {"style_weight": [float(weight) for weight in range(1, cells // 40 + 1)], "seed": list(range(40))}


def row(what: str, measured: str) -> None:
    """Prints a row."""
    print(f"| {what} | {measured} |", flush=True)


def compressed_size() -> int:
    """The bytes of everything that pages load, as it is sent."""
    return sum(len(gzip.compress(data, 9)) for name, data in StaticFiles().files.items() if not name.endswith(".txt"))


def timed(work: Callable[[], object], times: int = 7) -> float:
    """The median of so many calls, in milliseconds."""
    took = []
    for _ in range(times):
        start = time.perf_counter()
        work()
        took.append(1000 * (time.perf_counter() - start))
    return statistics.median(took)


def measure_answers(server: WebServer, sweep: Sweep) -> None:
    """The document of a sweep, its page, and the status of a job by one client after the other."""
    cells = len(sweep.statuses())
    with httpx2.Client(base_url=server.address) as client:
        path = f"/api/v1/sweeps/{sweep.id}/cells"
        client.get(path)
        row(f"{cells:,} cells: page, first byte", f"{timed(lambda: client.get(f'/sweeps/{sweep.id}')):.0f} ms")
        row(f"{cells:,} cells: document", f"{timed(lambda: client.get(path)):.0f} ms")
        job = sweep.statuses()[0].id
        count, start = 0, time.perf_counter()
        while time.perf_counter() - start < SECONDS:
            client.get(f"/api/v1/jobs/{job}/status")
            count += 1
        row("status endpoint, one connection", f"{count / (time.perf_counter() - start):.0f} requests/s")


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
    row("a rating stored, p99 of 200", f"{sorted(took)[int(len(took) * 0.99)]:.0f} ms")


def measure_streams(server: WebServer, farm: Farm, sweep: Sweep) -> None:
    """From a change in the database to a hundred viewers, at many changes a second."""
    jobs = [status.id for status in sweep.statuses()]
    connections = [opened(server, f"/api/v1/sweeps/{sweep.id}/stream") for _ in range(VIEWERS)]
    time.sleep(1)
    heard: list[float] = []
    stop = threading.Event()

    def read(connection: Any) -> None:
        with connection.makefile("rb") as lines:
            for line in lines:
                if line.startswith(b"data: "):
                    heard.append(time.monotonic())
                if stop.is_set():
                    return

    readers = [threading.Thread(target=read, args=(connection,), daemon=True) for connection in connections]
    for reader in readers:
        reader.start()
    delays = []
    for number in range(20):
        heard.clear()
        some = jobs[number * 50 : number * 50 + 50]
        start = time.monotonic()
        # Done jobs are queued anew, and cancelled before anybody renders them.
        farm.store.commands.retry(JobSelector(jobs=some))
        farm.store.commands.cancel(JobSelector(jobs=some))
        until = start + 5
        while len(heard) < VIEWERS and time.monotonic() < until:
            time.sleep(0.005)
        delays.append((max(heard) if len(heard) >= VIEWERS else until) - start)
    stop.set()
    for connection in connections:
        connection.close()
    row(
        f"50 changes to the last of {VIEWERS} viewers, worst of 20",
        f"{max(delays):.2f} s (median {statistics.median(delays):.2f})",
    )


def _seconds(delays: list[float]) -> str:
    return f"{max(delays):.2f} s (median {statistics.median(delays):.2f})"


@contextmanager
def chromium() -> Iterator[Page]:
    """A page in Chromium, 1440 x 900."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser.new_context(viewport={"width": 1440, "height": 900}).new_page()
        browser.close()


def measure_page(page: Page, server: WebServer, sweep: Sweep, large: Sweep) -> None:
    """The page of a sweep until it can be used, scrolling, and a key until its rating is shown."""
    for shown, name in ((sweep, "2,000"), (large, "20,000")):
        took = []
        for _ in range(3):
            start = time.perf_counter()
            page.goto(f"{server.address}/sweeps/{shown.id}", wait_until="commit")
            page.wait_for_selector("[role=gridcell]")
            took.append(time.perf_counter() - start)
        row(f"{name} cells: usable in Chromium", f"{statistics.median(took):.2f} s")
    page.wait_for_timeout(1000)
    found = page.evaluate(SCROLL)
    row(
        "20,000 cells: frames under 16.7 ms while scrolling",
        f"{100 * found['within']:.0f} % (p95 {found['p95']:.1f} ms)",
    )
    row("20,000 cells: cells in the DOM", f"{found['cells']}")


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


if __name__ == "__main__":
    main()
