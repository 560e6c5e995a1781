"""Pages that are looked at while jobs run, and requests of theirs that a test keeps back."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from itertools import count
from re import Pattern
from typing import Any

from playwright.sync_api import Page, Route

from stylefarm import Farm, Job, State, Sweep
from stylefarm.shared.blobs.storage import store_object
from stylefarm.shared.db.records import Fence, LossPoint
from tests.made_up import png, texture
from tests.servers.processes import wait_until
from tests.web_server import WebServer

MakeUp = Callable[..., Sweep]
_seeds = count(1)


def hold(page: Page, address: str | Pattern[str], number: int = 1) -> list[Route]:
    """Keep back the next requests for an address, so many of them: they are in the list as soon as they are sent."""
    held: list[Route] = []

    def keep(route: Route) -> None:
        if len(held) < number:
            held.append(route)
        else:
            route.fallback()

    # Where no route is left, as with `times`, Playwright lets go of what is held.
    page.route(address, keep)
    return held


def until(page: Page, condition: Callable[[], bool]) -> None:
    """Wait until a condition holds, while the browser tells of its requests and these are kept back or let go."""

    def holds() -> bool:
        page.wait_for_timeout(20)
        return condition()

    wait_until(holds, 60)


def wait_for(page: Page, held: list[Route], number: int = 1) -> list[Route]:
    """Wait until so many requests are kept back, and return them."""
    until(page, lambda: len(held) >= number)
    return held


def refuse(route: Route, status: int = 422, sentence: str = "not now") -> None:
    """Answer a request by a problem document; the tests of pages take a 422 for no fault."""
    body = json.dumps({"detail": sentence})
    route.fulfill(status=status, content_type="application/problem+json", body=body)


def of(name: str) -> Pattern[str]:
    """The addresses that end so, with a query or without."""
    return re.compile(rf"{name}(\?[^/]*)?$")


def running(make_up: MakeUp, number: int, **options: Any) -> Sweep:
    """A sweep of so many cells, all at work, which it shares with no other one."""
    axes = {"content": ["a.png"], "style": ["s.png"], "seed": [next(_seeds) for _ in range(number)]}
    return make_up(axes, **{"outcome": lambda _: State.RUNNING, **options})


def advance(farm: Farm, job: Job, iteration: int, attempt: int = 1) -> None:
    """Let a job that runs reach an iteration."""
    assert farm.store.attempts.record_losses(Fence(job.id, attempt), [LossPoint(iteration, (2.0, 1.0, 0.5, 0.5))])


def finish(farm: Farm, job: Job, seed: int, metrics: dict[str, float] | None = None) -> str:
    """Let a job that runs end with a picture, and return its hash."""
    picture = store_object(farm.services.blobs, f"{seed}.png", png(texture(seed)), "image/png")
    assert farm.store.attempts.finish(Fence(job.id, 1), picture, {}, metrics or {})
    return picture.sha256


def open_sweep(page: Page, sweep: Sweep, server: WebServer, query: str = "") -> None:
    """Open the page of a sweep, and wait until its changes are told."""
    # Requests that are sent while Chromium begins to keep some back pass unseen.
    hold(page, "**/none", 0)
    page.goto(f"{server.address}/sweeps/{sweep.id}{query}")
    page.get_by_text("Live", exact=True).wait_for()
