"""The page of a sweep where fingers are faster than answers, and on the way back."""

from __future__ import annotations

import re
from pathlib import Path

from playwright.sync_api import expect

from stylefarm import Farm, State
from tests.browser import browser_page
from tests.live_pages import MakeUp, advance, finish, hold, of, open_sweep, refuse, running, until, wait_for
from tests.web_server import WebServer

DONE = {"outcome": lambda _: State.DONE}


def test_what_is_undone_is_judged_anew_though_the_answer_is_late(
    make_up: MakeUp, server: WebServer, farm: Farm
) -> None:
    """Given a rating that is undone, if the next key comes before the farm has answered, I expect it to be for the
    picture that the undo leads back to, and the keys after it to be for those that follow."""
    sweep = running(make_up, 3, **DONE)
    first, second, third = sweep
    with browser_page(server.address) as page:
        open_sweep(page, sweep, server, "?view=loupe")
        with page.expect_response("**/ratings"):
            page.keyboard.press("3")
        page.locator(".loupe-bar").get_by_text("2 of 3").wait_for()
        undo = hold(page, "**/undo")
        page.keyboard.press("Control+z")
        wait_for(page, undo)
        for key in ("4", "5", "Control+z", "ArrowRight", "2"):
            page.keyboard.press(key)
        undo[0].continue_()
        until(page, lambda: (first.status().stars, third.status().stars) == (4, 2))
        assert second.status().stars is None


def test_an_undo_leads_nobody_away(make_up: MakeUp, server: WebServer, farm: Farm) -> None:
    """Given an undo whose answer is late, if another picture was gone to by pointer meanwhile, I expect to stay there;
    and where one stays, to be led to each picture whose rating is undone."""
    sweep = running(make_up, 4, **DONE)
    with browser_page(server.address) as page:
        open_sweep(page, sweep, server)
        for key in "12":
            with page.expect_response("**/ratings"):
                page.keyboard.press(key)
        undo = hold(page, "**/undo")
        page.keyboard.press("Control+z")
        wait_for(page, undo)
        page.locator(".cell").nth(3).click()
        undo[0].continue_()
        page.get_by_text("Undone").wait_for()
        expect(page.locator(".cell.current")).to_have_attribute("aria-colindex", "5")
        page.keyboard.press("Control+Shift+z")
        page.keyboard.press("Control+z")
        page.keyboard.press("Control+z")
        until(page, lambda: [status.stars for status in sweep.statuses()] == [None] * 4)
        page.locator(".cell.current[aria-colindex='2']").wait_for()


def test_a_rating_that_is_refused_shows_what_was_undone_before_it(make_up: MakeUp, server: WebServer) -> None:
    """Given an undo whose answer is late, if the picture is rated by pointer meanwhile, I expect that to be shown; and
    if it is refused, what the farm has."""
    sweep = running(make_up, 2, **DONE)
    with browser_page(server.address) as page:
        open_sweep(page, sweep, server, "?view=survey")
        tile = page.locator(".tile").first
        with page.expect_response("**/ratings"):
            page.keyboard.press("2")
        page.locator(".tile[data-stars='2']").wait_for()
        undo, rating = hold(page, "**/undo"), hold(page, "**/ratings")
        page.keyboard.press("Control+z")
        wait_for(page, undo)
        tile.get_by_label("5 stars").click()
        page.locator(".tile[data-stars='5']").wait_for()
        undo[0].continue_()
        page.get_by_text("Undone").wait_for()
        expect(tile).to_have_attribute("data-stars", "5")
        wait_for(page, rating)
        refuse(rating[0])
        page.get_by_text("Not saved, and taken back: not now").wait_for()
        expect(tile).to_have_attribute("data-stars", "")


def test_no_vote_is_cast_on_a_pair_that_an_undo_takes_away(make_up: MakeUp, server: WebServer) -> None:
    """Given a vote that is undone, if the next key comes before the pair that follows, I expect no other vote."""
    sweep = running(make_up, 3, **DONE)
    with browser_page(server.address) as page:
        open_sweep(page, sweep, server, "?view=vote")
        page.get_by_text("0 votes", exact=True).wait_for()
        page.keyboard.press("ArrowLeft")
        page.get_by_text("1 vote", exact=True).wait_for()
        following = hold(page, "**/votes/next")
        votes: list[str] = []
        page.on("request", lambda request: votes.append(request.url) if request.url.endswith("/votes") else None)
        page.keyboard.press("Control+z")
        wait_for(page, following)
        page.keyboard.press("ArrowRight")
        following[0].continue_()
        page.get_by_text("0 votes", exact=True).wait_for()
        page.keyboard.press("ArrowRight")
        page.get_by_text("1 vote", exact=True).wait_for()
        assert len(votes) == 1


def test_a_pair_shows_results(make_up: MakeUp, server: WebServer, farm: Farm) -> None:
    """Given a farm that offers a pair before the page is told that both have ended, I expect their results to be shown,
    and not the snapshots that the page knows."""
    sweep = running(make_up, 2, snapshots=1)
    with browser_page(server.address) as page:
        stream = hold(page, of("/stream"))
        page.goto(f"{server.address}/sweeps/{sweep.id}")
        page.get_by_text("Live", exact=True).wait_for()
        wait_for(page, stream)
        results = [finish(farm, job, 50 + number) for number, job in enumerate(sweep)]
        with page.expect_response("**/votes/next"):
            page.get_by_role("button", name="Vote", exact=True).click()
        page.get_by_text("0 votes", exact=True).wait_for(state="attached")
        stream[0].continue_()
        for result in results:
            page.locator(f'.vote-stand .pane img[src*="{result}"]').first.wait_for(state="attached")


def test_the_way_back_leads_to_the_cell_that_one_was_at(make_up: MakeUp, server: WebServer) -> None:
    """Given a cell that was gone to a moment before another view was opened, I expect the way back to lead there; and
    given a view without a cell in its address, I expect the first one, which keys rate."""
    sweep = running(make_up, 3, **DONE)
    with browser_page(server.address) as page:
        open_sweep(page, sweep, server)
        both = """keys => {
            for (const key of keys) document.body.dispatchEvent(new KeyboardEvent("keydown", { key, bubbles: true }));
        }"""
        page.evaluate(both, ["End", "e"])
        page.locator(".loupe-bar").get_by_text("3 of 3").wait_for()
        page.go_back()
        page.locator("#grid").wait_for()
        expect(page.locator("#grid .cell.current")).to_have_attribute("aria-colindex", "4")
        open_sweep(page, sweep, server)
        for key, view in (("e", "loupe"), ("c", "compare")):
            page.keyboard.press(key)
            page.locator(f"#{view}").wait_for()
        page.go_back()
        page.locator("#loupe").wait_for()
        page.keyboard.press("5")
        until(page, lambda: [status.stars for status in sweep.statuses()] == [5, None, None])


def test_new_cells_are_offered_while_others_go_on(make_up: MakeUp, server: WebServer, farm: Farm) -> None:
    """Given cells that change all the time, if another one passes the filter, I expect it to be offered meanwhile."""
    sweep = running(make_up, 3)
    first, second, _ = sweep
    with browser_page(server.address) as page:
        open_sweep(page, sweep, server, "?states=done")
        # As the stream tells it of a sweep on which many workers work.
        page.evaluate(
            """async sweep => {
                const { cursor, counts } = await (await fetch(`/api/v1/sweeps/${sweep}/cells`)).json();
                const names = ["position", "job", "state", "iteration", "iterations", "loss", "picture"];
                const cells = Object.fromEntries([...names, "picture_iteration", "error"].map((name) => [name, []]));
                const changes = { cursor, counts, cells: { ...cells, at: [], metrics: {} } };
                const channel = new BroadcastChannel(`stylefarm-sweep-/api/v1-${sweep}`);
                const { cells: all } = await (await fetch(`/api/v1/sweeps/${sweep}/cells`)).json();
                for (const name of Object.keys(cells)) changes.cells[name] = [all[name][2]];
                changes.cells.at = all.at.map((column) => [column[2]]);
                setInterval(() => channel.postMessage({ changes }), 50);
            }""",
            sweep.id,
        )
        advance(farm, second, 6)
        finish(farm, first, 60)
        page.get_by_role("button", name="1 new: show").wait_for()


def test_a_view_is_asked_for_again_where_it_could_not_be_loaded(make_up: MakeUp, server: WebServer) -> None:
    """Given a view that is loaded when it is first asked for, if that fails, I expect the view before, and another try
    to succeed; and keys that are pressed before it is there to count."""
    sweep = running(make_up, 3, **DONE)
    with browser_page(server.address) as page:
        open_sweep(page, sweep, server)
        page.route("**/loupe.js", lambda route: refuse(route), times=1)
        page.keyboard.press("e")
        page.get_by_text("The farm does not answer").wait_for()
        page.locator(".tab[data-view=grid][aria-current]").wait_for()
        page.get_by_role("button", name="Close", exact=True).click()
        held = hold(page, "**/loupe.js")
        page.keyboard.press("e")
        wait_for(page, held)
        page.keyboard.press("ArrowRight")
        held[0].continue_()
        page.locator(".loupe-bar").get_by_text("2 of 3").wait_for()
        page.route("**/actions.js", lambda route: refuse(route), times=1)
        page.get_by_role("button", name="Actions").click()
        page.get_by_text("The farm does not answer").wait_for()
        page.get_by_role("button", name="Actions").click()
        page.get_by_role("menuitem", name="Share…").wait_for()


def test_filters_that_are_closed_before_they_are_there_stay_closed(make_up: MakeUp, server: WebServer) -> None:
    """Given filters that are being loaded, if they are closed again, I expect them closed, and opened by one key."""
    sweep = running(make_up, 1, **DONE)
    with browser_page(server.address) as page:
        open_sweep(page, sweep, server)
        held = hold(page, "**/panel.js")
        page.keyboard.press("f")
        wait_for(page, held)
        page.keyboard.press("f")
        held[0].continue_()
        page.locator(".chip").first.wait_for(state="attached")
        expect(page.locator("#panel")).to_be_hidden()
        page.keyboard.press("f")
        page.locator(".chip").first.wait_for()
        expect(page.locator("#filter")).to_have_attribute("aria-expanded", "true")


def test_what_is_pressed_twice_is_sent_once(make_up: MakeUp, server: WebServer, farm: Farm) -> None:
    """Given a sweep like a cell's, and a link to share, if their buttons are pressed twice, I expect one of each; and a
    link that is told once to stay while others are revoked, as the focus does."""
    sweep = running(make_up, 2, **DONE)
    with browser_page(server.address) as page:
        open_sweep(page, sweep, server)
        sent = hold(page, re.compile("/sweeps$"), 2)
        page.get_by_role("button", name="Actions").click()
        page.get_by_role("menuitem", name="More like this…").click()
        page.get_by_label("Values of seed", exact=True).fill("1, 2")
        render = page.get_by_role("button", name="Render these")
        page.locator(".forecast strong").wait_for()
        render.dblclick()
        wait_for(page, sent)
        page.get_by_label("Values of seed", exact=True).fill("1, 2, 3")
        page.locator(".forecast strong", has_text="3 pictures").wait_for()
        expect(render).to_be_disabled()
        assert len(sent) == 1
        refuse(sent[0])
        page.get_by_text("not now").wait_for()
        expect(render).to_be_enabled()
        page.get_by_role("button", name="Close", exact=True).last.click()
        page.get_by_role("button", name="Actions").click()
        page.get_by_role("menuitem", name="Share…").click()
        page.get_by_role("button", name="Make a link").dblclick()
        page.get_by_label("The new link").wait_for()
        assert len(farm.store.access.shares(sweep.id)) == 1
        expect(page.get_by_role("button", name="Make a link")).to_be_focused()
        link = page.get_by_label("The new link").input_value()
        other, _ = farm.store.access.share("somebody", sweep.id, 1)
        page.get_by_role("button", name="Make a link").click()
        page.get_by_label("The new link").nth(1).wait_for()
        assert link in [field.input_value() for field in page.get_by_label("The new link").all()]
        page.locator(f'li[data-id="{other.id}"]').get_by_role("button", name="Revoke").click()
        page.locator(f'li[data-id="{other.id}"]').wait_for(state="detached")
        expect(page.get_by_label("The new link")).to_have_count(2)


def test_a_view_that_is_kept_is_listed_though_the_first_list_is_late(make_up: MakeUp, server: WebServer) -> None:
    """Given the list of kept views, if it comes after another view was kept, I expect that one in it, and what was
    written meanwhile as it is."""
    sweep = running(make_up, 1, **DONE)
    with browser_page(server.address) as page:
        open_sweep(page, sweep, server)
        late = hold(page, of("/views"))
        page.keyboard.press("f")
        wait_for(page, late)
        answer = late[0].fetch()
        name = page.get_by_label("Name of the view")
        name.fill("one")
        keeping = hold(page, of("/views"))
        page.get_by_role("button", name="Save", exact=True).click()
        wait_for(page, keeping)
        name.fill("two")
        with page.expect_response(of("/views")):
            keeping[0].continue_()
        late[0].fulfill(response=answer)
        page.get_by_role("link", name="one", exact=True).wait_for()
        expect(name).to_have_value("two")


def test_a_form_that_is_on_its_way_is_not_sent_again(server: WebServer, pictures: Path) -> None:
    """Given a form that was sent, if it is changed before the answer, I expect its button to wait for that."""
    with browser_page(f"{server.address}/new") as page:
        page.get_by_label("Name").fill("Twice")
        page.get_by_label("Contents").set_input_files(pictures / "a.png")
        page.get_by_label("Styles").set_input_files(pictures / "s.png")
        values = page.get_by_label("Values, with commas between them").nth(1)
        values.fill("1, 2")
        sent = hold(page, re.compile("/sweeps$"))
        page.get_by_label("Parameter", exact=True).nth(1).fill("style_weight")
        page.get_by_role("button", name="Render 2", exact=True).click()
        wait_for(page, sent)
        values.fill("1, 2, 3")
        render = page.get_by_role("button", name="Render 3", exact=True)
        render.wait_for()
        expect(render).to_be_disabled()
        refuse(sent[0])
        page.get_by_text("not now").wait_for()
        expect(render).to_be_enabled()
