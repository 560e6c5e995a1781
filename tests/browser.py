"""Chromium, as somebody who looks at the dashboard has it."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from typing import Any

from playwright.sync_api import ConsoleMessage, Page, expect, sync_playwright

from tests.servers.chromium import CHROMIUM

MILLISECONDS = 60_000
# Pages are drawn by frames: what is expected of one is waited for.
expect.set_options(timeout=MILLISECONDS)


@contextmanager
def browser_page(address: str, *, refusals: Collection[int] = (422,), **options: Any) -> Iterator[Page]:
    """A page in Chromium; whatever it complains of, or asks of other servers, fails the test.

    That a form was refused (422), or what else `refusals` has, is no fault: the page says why.
    """
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"], timeout=120_000)
        try:
            context = browser.new_context(**options)
            context.set_default_timeout(MILLISECONDS)
            page = context.new_page()
            faults: list[str] = []
            page.on("console", lambda message: faults.append(message.text) if _is_fault(message, refusals) else None)
            page.on("pageerror", lambda error: faults.append(str(error)))
            root = "/".join(address.split("/")[:3])
            ours = (root, "blob:", "data:")
            page.on("request", lambda request: None if request.url.startswith(ours) else faults.append(request.url))
            page.goto(address)
            yield page
            assert faults == []
        finally:
            browser.close()


def _is_fault(message: ConsoleMessage, refusals: Collection[int]) -> bool:
    return message.type == "error" and not any(f"status of {status}" in message.text for status in refusals)
