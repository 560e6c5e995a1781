"""The dashboard in a browser: a hundred pictures culled by keyboard alone, live cells, and pages read aloud."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Literal

from axe_playwright_python.sync_playwright import Axe

from stylefarm import Farm, State, Sweep
from stylefarm.shared.db.records import Fence, LossPoint
from tests.browser import browser_page
from tests.servers.processes import wait_until
from tests.web_server import WebServer

PICTURES = 100
TABS = 8
SCHEMES: tuple[Literal["dark", "light"], ...] = ("dark", "light")


def rated(farm: Farm, jobs: list[str]) -> list[tuple[int | None, str | None]]:
    """What is stored of the user of this machine for each job."""
    return [(status.stars, status.flag) for status in farm.statuses(jobs)]


def test_a_hundred_pictures_are_culled_by_keyboard(
    make_up: Callable[..., Sweep], server: WebServer, farm: Farm
) -> None:
    """Given a hundred pictures, if each is judged by one key, I expect all stored, and each undo exact."""
    sweep = make_up({"content": ["a.png"], "style": ["s.png"], "style_weight": list(range(1, PICTURES + 1))})
    jobs = [status.id for status in sweep.statuses()]
    keys = random.Random(1).choices("012345px", k=PICTURES)
    expected = [(None, "pick" if key == "p" else "reject") if key in "px" else (int(key), None) for key in keys]
    with browser_page(f"{server.address}/sweeps/{sweep.id}?view=loupe") as page:
        page.get_by_text("Live", exact=True).wait_for()
        for key in keys:
            page.keyboard.press(key)
        wait_until(lambda: rated(farm, jobs) == expected, 60)
        for _ in range(20):
            page.keyboard.press("Control+z")
        wait_until(lambda: rated(farm, jobs) == [*expected[:80], *[(None, None)] * 20], 60)
        for _ in range(20):
            page.keyboard.press("Control+Shift+Z")
        wait_until(lambda: rated(farm, jobs) == expected, 60)
        page.reload()
        page.get_by_text("Live", exact=True).wait_for()
        page.keyboard.press("g")
        page.wait_for_url(lambda url: "view=loupe" not in url, timeout=60_000)


def test_cells_come_alive_in_every_tab(make_up: Callable[..., Sweep], server: WebServer, farm: Farm) -> None:
    """Given a grid in eight tabs, if a job goes on and ends, I expect its cell to show that without a reload."""
    axes = {"content": ["a.png", "b.png"], "style": ["s.png"]}
    sweep = make_up(axes, outcome=lambda cell: State.DONE if cell["content"] == "a.png" else State.RUNNING)
    with browser_page(f"{server.address}/sweeps/{sweep.id}") as page:
        # More than the connections that a browser opens to one server.
        tabs = [page, *(page.context.new_page() for _ in range(TABS - 1))]
        for tab in tabs[1:]:
            tab.goto(page.url)
        for tab in tabs:
            tab.get_by_text("Live", exact=True).wait_for()
        job = sweep.statuses()[1].id
        farm.store.attempts.record_losses(Fence(job, 1), [LossPoint(6, (1.0, 0.5, 0.25, 0.25))])
        for tab in tabs:
            tab.get_by_text("6 / 10").first.wait_for(timeout=60_000)
        page.locator(f'img[src*="{sweep.statuses()[0].result_sha256}"]').first.wait_for(state="attached")
        # As another worker would, with a picture that is in the farm already.
        first = sweep.statuses()[0].result
        assert first is not None
        assert farm.store.attempts.finish(Fence(job, 1), first, {}, {"ssim": 0.5})
        page.wait_for_function(
            "sha => document.querySelectorAll(`main img[src*='${sha}']`).length >= 2", arg=first.sha256, timeout=60_000
        )


def test_every_page_can_be_read_aloud(make_up: Callable[..., Sweep], server: WebServer) -> None:
    """Given each page in each theme, I expect axe to find nothing serious, and no complaint of the browser."""
    sweep = make_up({"content": ["a.png"], "style": ["s.png", "t.png"], "style_weight": [1, 2, 3]}, snapshots=2)
    views = [f"/sweeps/{sweep.id}?view={view}" for view in ("grid", "loupe", "compare", "survey", "explore", "vote")]
    with browser_page(server.address) as page:
        for path in [
            "/",
            "/workers",
            "/models",
            "/datasets",
            "/new",
            "/docs",
            "/login",
            f"/jobs/{sweep.statuses()[0].id}",
            *views,
        ]:
            page.goto(server.address + path)
            page.wait_for_timeout(300)
            for scheme in SCHEMES:
                page.emulate_media(color_scheme=scheme)
                found = Axe().run(page).response["violations"]
                serious = [one for one in found if one["impact"] in {"serious", "critical"}]
                assert not serious, (path, scheme, [(one["id"], one["nodes"][0]["html"]) for one in serious])


def test_on_a_phone_nothing_is_named_by_keys_or_out_of_sight(make_up: Callable[..., Sweep], server: WebServer) -> None:
    """Given a phone, I expect all of the menu in sight, and the buttons of a pair to say where its pictures stand."""
    sweep = make_up({"content": ["a.png"], "style": ["s.png", "t.png"]})
    with browser_page(server.address, viewport={"width": 390, "height": 844}) as page:
        assert page.locator(".top nav").evaluate("nav => nav.scrollWidth <= nav.clientWidth")
        page.goto(f"{server.address}/models")
        page.locator(".empty code").first.wait_for()
        assert page.locator(".empty code").all_inner_texts() == ["stylefarm model pull", "stylefarm train"]
        page.goto(f"{server.address}/sweeps/{sweep.id}?view=vote")
        page.get_by_text("0 votes", exact=True).wait_for()
        page.get_by_role("button", name="Upper is better", exact=True).click()
        page.get_by_text("1 vote", exact=True).wait_for()
        assert page.locator(".vote-stand").get_by_role("button").all_inner_texts() == [
            "Upper is better",
            "Lower is better",
            "Equally good",
            "Skip",
            "Undo",
        ]
