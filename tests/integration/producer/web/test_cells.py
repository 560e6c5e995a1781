"""The cells of a sweep as pages and programs read them: whole, changed, streamed; and the pictures in them."""

from __future__ import annotations

import json
from io import BytesIO
from typing import Any

import pytest
from fastapi.testclient import TestClient
from PIL import Image

from stylefarm import Farm, Sweep
from stylefarm.producer.web.live.watch import MOST_WAITING, Subscriber
from stylefarm.shared.db.records import Fence, LossPoint
from stylefarm.shared.images.thumbnails import thumbnails
from tests.made_up import STEPS, made_up, texture


def document(client: TestClient, sweep: Sweep, **query: str) -> Any:
    """The cells."""
    answered = client.get(f"/api/v1/sweeps/{sweep.id}/cells", params=query)
    assert answered.status_code == 200, answered.text
    return answered.json()


def test_the_document_says_all_of_each_cell(client: TestClient, sweep: Sweep) -> None:
    """Given cells in several states, I expect each column to have what the job's status has."""
    found = document(client, sweep)
    cells, statuses = found["cells"], sweep.statuses()
    assert cells["position"] == [0, 1, 2, 3, 4, 5]
    assert cells["job"] == [status.id for status in statuses]
    assert [found["states"][state] for state in cells["state"]] == [str(status.state) for status in statuses]
    assert cells["iteration"] == [STEPS] * 3 + [STEPS // 2, 0, 0]
    assert cells["loss"] == [status.loss for status in statuses]
    assert cells["metrics"]["ssim"] == [0.0, 0.001, 0.002, None, None, None]
    assert cells["picture"][:3] == [status.result_sha256 for status in statuses[:3]]
    assert cells["picture"][3] == statuses_snapshot(sweep, 3), "the newest snapshot of the one that runs"
    assert cells["picture"][4:] == [None, None]
    assert [error is not None for error in cells["error"]] == [False] * 4 + [True, False]
    assert [axis["name"] for axis in found["axes"]] == ["content", "style", "style_weight"]
    assert cells["at"] == [[0, 0, 0, 1, 1, 1], [0] * 6, [0, 1, 2] * 2]
    assert found["axes"][0]["labels"] == ["cat", "dog"]
    assert found["counts"] == {"queued": 1, "running": 1, "done": 3, "failed": 1}
    for name, column in cells.items():
        columns = column.values() if name == "metrics" else column if name == "at" else [column]
        assert all(len(values) == 6 for values in columns), name


def statuses_snapshot(sweep: Sweep, place: int) -> str:
    """The hash of a cell's newest snapshot."""
    return str([*sweep][place].snapshots()[-1].stored.sha256)


def test_only_changes_come_after_a_cursor(client: TestClient, farm: Farm, sweep: Sweep) -> None:
    """Given a cursor, if a job goes on and another is rated, I expect these two cells, with their ratings."""
    seen = document(client, sweep)
    later = _a_later_cursor(seen["cursor"])
    assert document(client, sweep, changed_since=later)["cells"]["position"] == []
    jobs = seen["cells"]["job"]
    farm.store.attempts.record_losses(Fence(jobs[3], 1), [LossPoint(6, (1.5, 0.5, 0.5, 0.5))])
    client.post("/api/v1/ratings", json={"ratings": [{"job": jobs[0], "stars": 4}]})
    changed = document(client, sweep, changed_since=seen["cursor"])["cells"]
    found = dict(
        zip(changed["position"], zip(changed["iteration"], changed["loss"], changed["stars"], strict=True), strict=True)
    )
    assert found[3] == (6, 1.5, None)
    assert found[0][2] == 4


def _a_later_cursor(cursor: str) -> str:
    """SQLite's cursor lies a few seconds back, for the transactions that have not ended."""
    return cursor.replace(cursor[:4], str(int(cursor[:4]) + 1))


def test_a_document_is_not_sent_twice(client: TestClient, sweep: Sweep) -> None:
    """Given an ETag, if it is asked for again with it, I expect 304; and the same bytes compressed or not."""
    path = f"/api/v1/sweeps/{sweep.id}/ranking"
    first = client.get(path)
    again = client.get(path, headers={"If-None-Match": f'"other", {first.headers["etag"]}'})
    assert (again.status_code, again.content) == (304, b"")
    plain = client.get(path, headers={"Accept-Encoding": "identity"})
    assert "content-encoding" not in plain.headers
    assert plain.json() == first.json()


@pytest.mark.parametrize("edge", [192, 384])
def test_pictures_are_found_by_their_hash(client: TestClient, farm: Farm, sweep: Sweep, edge: int) -> None:
    """Given a result, I expect its thumbnail if there is one, else itself, for ever; and nothing by another name."""
    (result,) = [status.result_sha256 for status in sweep.statuses()[:1]]
    content = document(client, sweep)["axes"][0]["pictures"][0]
    for sha256 in (result, content):
        shown = client.get(f"/thumbs/{sha256}-{edge}.webp")
        assert (shown.status_code, shown.headers["content-type"]) == (200, "image/png"), "written by an older release"
        assert "immutable" in shown.headers["cache-control"]
    for key, data in thumbnails(str(result), texture(1, (800, 600))).items():
        farm.services.blobs.put(key, data, "image/webp")
    shown = client.get(f"/thumbs/{result}-{edge}.webp")
    assert shown.headers["content-type"] == "image/webp"
    assert Image.open(BytesIO(shown.content)).size == (edge, edge * 3 // 4)
    assert client.get(f"/pictures/{result}").content == farm.services.blobs.get(str(sweep.statuses()[0].result_key))
    assert client.get(f"/pictures/{'0' * 64}").status_code == 404
    for name in ("../farm.db", "..%2ffarm.db", "x", f"{result}/x", "0" * 63):
        assert client.get(f"/pictures/{name}").status_code in {404, 422}
    assert client.get(f"/thumbs/{result}-100.webp").status_code == 422


def test_a_slow_reader_is_dropped(client: TestClient) -> None:
    """Given a reader that takes nothing, if more is sent than it may keep, I expect its stream to end, and no more."""
    reader = Subscriber("ada")
    for number in range(MOST_WAITING + 10):
        reader.put(b"%d" % number)
    assert reader.queue.get_nowait() is None
    assert reader.queue.empty()


def test_the_document_holds_whatever_a_user_writes(client: TestClient, farm: Farm) -> None:
    """Given names with markup, quotes and other scripts, I expect them as they are, and pages to escape them."""
    name = "</script><img src=x onerror=alert(1)>'\"&"
    sweep = made_up(farm, {"content": ["猫&<b>.png"], "style": ["s.png"]}, name=name)
    assert document(client, sweep)["sweep"]["name"] == name
    assert document(client, sweep)["axes"][0]["labels"] == ["猫&<b>"]
    page = client.get(f"/sweeps/{sweep.id}").text
    assert "<img src=x" not in page
    listed = client.get("/").text
    assert "<img src=x" not in listed


def test_losses_that_are_no_numbers_are_null(client: TestClient, farm: Farm, sweep: Sweep) -> None:
    """Given a loss that is infinite, I expect null in its place, since JSON has no such number."""
    job = document(client, sweep)["cells"]["job"][3]
    farm.store.attempts.record_losses(Fence(job, 1), [LossPoint(7, (float("inf"),) * 4)])
    answered = client.get(f"/api/v1/sweeps/{sweep.id}/cells")
    assert json.loads(answered.text, parse_constant=lambda word: pytest.fail(word))["cells"]["loss"][3] is None
    assert client.get(f"/api/v1/jobs/{job}").json()["job"]["loss"] is None
    assert client.get(f"/api/v1/jobs/{job}/status").json()["loss"] is None
