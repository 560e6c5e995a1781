"""The dashboard in a browser while a real process renders: a form, a live grid, a curve, a slider, a cancel, votes."""

from __future__ import annotations

import re
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Locator, Page

from stylefarm import Farm, Job, State, Sweep
from stylefarm.producer.client import voting
from stylefarm.producer.client.search import best, search, tried_cells
from stylefarm.producer.grids import parse_grid
from stylefarm.shared.blobs.storage import store_object
from stylefarm.shared.db.records import Fence
from tests.browser import browser_page
from tests.live_pages import hold, open_sweep, wait_for
from tests.made_up import png, texture
from tests.servers.processes import wait_until
from tests.web_server import WebServer

SHALLOW = {"content_layers": ["relu2_1"], "style_layers": ["relu1_1"]}
TRIALS = 6

# What the chart shows: taken at once, since it is drawn anew every other second while a job runs.
CHART = "() => document.querySelector('.plot canvas')?.toDataURL() ?? null"


def pixels(element: Locator) -> np.ndarray[Any, np.dtype[np.uint8]]:
    """What an element looks like, (height, width, 3)."""
    return np.asarray(Image.open(BytesIO(element.screenshot())).convert("RGB"))


def row(page: Page, number: int, name: str, values: str) -> None:
    """Write a parameter and its values into a row of the form."""
    page.get_by_label("Parameter", exact=True).nth(number).fill(name)
    page.get_by_label("Values, with commas between them").nth(number).fill(values)


def test_a_form_makes_a_sweep_whose_cells_are_seen_being_painted(server: WebServer, farm: Farm, pictures: Path) -> None:
    """Given the form, if two pictures and parameters are given, I expect the grid to show a worker paint the cells,
    with steps and snapshots, without a reload; and what is wrong with the form told as it is written."""
    with browser_page(f"{server.address}/new") as page:
        button = page.locator("button.main")
        assert button.is_disabled()
        page.get_by_label("Name").fill("Evening")
        page.get_by_label("Contents").set_input_files(pictures / "a.png")
        page.get_by_label("Styles").set_input_files(pictures / "s.png")
        row(page, 0, "size", "32")
        row(page, 1, "style_weigth", "1, 5")
        page.locator(".forecast.error").get_by_text("style_weight").wait_for()
        row(page, 1, "style_weight", "1, 5")
        # The second one is painted as long as it is looked at.
        others = {"iterations": "2, 100000", "snapshot_every": "5"}
        for number, (name, values) in enumerate(others.items(), start=2):
            page.get_by_role("button", name="Add a parameter").click()
            row(page, number, name, values)
        page.get_by_role("button", name="Render 4", exact=True).click()
        page.wait_for_url(re.compile("/sweeps/"))
        (sweep,) = [one for one in farm.sweeps() if one.name == "Evening"]
        sweep = farm.find_sweep(sweep.id)
        done, painted, *_ = sweep
        try:
            wait_until(lambda: done.status().state is State.DONE, 240)
            page.locator(f'.cell img[src*="{done.status().result_sha256}"]').wait_for()
            step = page.locator(".cell .value", has_text=re.compile("/ 100,000$"))
            before = step.first.inner_text()
            wait_until(lambda: step.first.inner_text() != before, 120)
            wait_until(lambda: is_snapshot_shown(page, painted), 120)
        finally:
            sweep.cancel()
        wait_until(lambda: all(status.state.final for status in sweep.statuses()), 60)
    assert {status.cell["style_weight"] for status in sweep.statuses()} == {1, 5}


def is_snapshot_shown(page: Page, job: Job) -> bool:
    """Whether a cell shows a snapshot of a job now."""
    shown = page.evaluate("() => [...document.querySelectorAll('.cell img[src]')].map((image) => image.src)")
    # Asked for later, so that what is shown is among them.
    return any(snapshot.stored.sha256 in source for snapshot in job.snapshots() for source in shown)


def test_a_running_job_is_watched_and_cancelled(server: WebServer, farm: Farm, pictures: Path) -> None:
    """Given a job that runs, I expect its curve to grow while it is looked at; and if it is cancelled, its process to
    stop it, and the page to say so."""
    job = farm.submit(content=pictures / "a.png", style=pictures / "s.png", size=32, iterations=100_000, **SHALLOW)
    with browser_page(f"{server.address}/jobs/{job.id}") as page:
        page.locator(".plot canvas").wait_for()
        page.locator(".state", has_text="running").first.wait_for()
        cancel = page.get_by_role("button", name="Cancel", exact=True)
        pressed = cancel.element_handle()
        # One answer that fails is told, and the page looks again.
        refusal = {"status": 422, "content_type": "application/problem+json", "body": '{"detail": "not now"}'}
        page.route("**/losses", lambda route: route.fulfill(**refusal), times=1)
        page.get_by_text("not now").wait_for()
        before = page.wait_for_function(CHART).json_value()
        wait_until(lambda: page.evaluate(CHART) not in {None, before}, 60)
        assert pressed.evaluate("button => button.isConnected"), "a button that goes while it is pressed is not clicked"
        cancel.click()
        page.get_by_role("button", name="Cancel it").click()
        page.locator("aside .state", has_text="cancelled").wait_for()
        page.get_by_role("button", name="Retry").wait_for()
    assert job.status().state is State.CANCELLED


def test_a_curve_is_read(make_up: Callable[..., Sweep], server: WebServer) -> None:
    """Given a job of a sweep, I expect its curve with its terms, values under the pointer, either scale, siblings."""
    sweep = make_up({"content": ["a.png"], "style": ["s.png"], "style_weight": [1, 2, 3]}, name="curves")
    refusal = {"status": 422, "content_type": "application/problem+json", "body": '{"detail": "not now"}'}
    with browser_page(f"{server.address}/workers") as page:
        # Siblings are offered also where the first look fails.
        page.route("**/losses", lambda route: route.fulfill(**refusal), times=1)
        page.goto(f"{server.address}/jobs/{sweep.statuses()[0].id}")
        legend = page.locator(".u-legend .u-series")
        labels = legend.locator(".u-label")
        labels.first.wait_for()
        assert labels.all_inner_texts() == ["iteration", "total", "content", "style", "tv"]
        over = page.locator(".u-over")

        def is_last_read() -> bool:
            """Whether the legend tells of the last iteration, to which the pointer goes."""
            box = over.bounding_box()
            assert box is not None
            over.hover(position={"x": box["width"] - 1, "y": box["height"] / 2})
            return legend.locator(".u-value").first.inner_text() == "10"

        # The chart moves while pictures above it are loaded.
        wait_until(is_last_read, 60)
        # As `made_up` has it: 1000 / (step + 1) + part.
        values = page.locator(".u-legend .u-value").all_inner_texts()
        assert [float(value) for value in values[1:]] == pytest.approx([90.9, 91.9, 92.9, 93.9], rel=1e-3)
        page.mouse.move(0, 0)
        logarithmic = pixels(page.locator(".plot canvas"))
        page.get_by_role("button", name="Logarithmic").click()
        assert page.get_by_role("button", name="Logarithmic").get_attribute("aria-pressed") == "false"
        wait_until(lambda: not np.array_equal(pixels(page.locator(".plot canvas")), logarithmic), 60)
        page.get_by_label("Beside it").select_option(label="other values of style weight")
        page.wait_for_function("() => document.querySelectorAll('.u-legend .u-series').length === 7")
        assert labels.all_inner_texts()[5:] == ["style weight 2", "style weight 3"]


def test_two_pictures_are_compared_by_a_slider_and_over_time(make_up: Callable[..., Sweep], server: WebServer) -> None:
    """Given two cells with snapshots, I expect a slider to divide one from the other where it stands, their difference
    to be that, and another slider to show both at one iteration."""
    axes = {"content": ["left.png", "right.png"], "style": ["s.png"]}
    sweep = make_up(axes, name="pair", snapshots=2)
    left, right = sweep.statuses()
    with browser_page(f"{server.address}/sweeps/{sweep.id}?view=compare&mode=slider") as page:
        overlay, divider = page.locator(".overlay"), page.get_by_label("How much of the left picture")
        for status in (left, right):
            page.locator(f'.overlay .sharp img[src*="{status.result_sha256}"]').first.wait_for(state="attached")

        def is_divided() -> bool:
            """Whether one picture is to be seen on the left of the divider, and the other one on its right."""
            looks = {}
            for value in ("0", "500", "1000"):
                divider.fill(value)
                looks[value] = pixels(overlay)
            width = looks["0"].shape[1]
            first, last = slice(width // 4, width * 45 // 100), slice(width * 55 // 100, width * 3 // 4)
            rows = slice(0, looks["0"].shape[0] * 3 // 4)
            return (
                not np.array_equal(looks["0"][rows, first], looks["1000"][rows, first])
                and np.array_equal(looks["500"][rows, first], looks["1000"][rows, first])
                and np.array_equal(looks["500"][rows, last], looks["0"][rows, last])
            )

        # A picture that is loaded is drawn a little later.
        wait_until(is_divided, 60)
        page.get_by_label("How the two are compared").select_option("difference")
        page.wait_for_function("() => document.querySelector('canvas.difference').width === 48")
        results = [np.asarray(job.result().image.convert("RGB"), int) for job in sweep]
        found = page.evaluate(
            """() => {
                const canvas = document.querySelector("canvas.difference");
                return [...canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data];
            }"""
        )
        assert np.array_equal(np.reshape(found, (36, 48, 4))[..., :3], abs(results[0] - results[1]))
        page.get_by_label("How the two are compared").select_option("")
        page.get_by_role("button", name="Snapshots in step").click()
        page.get_by_text("iteration 10", exact=True).wait_for()
        page.get_by_label("Iteration of all").fill("0")
        page.get_by_text("iteration 5", exact=True).wait_for()
        for job in sweep:
            page.locator(f'.pane img[src*="{job.snapshots()[0].stored.sha256}"]').first.wait_for(state="attached")


def test_a_pair_is_shown_that_comes_while_the_page_asks_for_one(
    make_up: Callable[..., Sweep], server: WebServer, farm: Farm
) -> None:
    """Given no pair to vote on, if two pictures are done while the answer is on its way, I expect them to be shown."""
    axes = {"content": ["a.png"], "style": ["s.png"], "style_weight": [1, 2]}
    sweep = make_up(axes, name="late", outcome=lambda _: State.RUNNING)
    picture = store_object(farm.services.blobs, "late.png", png(texture(1)), "image/png")
    with browser_page(server.address) as page:
        open_sweep(page, sweep, server)
        asked = hold(page, "**/votes/next")
        page.get_by_role("button", name="Vote", exact=True).click()
        wait_for(page, asked)
        answer = asked[0].fetch()
        for job in sweep:
            assert farm.store.attempts.finish(Fence(job.id, 1), picture, {}, {})
        page.get_by_text("all 2 done").wait_for()
        asked[0].fulfill(response=answer)
        page.locator(".vote-stand .panes").wait_for()


def test_votes_go_on_where_an_answer_is_late_or_none(make_up: Callable[..., Sweep], server: WebServer) -> None:
    """Given a pair that was asked for before a vote, if its answer comes after it, I expect it not shown once more; and
    given a farm that is away for a while, I expect another pair when it is back."""
    axes = {"content": ["a.png"], "style": ["s.png"], "style_weight": [11, 12, 13]}
    sweep = make_up(axes, name="slow votes")
    with browser_page(server.address) as page:
        open_sweep(page, sweep, server, "?view=vote")
        page.get_by_text("0 votes", exact=True).wait_for()
        first = hold(page, "**/votes/next")
        page.get_by_role("button", name="Grid", exact=True).click()
        page.get_by_role("button", name="Vote", exact=True).click()
        wait_for(page, first)
        late = first[0].fetch()
        # The next answer is kept back, so that the late one would be seen.
        second = hold(page, "**/votes/next")
        with page.expect_response("**/votes"):
            page.keyboard.press("ArrowLeft")
        first[0].fulfill(response=late)
        wait_for(page, second)
        assert page.locator(".panes[data-chosen=left]").is_visible(), "the pair that was voted on is not offered again"
        second[0].continue_()
        page.get_by_text("1 vote", exact=True).wait_for()
        away = {"status": 422, "content_type": "application/problem+json", "body": '{"detail": "away"}'}
        page.route("**/votes/next", lambda route: route.fulfill(**away), times=2)
        page.keyboard.press("ArrowLeft")
        page.get_by_text("2 votes", exact=True).wait_for()
        page.keyboard.press("ArrowLeft")
        page.get_by_text("3 votes", exact=True).wait_for()


def test_votes_in_the_browser_steer_a_search(
    server: WebServer, farm: Farm, pictures: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Given a search by votes, if somebody votes for the lighter style each time, I expect it to go on from batch to
    batch as votes come, and to end with that as its best."""
    monkeypatch.setattr(voting, "VOTE_POLL_SECONDS", 0.05)
    fields = {"content": str(pictures / "a.png"), "style": str(pictures / "s.png"), "size": 16, "iterations": 1}
    grid = parse_grid(
        {
            "name": "voted",
            "base": {**fields, **SHALLOW, "snapshot_every": 0},
            "matrix": {"style_weight": {"loguniform": [0.01, 10_000]}},
            "search": {"metric": "preference", "trials": TRIALS, "batch": 3, "votes": 2, "seed": 1},
        }
    )
    assert grid.search is not None
    missing: list[int] = []
    with ThreadPoolExecutor(1) as pool:
        found = pool.submit(search, farm, grid, on_votes=lambda _sweep, votes: missing.append(votes))
        wait_until(lambda: bool(missing) or found.done(), 240)
        assert not found.done(), found.result()
        (sweep,) = [farm.find_sweep(one.id) for one in farm.sweeps() if one.name == "voted"]
        try:
            with browser_page(f"{server.address}/sweeps/{sweep.id}?view=vote") as page:
                vote_until(found.done, page, sweep)
        finally:
            if not found.done():
                sweep.delete()  # which ends the search
        ended = found.result()
    tried = tried_cells(ended, grid.search)
    # Of the second batch all votes may be there before the search looks.
    assert (ended.id, len(tried), missing[0]) == (sweep.id, TRIALS, TRIALS // 2)
    assert best(tried, grid.search).id == min(tried, key=lambda status: status.cell["style_weight"]).id


def vote_until(is_over: Callable[[], bool], page: Page, sweep: Sweep) -> None:
    """Vote for the picture of the smaller style weight, by the key of its side, whenever there are two."""
    votes = 0
    while not is_over():
        if not page.locator(".vote-stand .panes").is_visible():
            page.wait_for_timeout(50)
            continue
        panes = page.locator(".vote-stand .pane").all()
        sources = [str(pane.locator("img[src]").first.get_attribute("src")) for pane in panes]
        # Asked for later, so that what is shown is among them.
        weights = {status.result_sha256: status.cell["style_weight"] for status in sweep.statuses()}
        left, right = (next(weight for sha, weight in weights.items() if sha and sha in source) for source in sources)
        page.keyboard.press("ArrowLeft" if left < right else "ArrowRight")
        votes += 1
        # Where no pair is left, it is not to be seen.
        page.get_by_text(re.compile(rf"^{votes} votes?$")).wait_for(state="attached")
