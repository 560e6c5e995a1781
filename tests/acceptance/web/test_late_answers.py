"""The page of a sweep where answers come late or in another order, and where fingers are faster than they are."""

from __future__ import annotations

import re
import time

from playwright.sync_api import expect

from stylefarm import Farm, State
from stylefarm.shared.blobs.storage import store_object
from stylefarm.shared.db.clock import LONGEST_SECONDS
from stylefarm.shared.db.records import Fence
from stylefarm.shared.errors import InvalidImage
from tests.browser import browser_page
from tests.live_pages import MakeUp, advance, finish, hold, of, open_sweep, refuse, running, until, wait_for
from tests.made_up import new_job, png, texture
from tests.web_server import WebServer, rendering_suspended


def test_a_newer_thumbnail_is_shown_though_the_one_before_is_late(
    make_up: MakeUp, server: WebServer, farm: Farm
) -> None:
    """Given more thumbnails than are loaded at once, if a cell has a newer one before its first has come, I expect the
    newer one to be shown when its turn comes."""
    sweep = running(make_up, 30, snapshots=1)
    first = next(iter(sweep))
    old = first.snapshots()[0].stored.sha256
    new = store_object(farm.services.blobs, "newer.png", png(texture(77)), "image/png")
    with browser_page(server.address) as page:
        thumbs = hold(page, "**/thumbs/**", 1000)
        open_sweep(page, sweep, server)
        wait_for(page, thumbs, 24)
        assert farm.store.attempts.add_snapshot(Fence(first.id, 1), 6, new)
        advance(farm, first, 6)
        page.get_by_text("6 / 10", exact=True).wait_for()
        for route in [*thumbs]:
            if old in route.request.url:
                route.continue_()
        page.locator(f'.cell.seen img[src*="{old}"]').wait_for()
        page.unroute_all()  # which lets all others go on
        page.locator(f'.cell.seen img[src*="{new.sha256}"]').wait_for()


def test_what_was_told_or_rated_holds_against_an_older_answer(make_up: MakeUp, server: WebServer, farm: Farm) -> None:
    """Given an answer that was made before a job ended and another was rated, if it comes after both were shown, I
    expect both to stay as they are."""
    sweep = running(make_up, 3)
    first, second, third = sweep
    with browser_page(server.address) as page:
        page.goto(f"{server.address}/workers")
        late = hold(page, "**/cells?changed_since=*")
        open_sweep(page, sweep, server)
        (route,) = wait_for(page, late)
        answer = route.fetch()
        document = answer.json()
        finish(farm, first, 1)
        page.get_by_text("1 of 3 done").wait_for()
        page.keyboard.press("ArrowRight")
        page.keyboard.press("4")
        until(page, lambda: second.status().stars == 4)
        page.locator(".marks", has_text="★★★★").wait_for()
        # Something that is new to the page, so that the answer is seen to have been taken in.
        document["cells"]["iteration"][document["cells"]["job"].index(third.id)] = 8
        route.fulfill(response=answer, json=document)
        page.get_by_text("8 / 10", exact=True).wait_for()
        expect(page.get_by_text("1 of 3 done")).to_be_visible()
        expect(page.locator('.cell[data-state="done"]')).to_have_count(1)
        expect(page.locator(".marks", has_text="★★★★")).to_have_count(1)


def test_the_whole_is_asked_for_once_more_and_older_than_what_was_told(
    make_up: MakeUp, server: WebServer, farm: Farm
) -> None:
    """Given a sweep without metrics, if the whole with the first ones comes after another job's end was told, I expect
    both to be shown as ended, and all of their metrics."""
    sweep = running(make_up, 3)
    first, second, _ = sweep
    with browser_page(server.address) as page:
        open_sweep(page, sweep, server, "?sort=ssim")
        whole = hold(page, of("/cells"), 1)
        finish(farm, first, 1, {"ssim": 0.25})
        (route,) = wait_for(page, whole)
        answer = route.fetch()
        finish(farm, second, 2, {"ssim": 0.5})
        page.get_by_text("2 of 3 done").wait_for()
        route.fulfill(response=answer)
        page.locator(".value", has_text="0.5").wait_for()
        page.locator(".value", has_text="0.25").wait_for()
        expect(page.get_by_text("2 of 3 done")).to_be_visible()
        expect(page.locator('.cell[data-state="done"]')).to_have_count(2)


def test_a_tab_that_others_tell_of_changes_catches_up_after_a_refusal(
    make_up: MakeUp, server: WebServer, farm: Farm
) -> None:
    """Given a second tab, if what it asks for first is refused once, I expect it to ask again."""
    sweep = running(make_up, 2)
    with browser_page(server.address) as page:
        open_sweep(page, sweep, server)
        other = page.context.new_page()
        other.route("**/cells?changed_since=*", lambda route: refuse(route), times=1)
        open_sweep(other, sweep, server)


def test_a_page_says_so_where_trying_again_is_of_no_use(make_up: MakeUp, server: WebServer, farm: Farm) -> None:
    """Given a page whose stream was cut, if the sweep is gone or its viewer may look no more, I expect it to say so;
    and if there is an answer after all, to go on."""
    sweep = running(make_up, 2)
    with browser_page(server.address, refusals=(401, 404)) as page:
        page.route(of("/stream"), lambda route: refuse(route, 401, "sign in first"))
        page.goto(f"{server.address}/sweeps/{sweep.id}")
        page.get_by_text("Not connected: trying again").wait_for()
        page.route("**/cells?changed_since=*", lambda route: refuse(route, 401, "sign in first"))
        page.get_by_text("Not connected: reload the page").wait_for()
        page.get_by_text("sign in first").wait_for()
        page.unroute_all()
        page.get_by_text("Live", exact=True).wait_for()


def test_pictures_that_could_not_be_had_are_asked_for_when_the_farm_is_back(make_up: MakeUp, server: WebServer) -> None:
    """Given thumbnails that were not answered, if the farm is away and back, I expect them to be shown."""
    sweep = running(make_up, 2, outcome=lambda _: State.DONE)
    time.sleep(LONGEST_SECONDS + 0.1)  # what changed shortly before an answer is told once more
    with browser_page(server.address) as page:
        page.route("**/thumbs/**", lambda route: refuse(route))
        stream = hold(page, of("/stream"))
        open_sweep(page, sweep, server)
        page.get_by_text("picture not found").first.wait_for()
        page.unroute("**/thumbs/**")
        (cut,) = wait_for(page, stream)
        refuse(cut)
        for status in sweep.statuses():
            page.locator(f'.cell.seen img[src*="{status.result_sha256}"]').wait_for()


def test_snapshots_are_those_of_now(make_up: MakeUp, server: WebServer, farm: Farm) -> None:
    """Given the loupe on a job, if it has another snapshot or is retried, I expect the slider to have what there is."""
    job, *_ = sweep = running(make_up, 3, snapshots=2)
    pictures = [
        store_object(farm.services.blobs, f"{seed}.png", png(texture(seed)), "image/png") for seed in range(200, 203)
    ]
    with browser_page(server.address) as page:
        open_sweep(page, sweep, server, "?view=loupe")
        page.locator("#loupe input[max='1']").wait_for()
        assert farm.store.attempts.add_snapshot(Fence(job.id, 1), 6, pictures[0])
        advance(farm, job, 6)
        page.locator("#loupe input[max='2']").wait_for()
        page.keyboard.press("[")
        page.locator("#loupe .times").get_by_text("iteration 5").wait_for()
        assert farm.store.attempts.fail(Fence(job.id, 1), InvalidImage("cut short"), {}) is State.FAILED
        page.locator("#loupe .state", has_text="failed").wait_for()
        page.reload()
        page.locator("#loupe input[max='2']").wait_for()
        with rendering_suspended(server.process.pid, farm.settings.home / "farm.db"):
            job.retry()
            assert farm.store.attempts.claim(job.id, "made up", lease=3600) is not None
        for iteration in (7, 8):
            assert farm.store.attempts.add_snapshot(Fence(job.id, 2), iteration, pictures[iteration - 6])
        advance(farm, job, 8, attempt=2)
        page.locator("#loupe .state", has_text="running").wait_for()
        page.locator("#loupe input[max='1']").wait_for()
        page.keyboard.press("[")
        page.locator("#loupe .times").get_by_text("iteration 7").wait_for()


def test_what_is_compared_is_of_the_iteration_that_is_told(make_up: MakeUp, server: WebServer) -> None:
    """Given cells compared at an iteration, if others take their places, also while snapshots are on their way, I
    expect the iteration that is told to be that of what is shown."""
    sweep = running(make_up, 4, outcome=lambda _: State.DONE, snapshots=2)
    jobs = list(sweep)
    early = [job.snapshots()[0].stored.sha256 for job in jobs]
    time = "#compare .times"
    with browser_page(server.address) as page:
        open_sweep(page, sweep, server, "?view=compare")
        snapshots = hold(page, of("/snapshots"), 2)
        page.keyboard.press("[")
        wait_for(page, snapshots, 2)
        page.get_by_label("4 pictures").click()
        for route in snapshots:
            with page.expect_response(route.request.url):
                route.continue_()
        page.locator(".pane").nth(3).wait_for()
        expect(page.locator(time)).to_be_hidden()
        page.get_by_label("2 pictures").click()
        page.keyboard.press("[")
        page.locator(time).get_by_text("iteration 10").wait_for()
        page.keyboard.press("[")
        page.locator(time).get_by_text("iteration 5").wait_for()
        page.keyboard.press("ArrowDown")
        page.locator(f'.pane.current img[src*="{early[2]}"]').first.wait_for(state="attached")
        page.get_by_label("4 pictures").click()
        page.locator(".pane").nth(3).wait_for()
        expect(page.locator(time)).to_be_hidden()


def test_a_picture_that_is_not_there_yet_is_not_zoomed(make_up: MakeUp, server: WebServer) -> None:
    """Given a picture that is still being loaded, if it is zoomed by wheel, key or double click, I expect no
    complaint of the browser, and the picture whole when it comes."""
    sweep = running(make_up, 2, outcome=lambda _: State.DONE)
    with browser_page(server.address) as page:
        pictures = hold(page, re.compile("/(thumbs|pictures)/"), 1000)
        open_sweep(page, sweep, server, "?view=loupe")
        wait_for(page, pictures)
        zoomed = page.locator("#loupe .zoomed")
        zoomed.hover()
        page.mouse.wheel(0, -100)
        page.keyboard.press("+")
        zoomed.dblclick()
        page.unroute_all()
        page.locator("#loupe .zoomed.sharp.whole").wait_for()


def test_what_parameters_explain_is_told_with_the_first_metrics(make_up: MakeUp, server: WebServer, farm: Farm) -> None:
    """Given a sweep without metrics that is explored, if jobs end with some, I expect to be told what explains them."""
    axes = {"content": ["a.png"], "style": ["s.png"], "style_weight": [1, 2], "seed": [901, 902]}
    sweep = make_up(axes, outcome=lambda _: State.RUNNING)
    with browser_page(server.address) as page:
        open_sweep(page, sweep, server, "?view=explore")
        page.locator(".parallel[data-axes]").wait_for()
        whole = hold(page, of("/cells"))
        for number, job in enumerate(sweep):
            finish(farm, job, 91 + number, {"ssim": number / 4})
        (route,) = wait_for(page, whole)
        page.get_by_text("all 4 done").wait_for()
        route.continue_()
        page.locator(".importance h3", has_text="ssim").wait_for()


def test_a_new_value_between_others_is_no_other_value(make_up: MakeUp, server: WebServer, farm: Farm) -> None:
    """Given a sweep that grows, if a new cell has a number between those of the others, I expect each cell to be shown
    with its own, under heads that say so, and the number that was filtered by to stay that number."""
    sweep = make_up({"style_weight": [1.0], "seed": [7001, 7003]}, outcome=lambda _: State.RUNNING)
    time.sleep(LONGEST_SECONDS + 0.1)  # as above
    with browser_page(server.address) as page:
        other = page.context.new_page()
        open_sweep(other, sweep, server, "?axis.seed=1")
        open_sweep(page, sweep, server)
        cell = {"style_weight": 1.0, "seed": 7002}
        with rendering_suspended(server.process.pid, farm.settings.home / "farm.db"):
            axes = {"style_weight": [1.0], "seed": [7001, 7002, 7003]}
            farm.store.submissions.extend_sweep(sweep.id, axes, [new_job(farm, cell)])
            offer = page.get_by_role("button", name="1 new: show")
            offer.wait_for()
            page.set_viewport_size({"width": 900, "height": 700})
            page.wait_for_timeout(300)
            expect(page.locator(".head:visible")).to_have_text(["7001", "7003"])
            offer.click()
            for seed in ("7001", "7002", "7003"):
                page.get_by_role("gridcell", name=f"seed {seed}").wait_for()
            expect(page.locator(".head:visible")).to_have_text(["7001", "7002", "7003"])
            other.wait_for_url(re.compile(r"axis\.seed=2"))
            expect(other.locator(".cell:visible")).to_have_count(1)
            expect(other.locator(".cell:visible")).to_have_attribute(
                "aria-label", "seed 7003, running, 5 of 10, unrated"
            )


def test_a_cell_that_could_not_be_had_comes_with_the_next_change(
    make_up: MakeUp, server: WebServer, farm: Farm
) -> None:
    """Given a new cell of a sweep, if the farm refuses the whole of it once, I expect that cell when something
    changes."""
    sweep = make_up({"seed": [7011]}, outcome=lambda _: State.RUNNING)
    (job,) = sweep
    with browser_page(server.address) as page:
        open_sweep(page, sweep, server)
        whole = hold(page, of("/cells"))
        with rendering_suspended(server.process.pid, farm.settings.home / "farm.db"):
            axes = {"seed": [7011, 7012]}
            farm.store.submissions.extend_sweep(sweep.id, axes, [new_job(farm, {"seed": 7012})])
            refuse(wait_for(page, whole)[0])
            page.get_by_text("not now").wait_for()
            advance(farm, job, 6)
            page.get_by_role("button", name="1 new: show").wait_for()


def test_a_rating_holds_against_what_was_asked_for_while_it_was_sent(
    make_up: MakeUp, server: WebServer, farm: Farm
) -> None:
    """Given a rating on its way, if the whole sweep is read before the rating is stored, and comes after, I expect the
    rating to stay."""
    sweep = running(make_up, 2)
    first, second = sweep
    with browser_page(server.address) as page:
        open_sweep(page, sweep, server, "?view=loupe")
        sent, whole = hold(page, "**/ratings"), hold(page, of("/cells"))
        page.keyboard.press("4")
        wait_for(page, sent)
        finish(farm, second, 2, {"ssim": 0.5})
        (route,) = wait_for(page, whole)
        answer = route.fetch()
        with page.expect_response("**/ratings"):
            sent[0].continue_()
        until(page, lambda: first.status().stars == 4)
        page.wait_for_timeout(300)  # for what the stream tells, and the answer
        route.fulfill(response=answer)
        page.wait_for_timeout(300)
        page.keyboard.press("ArrowRight")
        page.get_by_text("0.5", exact=True).first.wait_for()
        page.keyboard.press("ArrowLeft")
        page.get_by_text("1 of 2", exact=True).wait_for()
        expect(page.locator(".loupe-bar .star.on")).to_have_count(4)
