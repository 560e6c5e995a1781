"""What is pressed, read or written on a page stays, while the page is brought up to date."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Locator, Page, expect

from stylefarm import Farm, State
from stylefarm.shared.db.records import Fence
from stylefarm.shared.dispatch.workers import NewWorker
from stylefarm.shared.errors import InvalidImage
from tests.browser import browser_page
from tests.live_pages import MakeUp, advance, finish, hold, of, open_sweep, refuse, running, until, wait_for
from tests.web_server import WebServer, rendering_suspended

# Holds the frames of a page back, as a slow machine does, until `window.frames_on()`.
NO_FRAMES = """() => {
    const ask = window.requestAnimationFrame, held = [];
    window.requestAnimationFrame = (work) => held.push(work);
    window.frames_on = () => { window.requestAnimationFrame = ask; held.forEach((work) => ask(work)); };
}"""


def press(page: Page, target: Locator) -> None:
    """Press the button of the mouse on something, and hold it."""
    target.hover()
    page.mouse.down()


def test_parts_of_a_running_jobs_page_stay(make_up: MakeUp, server: WebServer, farm: Farm) -> None:
    """Given a job that goes on, I expect what is folded, hidden in the chart, or pressed to stay as it is."""
    sweep = make_up({}, cells=[{}], outcome=lambda _: State.RUNNING)
    (job,) = sweep
    with browser_page(f"{server.address}/jobs/{job.id}") as page:
        page.locator("aside .state", has_text="5 of 10").wait_for()
        summary = page.locator("aside summary")
        summary.click()
        page.locator(".u-legend .u-label", has_text="tv").click()
        page.locator(".u-legend .u-off").wait_for()
        row = page.locator(".card.wide tbody tr").first.element_handle()
        press(page, summary)
        advance(farm, job, 6)
        page.locator("aside .state", has_text="6 of 10").wait_for()
        page.mouse.up()
        # The press is not lost.
        expect(page.locator("aside details")).to_have_attribute("open", "")
        summary.click()
        advance(farm, job, 7)
        page.locator("aside .state", has_text="7 of 10").wait_for()
        expect(page.locator("aside details")).not_to_have_attribute("open", "")
        expect(page.locator(".u-legend .u-off")).to_have_count(1)
        assert row.evaluate("row => row.isConnected")


def test_a_chart_that_is_zoomed_stays_so(make_up: MakeUp, server: WebServer, farm: Farm) -> None:
    """Given a chart of a job that goes on, I expect it to show all of it, or what was zoomed to."""
    (job,) = running(make_up, 1)
    last = "() => document.querySelector('.u-legend .u-value').textContent"
    with browser_page(f"{server.address}/jobs/{job.id}") as page:
        over = page.locator(".u-over")

        def read(part: float) -> str:
            """What the legend says the iteration is at a part of the width."""
            box = over.bounding_box()
            assert box is not None
            over.hover(position={"x": 1 + part * (box["width"] - 2), "y": box["height"] / 2})
            return str(page.evaluate(last))

        until(page, lambda: read(1) == "5")
        advance(farm, job, 6)
        until(page, lambda: read(1) == "6")
        box = over.bounding_box()
        assert box is not None
        page.mouse.move(box["x"] + box["width"] / 3, box["y"] + 20)
        page.mouse.down()
        page.mouse.move(box["x"] + 2 * box["width"] / 3, box["y"] + 20, steps=4)
        page.mouse.up()
        until(page, lambda: (read(0), read(1)) == ("2", "4"))
        advance(farm, job, 7)
        page.locator("aside .state", has_text="7 of 10").wait_for()
        until(page, lambda: (read(0), read(1)) == ("2", "4"))


def test_the_end_of_a_job_is_shown_whole(make_up: MakeUp, server: WebServer, farm: Farm) -> None:
    """Given a job that ends while a page asks for its parts, I expect its page to show its end in all of them."""
    (job,) = running(make_up, 1)
    answered: list[str] = []
    with browser_page(f"{server.address}/jobs/{job.id}") as page:
        page.locator("aside .state", has_text="5 of 10").wait_for()
        asked = hold(page, of(f"/jobs/{job.id}"))
        wait_for(page, asked)
        page.on("response", lambda response: answered.append(response.url))
        # The parts, if they are asked for at the same time.
        for _ in range(50):
            page.wait_for_timeout(20)
            if len(answered) == 3:
                break
        finish(farm, job, 81)
        asked[0].continue_()
        page.locator("aside .state", has_text="done").wait_for()
        page.locator("table .state", has_text="done").wait_for()
        expect(page.get_by_text("at work")).to_have_count(0)


def test_a_job_that_is_retried_shows_no_picture_of_before(make_up: MakeUp, server: WebServer, farm: Farm) -> None:
    """Given a job that failed after snapshots, if it begins anew, I expect its page to show none of them."""
    job, *_ = running(make_up, 3, snapshots=2)
    assert farm.store.attempts.fail(Fence(job.id, 1), InvalidImage("cut short"), {}) is State.FAILED
    with browser_page(f"{server.address}/jobs/{job.id}") as page:
        page.locator(".job-picture img[src]").first.wait_for(state="attached")
        with rendering_suspended(server.process.pid, farm.settings.home / "farm.db"):
            page.get_by_role("button", name="Retry").click()
            page.locator("aside .state", has_text="queued").wait_for()
            assert farm.store.attempts.claim(job.id, "made up", lease=3600) is not None
        page.get_by_text("No picture yet.").wait_for()
        expect(page.locator(".job-picture img[src]")).to_have_count(0)


def test_a_job_that_has_ended_meanwhile_is_not_said_to_be_cancelled(
    make_up: MakeUp, server: WebServer, farm: Farm
) -> None:
    """Given a job that has ended since its page was drawn, if it is cancelled there, I expect the truth."""
    (job,) = running(make_up, 1)
    with browser_page(f"{server.address}/jobs/{job.id}") as page:
        page.get_by_role("button", name="Cancel", exact=True).click()
        finish(farm, job, 82)
        page.get_by_role("button", name="Cancel it").click()
        page.get_by_text("Nothing was changed: the job is done.").wait_for()


def test_siblings_are_offered_after_a_refusal(make_up: MakeUp, server: WebServer) -> None:
    """Given a job that runs, if its sweep is refused once, I expect its siblings to be offered all the same."""
    job, _ = running(make_up, 2)
    with browser_page(server.address) as page:
        page.route(of("/cells"), lambda route: refuse(route), times=1)
        page.goto(f"{server.address}/jobs/{job.id}")
        page.get_by_text("not now").wait_for()
        page.get_by_label("Beside it").wait_for()


def test_the_table_of_workers_is_pressed_and_read(server: WebServer, farm: Farm) -> None:
    """Given the table of workers, if it is brought up to date while a button of it is pressed, I expect the press to
    count; and while a button has the focus, I expect it to be brought up to date all the same."""
    workers = farm.services.workers
    workers.register([NewWorker("gpu0@one", "one", "cuda:0")])
    with browser_page(f"{server.address}/workers") as page:
        drain = page.get_by_role("button", name="Drain")
        drain.wait_for()
        late = hold(page, of("/workers"))
        (route,) = wait_for(page, late)
        answer = route.fetch()
        document = answer.json()
        document["workers"][0]["done_last_hour"] = 7
        press(page, drain)
        route.fulfill(response=answer, json=document)
        page.get_by_role("cell", name="7", exact=True).wait_for()
        page.mouse.up()
        page.locator(".state", has_text="draining").wait_for()
        page.get_by_role("button", name="Take jobs again").focus()
        workers.unregister(["gpu0@one"])
        page.get_by_text("No worker has reported yet.").wait_for()


def test_filters_are_pressed_while_cells_change(make_up: MakeUp, server: WebServer, farm: Farm) -> None:
    """Given the filters of a sweep whose jobs end, I expect each press on one of them to count, and none to be blank
    when there is another metric."""
    first, second, third = sweep = running(make_up, 3)
    blank = """() => {
        window.blank = false;
        const panel = document.getElementById("panel");
        const look = () => { window.blank ||= [...panel.querySelectorAll(".chip")].some((chip) => !chip.textContent); };
        new MutationObserver(() => requestAnimationFrame(look)).observe(panel, { childList: true });
    }"""
    with browser_page(server.address) as page:
        open_sweep(page, sweep, server)
        page.keyboard.press("f")
        chip = page.locator(".chip", has_text="unrated")
        press(page, chip.locator("span"))
        finish(farm, first, 83)
        page.locator(".chip", has_text=re.compile("done.*1")).wait_for()
        page.mouse.up()
        page.locator(".chip[aria-pressed=true]", has_text="unrated").wait_for()
        page.evaluate(blank)
        finish(farm, second, 84, {"ssim": 0.25})
        finish(farm, third, 85, {"ssim": 0.5})
        page.get_by_label("ssim, least").wait_for()
        assert not page.evaluate("window.blank")


def test_the_job_of_a_cell_is_opened_while_it_goes_on(make_up: MakeUp, server: WebServer, farm: Farm) -> None:
    """Given the loupe on a job that goes on, if its link is pressed meanwhile, I expect it to be followed."""
    first, _ = sweep = running(make_up, 2)
    with browser_page(server.address) as page:
        open_sweep(page, sweep, server, "?view=loupe")
        press(page, page.get_by_role("link", name="Open the job"))
        advance(farm, first, 6)
        page.locator(".facts-panel .state", has_text="6 of 10").wait_for()
        page.mouse.up()
        page.wait_for_url(re.compile("/jobs/"))


@pytest.mark.parametrize("canvas", [".histogram:visible", ".parallel canvas >> nth=2"])
def test_a_range_is_drawn_faster_than_the_page(make_up: MakeUp, server: WebServer, farm: Farm, canvas: str) -> None:
    """Given a page that is slower than the pointer, if a range is drawn in one frame, I expect it to filter."""
    sweep = running(make_up, 3, outcome=lambda _: State.DONE)
    with browser_page(server.address) as page:
        open_sweep(page, sweep, server, "?view=explore")
        page.keyboard.press("f")
        page.locator(".histogram:visible").first.wait_for()
        page.locator(".parallel[data-axes]").wait_for()
        box = page.locator(canvas).first.bounding_box()
        assert box is not None
        # Along the histogram, or down the first axis.
        upright = "parallel" in canvas
        x, y = (box["x"] + 56, box["y"] + 60) if upright else (box["x"] + 20, box["y"] + 15)
        page.evaluate(NO_FRAMES)
        page.mouse.move(x, y)
        page.mouse.down()
        page.mouse.move(x + (0 if upright else 60), y + (60 if upright else 0))
        page.mouse.up()
        page.evaluate("window.frames_on()")
        page.get_by_role("button", name="Filters: 1").wait_for()
