"""Times the page of a sweep in Chromium: until it can be used, scrolling, a key until its rating shows, a brush."""

from __future__ import annotations

import statistics
from collections.abc import Iterator
from contextlib import contextmanager
from time import perf_counter

from playwright.sync_api import Page, sync_playwright

from benchmarks.web_rows import quantile, row
from stylefarm import Sweep
from tests.servers.chromium import CHROMIUM
from tests.web_server import WebServer

RATINGS = 60
BRUSH_STEPS = 60

SCROLL = """
async () => {
  const scrolls = (e) => e.scrollHeight > e.clientHeight * 3 && getComputedStyle(e).overflowY !== "visible";
  const grid = [...document.querySelectorAll("*")].find(scrolls);
  const frames = [];
  let most = 0, last = await new Promise(requestAnimationFrame);
  for (let step = 0; step < 240; step++) {
    grid.scrollTop += 60;
    // The time at which the frame begins, which is the screen's: from one to the next it is 16.7 ms, or as many times
    // that as frames are left out. The time at which a script runs within its frame varies by a millisecond or two.
    const now = await new Promise(requestAnimationFrame);
    frames.push(now - last);
    last = now;
    if (step % 20 === 0) most = Math.max(most, document.querySelectorAll("[role=gridcell]").length);
  }
  frames.sort((a, b) => a - b);
  const within = frames.filter((f) => f < 17).length / frames.length;
  return { p95: frames[Math.floor(frames.length * 0.95)], within, cells: most };
}
"""

# From an event of the user until the frame after the page has changed for it.
PROBE = """
([event, element]) => {
  window.took = [];
  let began = null;
  document.addEventListener(event, (e) => { began ??= e.timeStamp; }, true);
  new MutationObserver(() => {
    if (began === null) return;
    const start = began;
    began = null;
    requestAnimationFrame(() => setTimeout(() => window.took.push(performance.now() - start)));
  }).observe(document.querySelector(element), { subtree: true, childList: true, characterData: true });
}
"""


@contextmanager
def chromium() -> Iterator[Page]:
    """A page in Chromium, 1440 x 900."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser.new_context(viewport={"width": 1440, "height": 900}).new_page()
        browser.close()


def measure_pages(page: Page, server: WebServer, sweep: Sweep, large: Sweep) -> None:
    """All of it; the page ends on the smaller sweep."""
    for shown in (large, sweep):
        took = []
        for _ in range(3):
            start = perf_counter()
            page.goto(f"{server.address}/sweeps/{shown.id}", wait_until="commit")
            page.wait_for_selector("[role=gridcell]")
            took.append(perf_counter() - start)
        row(f"{len(shown):,} cells: usable in Chromium", f"{statistics.median(took):.2f} s")
        page.wait_for_timeout(1000)
        if shown is large:
            _measure_scrolling(page, len(shown))
    _measure_keys(page)
    _measure_brush(page, server, sweep)


def _measure_scrolling(page: Page, cells: int) -> None:
    found = page.evaluate(SCROLL)
    frames = f"{100 * found['within']:.0f} % (p95 {found['p95']:.1f} ms)"
    row(f"{cells:,} cells: frames under 16.7 ms while scrolling", frames)
    row(f"{cells:,} cells: cells in the DOM", f"{found['cells']}")


def _measure_keys(page: Page) -> None:
    page.locator("[role=gridcell]").first.click()
    page.evaluate(PROBE, ["keydown", "#grid"])
    for number in range(RATINGS):
        page.keyboard.press(str(1 + number % 5))
        page.wait_for_timeout(50)
    _tell(page, "a key until its rating shows")


def _measure_brush(page: Page, server: WebServer, sweep: Sweep) -> None:
    page.goto(f"{server.address}/sweeps/{sweep.id}?view=explore")
    page.wait_for_selector(".parallel[data-axes]")
    page.wait_for_timeout(1500)
    box = page.locator(".parallel").bounding_box()
    assert box is not None
    # The second axis from the left is that of the seeds: each value that the brush takes in changes what is shown.
    uprights = page.evaluate("Number(document.querySelector('.parallel').dataset.axes)")
    x = box["x"] + 56 + (box["width"] - 112) / (uprights - 1)
    page.mouse.move(x, box["y"] + 290)
    page.mouse.down()
    page.mouse.move(x, box["y"] + 280)
    page.wait_for_timeout(300)
    page.evaluate(PROBE, ["pointermove", "#status"])
    for step in range(BRUSH_STEPS):
        page.mouse.move(x, box["y"] + 275 - step * 3.5)
        page.wait_for_timeout(100)
    page.mouse.up()
    _tell(page, f"{len(sweep):,} cells: a brush until the cells are filtered")


def _tell(page: Page, what: str) -> None:
    took = page.evaluate("window.took")
    row(what, f"p95 {quantile(took, 0.95):.0f} ms (median {statistics.median(took):.0f}, {len(took)} times)")
