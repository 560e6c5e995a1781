"""Requests that no page and no honest program sends: each is refused with a sentence."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator

import pytest
from fastapi.testclient import TestClient

from stylefarm import Farm, Sweep
from stylefarm.producer.web.app import create_app
from stylefarm.producer.web.guard import MOST_BYTES
from stylefarm.shared.db.connection import connect
from stylefarm.shared.errors import InvalidRequest
from stylefarm.shared.queries.jobs import Queries
from tests.integration.producer.web.test_api import uploaded

JSON = {"Content-Type": "application/json"}


@pytest.mark.parametrize("headers", [{}, {"Idempotency-Key": "k"}])
def test_half_of_a_letter_is_refused(client: TestClient, headers: dict[str, str]) -> None:
    """Given a note with half of a surrogate pair, I expect 422, also where the request has a key."""
    content = uploaded(client, "cat.png")
    body = json.dumps({"job": {"content": content, "style": content, "note": "\ud800"}})
    answered = client.post("/api/v1/jobs", content=body, headers={**JSON, **headers})
    assert answered.status_code == 422
    assert answered.json()["detail"].startswith("note = '\\ud800'")


def test_a_body_that_is_no_json_is_told_so(client: TestClient) -> None:
    """Given half of an object, I expect 422, and where it breaks off."""
    answered = client.post("/api/v1/jobs", content='{"job": {', headers=JSON)
    assert answered.status_code == 422
    assert answered.json()["detail"].startswith("the body is no JSON: ")
    assert answered.json()["detail"].endswith(", at character 9")


@pytest.mark.parametrize("moment", ["0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00", "2026-01-01T00:00:00"])
def test_a_cursor_beyond_all_years_is_none(client: TestClient, sweep: Sweep, moment: str) -> None:
    """Given a cursor whose moment UTC cannot say, or that has no time zone, I expect 422 wherever cursors are taken."""
    place = base64.urlsafe_b64encode(f"{moment} x".encode()).decode()
    for path, query in (
        (f"sweeps/{sweep.id}/cells", {"changed_since": moment}),
        (f"sweeps/{sweep.id}/stream", {"since": moment}),
        ("jobs", {"cursor": place}),
        ("sweeps", {"cursor": place}),
    ):
        answered = client.get(f"/api/v1/{path}", params=query)
        assert answered.status_code == 422, path
        assert "is no cursor" in answered.json()["detail"]


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("jobs?sate=failed", "there is no query parameter 'sate': did you mean 'state'?"),
        ("workers?state=active", "there is no query parameter 'state': this address has none"),
    ],
)
def test_a_mistyped_filter_is_refused(client: TestClient, path: str, said: str) -> None:
    """Given a query parameter that the address does not know, I expect 422 and the one that was meant, not all jobs."""
    answered = client.get(f"/api/v1/{path}")
    assert (answered.status_code, answered.json()["detail"]) == (422, said)


@pytest.mark.parametrize("origin", ["http://[", "http://[::1", "null", "x"])
def test_an_origin_that_is_none_is_foreign(client: TestClient, origin: str) -> None:
    """Given an Origin that names no host, I expect 403."""
    assert client.post("/api/v1/undo", headers={"Origin": origin}).status_code == 403


def test_a_body_is_limited(client: TestClient, farm: Farm) -> None:
    """Given JSON larger than any request needs, said beforehand or not, I expect 413; pictures have their own limit."""

    def parts() -> Iterator[bytes]:
        for _ in range(17):
            yield b" " * (1 << 20)

    for content in (b" " * (MOST_BYTES + 1), parts()):
        answered = client.post("/api/v1/ratings", content=content, headers=JSON)
        assert answered.status_code == 413
        assert "send less at once" in answered.json()["detail"]
    assert client.post("/api/v1/images", content=b" " * (MOST_BYTES + 1)).status_code == 422, "not a picture"


def test_nobody_is_told_where_the_farm_has_its_files(client: TestClient, farm: Farm) -> None:
    """Given a hash that is not there, I expect that said, without the folder that was looked into."""
    missing = {"job": {"content": f"sha256:{'0' * 64}", "style": f"sha256:{'0' * 64}"}}
    answered = client.post("/api/v1/jobs", json=missing)
    assert answered.status_code == 404
    assert "0" * 64 in answered.json()["detail"]
    assert str(farm.settings.home) not in answered.text


def test_changes_of_one_rating_are_all_made(client: TestClient, sweep: Sweep) -> None:
    """Given a request that names a job twice, I expect both changes."""
    job = sweep.statuses()[0].id
    body = {"ratings": [{"job": job, "stars": 3}, {"job": job, "flag": "pick"}]}
    answered = client.post("/api/v1/ratings", json=body).json()
    assert answered["ratings"] == [{"job": job, "stars": 3, "flag": "pick"}]


def test_the_server_is_asked_by_its_name_in_any_case(farm: Farm) -> None:
    """Given a host name with capitals, as names of hosts may have, I expect the server to answer by it."""
    with TestClient(create_app(farm, is_open=True, hosts={"Farm.Example"})) as client:
        assert client.get("/api/v1/jobs", headers={"Host": "farm.EXAMPLE:8420"}).status_code == 200
        assert client.get("/api/v1/jobs", headers={"Host": "other.example"}).status_code == 421


def test_nothing_is_called_by_nul(postgres_url: str) -> None:
    """Given an id with NUL, which PostgreSQL takes in no text, I expect a sentence."""
    with pytest.raises(InvalidRequest, match="NUL"):
        Queries(connect(postgres_url)).job("\0")
