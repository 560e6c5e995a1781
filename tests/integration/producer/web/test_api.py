"""Jobs, sweeps and reviews over HTTP, as a program of any language uses them."""

from __future__ import annotations

import csv
import io
import time
import zipfile
from pathlib import Path
from typing import Any

import pytest
import yaml
from fastapi.testclient import TestClient

from stylefarm import Farm, State, Sweep
from stylefarm.producer.grids import parse_grid
from stylefarm.producer.web.rates import Rates
from stylefarm.shared.store.access import Role
from stylefarm.shared.store.library import NewModel
from tests.made_up import made_up, png, texture


def uploaded(client: TestClient, name: str, seed: int = 0) -> str:
    """The address of a picture that was sent in."""
    answered = client.post(f"/api/v1/images?name={name}", content=png(texture(seed, (64, 48))))
    assert answered.status_code == 201, answered.text
    image = answered.json()["image"]
    assert (image["width"], image["height"]) == (64, 48)
    return str(image["address"])


def test_a_job_is_submitted_once_and_looked_at(client: TestClient, farm: Farm) -> None:
    """Given two pictures that were sent in, if a job is sent twice with a key, I expect one job, and its links."""
    content, style = uploaded(client, "cat.png"), uploaded(client, "waves.png", 1)
    body = {"job": {"content": content, "style": style, "size": 48, "iterations": 7, "priority": 8, "tags": ["web"]}}
    first = client.post("/api/v1/jobs", json=body, headers={"Idempotency-Key": "k"})
    again = client.post("/api/v1/jobs", json=body, headers={"Idempotency-Key": "k"})
    assert (first.status_code, again.status_code) == (201, 201)
    assert first.json() == again.json()
    assert first.headers["location"] == again.headers["location"] == first.json()["links"]["self"]
    assert '"submissions";r=119' in first.headers["ratelimit"]
    job = first.json()["job"]
    assert (job["content"], job["style"], job["priority"], job["tags"]) == ("cat.png", "waves.png", 8, ["web"])
    other = client.post("/api/v1/jobs", json={"job": {**body["job"], "size": 64}}, headers={"Idempotency-Key": "k"})
    assert other.status_code == 422
    assert "a key of its own" in other.json()["detail"]
    for name, path in first.json()["links"].items():
        if name not in {"actions", "cancel", "result"}:
            assert client.get(path).status_code == 200, path
    assert client.get(f"/api/v1/jobs/{job['id']}/result").status_code == 409
    assert len(farm.jobs(limit=None)) == 1
    cancelled = client.post(first.json()["links"]["cancel"], json={"action": "cancel"}).json()
    assert (cancelled["changed"], cancelled["job"]["state"], "cancel" in cancelled["links"]) == (1, "cancelled", False)
    thumb = client.get(f"/thumbs/{content.removeprefix('sha256:').partition('/')[0]}-192.webp")
    assert thumb.headers["content-type"] == "image/webp", "a picture that is sent in gets thumbnails"


def test_a_result_is_downloaded_from_where_browsers_reach_it(
    client: TestClient, farm: Farm, sweep: Sweep, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Given a result, I expect its file from here; and where the store can be reached, a link if wanted."""
    job = next(iter(sweep))
    path = f"/api/v1/jobs/{job.id}/result"
    for query in ("", "?presigned=true"):
        sent = client.get(path + query)
        assert sent.content == job.result().data
        again = client.get(path + query, headers={"If-None-Match": sent.headers["etag"]})
        assert (again.status_code, again.content) == (304, b"")
        asked = client.head(path + query)
        assert (asked.status_code, asked.headers) == (200, sent.headers)
    url = "https://s3.example.org/pictures/result.png?X-Amz-Signature=0"
    monkeypatch.setattr(type(farm.services.blobs), "download_url", lambda _blobs, _key, _name: url)
    led = client.get(f"{path}?presigned=true", follow_redirects=False)
    assert (led.status_code, led.headers["location"], led.headers["cache-control"]) == (307, url, "no-store")
    assert client.get(path).content == job.result().data


def test_a_failed_request_may_be_sent_again_with_its_key(client: TestClient) -> None:
    """Given a request that was refused, if it is mended and sent with the same key, I expect it carried out."""
    content = uploaded(client, "cat.png")
    headers = {"Idempotency-Key": "again"}
    wrong = {"job": {"content": content, "style": content, "size": -1}}
    assert client.post("/api/v1/jobs", json=wrong, headers=headers).status_code == 422
    right = {"job": {"content": content, "style": content, "size": 48}}
    assert client.post("/api/v1/jobs", json=right, headers=headers).status_code == 201


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"content": "/etc/passwd"}, "content = '/etc/passwd' is no content hash"),
        ({"style": ["s3://bucket/key"]}, "is no content hash"),
        ({"style": "sha256:zz"}, "is no content hash"),
        ({"content": "sha256:" + "0" * 64 + "/../../x"}, "is no content hash"),
        ({"init_image": "~/x.png", "init": "image"}, "init_image = '~/x.png' is no content hash"),
        ({"content_masks": [["a.png"]]}, "is no content hash"),
        ({"weights": "/root/vgg.pth"}, "weights = '/root/vgg.pth' is no name"),
        ({"model": "../x"}, "model = '../x' is no name"),
        ({"content": "sha256:" + "0" * 64}, "0000"),
        ({"sizee": 3}, "sizee"),
        ({"size": "big"}, "size"),
        ({"priority": 99}, "priority"),
    ],
)
def test_no_file_of_the_server_can_be_named(client: TestClient, farm: Farm, fields: dict[str, Any], said: str) -> None:
    """Given a path, a bucket, or anything that is wrong, in a job and in a sweep, I expect a sentence, and no job."""
    good = uploaded(client, "cat.png")
    job = {"content": good, "style": good, "size": 48, **fields}
    answered = client.post("/api/v1/jobs", json={"job": job})
    assert answered.status_code in {404, 422}
    assert said in answered.json()["detail"]
    document = {"base": {name: value for name, value in job.items() if name != "priority"}, "matrix": {"seed": [1, 2]}}
    if "priority" not in fields:
        for path in ("/api/v1/sweeps:validate", "/api/v1/sweeps"):
            answered = client.post(path, json={"sweep": document})
            assert answered.status_code in {404, 422}, answered.text
            assert said in answered.json()["detail"]
    assert farm.jobs(limit=None) == []


@pytest.mark.parametrize("section", ["zip", "include", "exclude"])
def test_no_entry_that_stands_by_itself_names_a_file(client: TestClient, farm: Farm, section: str) -> None:
    """Given an entry of a sweep that is no list, if it names a path, I expect it refused like one in a list."""
    good = uploaded(client, "cat.png")
    document = {"base": {"style": good}, "matrix": {"seed": [1, 2]}, section: {"content": ["/etc/passwd"]}}
    for path in ("/api/v1/sweeps:validate", "/api/v1/sweeps"):
        answered = client.post(path, json={"sweep": document})
        assert answered.status_code == 422
        assert "content = '/etc/passwd' is no content hash" in answered.json()["detail"]
    assert farm.sweeps() == []


@pytest.mark.parametrize("parameter", ["weights", "model"])
def test_no_file_of_the_server_s_folder_is_a_name(
    client: TestClient, farm: Farm, parameter: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Given a file in the folder that the server runs in, I expect its name to be as unknown as any other."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "there.pth").write_bytes(b"PK\x03\x04")
    good = uploaded(client, "cat.png")
    said = set()
    for name in ("there.pth", "gone.pth"):
        job = {"content": good, "style": good, "size": 48, parameter: name}
        sweep = {"base": {"content": good, "style": good}, "matrix": {parameter: [name]}}
        for path, body in (("/api/v1/jobs", {"job": job}), ("/api/v1/sweeps", {"sweep": sweep})):
            answered = client.post(path, json=body)
            assert answered.status_code == 404, answered.text
            said.add(answered.json()["detail"].replace(name, ""))
    assert len(said) == 1
    assert farm.jobs() == []


def test_a_problem_names_its_error(client: TestClient) -> None:
    """Given a wrong request, I expect the name of the error in its problem document, for programs to tell it by."""
    good = uploaded(client, "cat.png")
    wrong = client.post("/api/v1/jobs", json={"job": {"content": good, "style": good, "size": -1}})
    assert (wrong.status_code, wrong.json()["error"]) == (422, "InvalidSpec")
    assert client.get("/api/v1/jobs/" + "0" * 36).json()["error"] == "NotFound"


def test_pictures_are_asked_for_before_they_are_sent(client: TestClient) -> None:
    """Given hashes, I expect those named that are to be sent, and what is there kept."""
    address = uploaded(client, "cat.png").removeprefix("sha256:").partition("/")[0]
    asked = client.post("/api/v1/images:hold", json={"sha256": [address, "0" * 64]})
    assert asked.json() == {"missing": ["0" * 64]}


def test_own_jobs_are_managed_and_shared_ones_left_alone(client: TestClient, sweep: Sweep, farm: Farm) -> None:
    """Given a sweep that shares a queued job with an older one, I expect `own` to leave it alone, and no selection."""
    axes: dict[str, Any] = {"content": ["dog.png"], "style": ["waves.png"], "style_weight": [100, 5]}
    other = made_up(farm, axes, name="other", outcome=lambda _: State.PAUSED)
    path = f"/api/v1/sweeps/{other.id}/actions"
    assert client.post(path, json={"action": "cancel", "own": True, "positions": [0]}).status_code == 422
    done = client.post(path, json={"action": "cancel", "own": True}).json()
    assert (done["changed"], done["counts"]) == (1, {"queued": 1, "cancelled": 1})
    retried = client.post(path, json={"action": "retry", "own": True, "from_checkpoint": True}).json()
    assert (retried["changed"], retried["afresh"]) == (1, 1)


def test_a_sweep_like_a_cell_is_linked_to_it(client: TestClient, sweep: Sweep, farm: Farm) -> None:
    """Given a cell, if the values around its own are submitted, I expect a sweep of them, linked to the first one."""
    found = client.get(f"/api/v1/sweeps/{sweep.id}/cells/1/variations").json()
    axes = {axis["name"]: axis for axis in found["axes"]}
    assert axes["style_weight"]["suggested"] == [5.0, 7.1, 10.0, 14.1, 20.0]
    base = {name: value for name, value in found["base"].items() if name != "style_weight"}
    document = {"name": "more", "base": base, "matrix": {"style_weight": [5, 20]}}
    checked = client.post("/api/v1/sweeps:validate", json={"sweep": document}).json()
    assert (checked["jobs"], checked["new"]) == (2, 2)
    made = client.post("/api/v1/sweeps", json={"sweep": document, "parent": sweep.id})
    assert made.status_code == 201, made.text
    new = farm.find_sweep(made.json()["sweep"]["id"])
    assert made.json()["sweep"]["parent"] == sweep.id
    assert [status.cell for status in new.statuses()] == [{"style_weight": 5}, {"style_weight": 20}]
    assert new.statuses()[0].content == "cat.png", "the pictures keep their names"


@pytest.mark.parametrize(
    ("selection", "positions"),
    [
        ({"positions": [3, 5]}, [3, 5]),
        ({"filter": {"states": ["queued", "running"]}}, [3, 5]),
        ({"filter": {"states": ["queued", "running"], "axes": {"style_weight": [2]}}}, [5]),
        ({"filter": {"flag": ["none"], "axes": {"content": [1]}}}, [3, 4, 5]),
        ({}, [0, 1, 2, 3, 4, 5]),
    ],
)
def test_a_filter_selects_what_an_action_is_for(
    client: TestClient, sweep: Sweep, selection: dict[str, Any], positions: list[int]
) -> None:
    """Given a selection, if it is cancelled, I expect these cells' jobs cancelled, and 409 if the count is another."""
    path = f"/api/v1/sweeps/{sweep.id}/actions"
    refused = client.post(path, json={"action": "cancel", "expected_count": 99, **selection})
    assert refused.status_code == 409
    assert f"has {len(positions)} cells now" in refused.json()["detail"]
    done = client.post(path, json={"action": "cancel", "expected_count": len(positions), **selection}).json()
    stopping = [place for place in positions if place in {3, 5}]
    assert (done["cells"], done["changed"]) == (len(positions), len(stopping))
    states = [status.state for status in sweep.statuses()]
    assert states[5] is (State.CANCELLED if 5 in positions else State.QUEUED)


def test_metrics_and_ratings_filter_too(client: TestClient, sweep: Sweep) -> None:
    """Given ratings and metrics, I expect ranges of both to select, the end of a range in it."""
    jobs = [status.id for status in sweep.statuses()]
    changes = [
        {"job": jobs[0], "stars": 2},
        {"job": jobs[1], "stars": 4, "flag": "pick"},
        {"job": jobs[2], "flag": "reject"},
    ]
    assert client.post("/api/v1/ratings", json={"ratings": changes}).status_code == 200
    for filtered, places in [
        ({"stars": {"low": 2}}, 2),
        ({"stars": {"low": 2.5}}, 1),
        ({"flag": ["pick", "reject"]}, 2),
        ({"metrics": {"ssim": {"low": 0.001, "high": 0.002}}}, 2),
        ({"metrics": {"ssim": {"high": 0}}, "flag": ["none"]}, 1),
    ]:
        body = {"action": "prioritize", "priority": 9, "filter": filtered}
        assert client.post(f"/api/v1/sweeps/{sweep.id}/actions", json=body).json()["cells"] == places, filtered
    unknown = {"action": "cancel", "filter": {"axes": {"nothing": [0]}}}
    assert client.post(f"/api/v1/sweeps/{sweep.id}/actions", json=unknown).status_code == 422


def test_picks_are_taken_along(client: TestClient, sweep: Sweep, farm: Farm) -> None:
    """Given picks, I expect a zip of their files and a table, a sheet, and a sweep file of just them."""
    jobs = [status.id for status in sweep.statuses()]
    picked = {"ratings": [{"job": jobs[place], "stars": 5, "flag": "pick"} for place in (0, 2)]}
    client.post("/api/v1/ratings", json=picked)
    body = {"filter": {"flag": ["pick"]}}
    path = f"/api/v1/sweeps/{sweep.id}/exports"
    packed = client.post(path, json={"what": "zip", **body})
    assert 'filename="made_up-2.zip"' in packed.headers["content-disposition"]
    with zipfile.ZipFile(io.BytesIO(packed.content)) as archive:
        rows = list(csv.DictReader(io.StringIO(archive.read("pictures.csv").decode())))
        assert [(row["job"], row["stars"], row["flag"]) for row in rows] == [
            (jobs[0], "5", "pick"),
            (jobs[2], "5", "pick"),
        ]
        for row in rows:
            assert archive.read(row["file"]) == farm.find_job(row["job"]).fetch().data
    sheet = client.post(path, json={"what": "sheet", **body})
    assert sheet.headers["content-disposition"].startswith("attachment"), "its scripts must not run as ours"
    text = client.post(path, json={"what": "sweep", **body}).text
    grid = parse_grid(yaml.safe_load(text), farm.settings)
    assert [spec.style_weight for _, spec in grid.cells()] == [1, 100]
    assert {spec.content.rpartition("/")[2] for _, spec in grid.cells()} == {"cat.png"}
    assert farm.sweep(grid).statuses()[1].content == "cat.png"
    assert client.post(path, json={"what": "zip", "positions": []}).status_code == 422


def test_votes_rank_the_pictures_of_a_content(client: TestClient, farm: Farm) -> None:
    """Given a hidden order, if each pair is voted by it, I expect pairs of one content, and that order."""
    axes: dict[str, list[Any]] = {"content": ["a.png", "b.png"], "style": ["s.png"], "style_weight": [1, 2, 3]}
    sweep = made_up(farm, axes)
    cells = client.get(f"/api/v1/sweeps/{sweep.id}/cells").json()["cells"]
    path = f"/api/v1/sweeps/{sweep.id}/votes"
    for _ in range(24):
        pair = client.get(f"{path}/next").json()["pair"]
        left, right = pair["left"], pair["right"]
        assert cells["at"][0][left] == cells["at"][0][right]
        outcome = "left" if cells["at"][2][left] > cells["at"][2][right] else "right"
        cast = client.post(path, json={"left": cells["job"][left], "right": cells["job"][right], "outcome": outcome})
        assert cast.status_code == 201
    ranking = client.get(f"/api/v1/sweeps/{sweep.id}/ranking").json()
    assert ranking["votes"] == 24
    assert [cells["at"][2][one["position"]] for one in ranking["ranking"]] == [2, 2, 1, 1, 0, 0]
    assert client.post("/api/v1/undo").json()["undone"]["kind"] == "vote"
    assert client.get(f"/api/v1/sweeps/{sweep.id}/ranking").json()["votes"] == 23


def test_too_many_submissions_are_told_when_to_come_again(
    client: TestClient, farm: Farm, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Given a limit of two a minute, if a third is sent, I expect 429 with the time, and other users not kept out."""
    # The clock stands still: submissions are counted by minutes of it, and one might end between two of them.
    moment = time.time()
    monkeypatch.setattr(time, "time", lambda: moment)
    client.app.state.rates = Rates("2/minute")  # type: ignore[attr-defined]
    content = uploaded(client, "cat.png")
    body = {"job": {"content": content, "style": content, "size": 48}}
    codes = [client.post("/api/v1/jobs", json=body).status_code for _ in range(2)]
    assert codes == [201, 201]
    refused = client.post("/api/v1/jobs", json=body)
    assert refused.status_code == 429
    assert 1 <= int(refused.headers["retry-after"]) <= 60
    _, secret = farm.store.access.create_token("bob", Role.SUBMIT)
    other = client.post("/api/v1/jobs", json=body, headers={"Authorization": f"Bearer {secret}"})
    assert other.status_code == 201


def test_importance_says_which_axis_matters(client: TestClient, sweep: Sweep) -> None:
    """Given metrics that follow one axis alone, I expect all of their variance explained by it."""
    found = client.get(f"/api/v1/sweeps/{sweep.id}/importance").json()["metrics"]
    assert found["ssim"] == {"content": None, "style": None, "style_weight": None}, "three values are too few"
    assert found["loss"]["style_weight"] is not None


def test_models_show_how_their_training_went(client: TestClient, sweep: Sweep, farm: Farm) -> None:
    """Given a model of a job that has stored pictures, and an imported one, I expect samples in time, and none."""
    job = sweep.jobs()[0]
    pictures = [*(snapshot.stored.sha256 for snapshot in job.snapshots()), job.status().result_sha256]
    for name, source in (("trained", f"job {job.id}"), ("imported", "a file")):
        farm.store.models.add(NewModel(name, "1f" * 32, 10, source, "johnson", {}, {"licence": "MIT"}))
    imported, trained = client.get("/api/v1/models").json()["models"]
    assert (trained["job"], trained["samples"]) == (job.id, pictures)
    assert (imported["job"], imported["samples"], imported["card"]) == (None, [], {"licence": "MIT"})


def test_every_page_is_shown(client: TestClient, sweep: Sweep) -> None:
    """Given somebody who may, I expect each page, and the API's own with an example of every body."""
    pages = ["/", "/workers", "/models", "/datasets", "/new", "/docs", "/login", f"/sweeps/{sweep.id}"]
    for path in [*pages, f"/jobs/{sweep.statuses()[0].id}"]:
        shown = client.get(path)
        assert shown.status_code == 200, path
        assert "text/html" in shown.headers["content-type"]
    assert "style_weight" in client.get("/docs").text
    short = client.get(f"/sweeps/{sweep.id[:8]}", follow_redirects=False)
    assert (short.status_code, short.headers["location"]) == (307, f"/sweeps/{sweep.id}")
    assert client.get("/openapi.json").json()["openapi"].startswith("3.1")
