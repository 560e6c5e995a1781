"""Requests of a page that a test keeps back, so that their answers come when it lets them."""

from __future__ import annotations

import re
from re import Pattern

from playwright.sync_api import Page, Route

from tests.servers.processes import wait_until

# What a page is told where something is not possible now; the tests of pages take this for no fault.
REFUSAL = {"status": 422, "content_type": "application/problem+json", "body": '{"detail": "not now"}'}


def hold(page: Page, address: str | Pattern[str], number: int = 1) -> list[Route]:
    """Keep back the next requests for an address, so many of them: they are in the list as soon as they are sent."""
    held: list[Route] = []
    page.route(address, lambda route: held.append(route), times=number)
    return held


def wait_for(page: Page, held: list[Route], number: int = 1) -> list[Route]:
    """Wait until so many requests are kept back, and return them."""

    def are_sent() -> bool:
        page.wait_for_timeout(20)  # the time in which the browser tells of them
        return len(held) >= number

    wait_until(are_sent, 60)
    return held


def of(name: str) -> Pattern[str]:
    """The addresses that end so, with a query or without."""
    return re.compile(rf"{name}(\?[^/]*)?$")
