"""Who may ask for what: strangers, tokens of each role, browsers that signed in, links, and pages of other sites."""

from __future__ import annotations

import sqlite3
from contextlib import closing

import pytest
from fastapi.testclient import TestClient

from stylefarm import Farm, Sweep
from stylefarm.producer.web.app import create_app
from stylefarm.shared.store.access import Role


def bearer(farm: Farm, role: Role, user: str = "ada") -> dict[str, str]:
    """The header of a new token."""
    _, secret = farm.store.access.create_token(user, role)
    return {"Authorization": f"Bearer {secret}"}


def test_who_looks_waits_for_nobody_who_writes(stranger: TestClient, farm: Farm, sweep: Sweep) -> None:
    """Given a database that somebody writes to, I expect tokens, sessions and links checked meanwhile."""
    headers = bearer(farm, Role.READ)
    secret = headers["Authorization"].removeprefix("Bearer ")
    cookie = farm.store.access.sign_in(secret)
    _, link = farm.store.access.share("ada", sweep.id, 1)
    assert cookie is not None
    with closing(sqlite3.connect(str(farm.services.engine.url.database))) as writer:
        writer.execute("BEGIN IMMEDIATE")
        assert stranger.get("/api/v1/jobs", headers=headers).status_code == 200
        assert farm.store.access.check_session(cookie) is not None
        assert stranger.get(f"/shares/{link}/api/v1/sweeps/{sweep.id}/cells").status_code == 200
        writer.rollback()


def test_a_stranger_sees_nothing(stranger: TestClient, sweep: Sweep) -> None:
    """Given no token, I expect 401 of the API, with what to do, and the form in place of a page."""
    sha256 = sweep.statuses()[0].result_sha256
    paths = [
        *(f"/api/v1/{name}" for name in ("jobs", "sweeps", "workers", "models", "datasets", "tokens")),
        *(f"/api/v1/sweeps/{sweep.id}/{name}" for name in ("cells", "stream", "ranking", "importance", "votes/next")),
        *(f"/thumbs/{sha256}-192.webp", f"/pictures/{sha256}", f"/api/v1/jobs/{sweep.statuses()[0].id}/result"),
    ]
    for path in paths:
        answered = stranger.get(path)
        assert answered.status_code == 401, path
        assert answered.headers["content-type"] == "application/problem+json"
        assert "sign in first" in answered.json()["detail"]
        assert answered.headers["www-authenticate"] == "Bearer"
    for path in ("/", f"/sweeps/{sweep.id}", f"/jobs/{sweep.statuses()[0].id}"):
        assert (stranger.get(path).status_code, stranger.get(path).headers["location"]) == (303, "/login")
    assert stranger.get("/api/v1/jobs", headers={"Authorization": "Bearer sf_wrong"}).status_code == 401


def test_each_role_may_do_what_those_below_may(stranger: TestClient, farm: Farm, sweep: Sweep) -> None:
    """Given a token of each role, I expect reading, rating and making tokens to be allowed from that role on."""
    job = sweep.statuses()[0].id
    allowed = {Role.READ: (200, 403, 403), Role.SUBMIT: (200, 200, 403), Role.ADMIN: (200, 200, 201)}
    for role, expected in allowed.items():
        headers = bearer(farm, role, f"user {role.word}")
        read = stranger.get("/api/v1/jobs", headers=headers)
        rated = stranger.post("/api/v1/ratings", json={"ratings": [{"job": job, "stars": 1}]}, headers=headers)
        made = stranger.post("/api/v1/tokens", json={"user": "bob"}, headers=headers)
        assert (read.status_code, rated.status_code, made.status_code) == expected, role


def test_a_browser_signs_in_and_out(stranger: TestClient, farm: Farm) -> None:
    """Given a token, if it is sent in the form, I expect a cookie that scripts cannot read, until it is signed out."""
    token_id, secret = farm.store.access.create_token("ada", Role.READ)
    assert stranger.post("/login", data={"token": "wrong"}).status_code == 401
    signed = stranger.post("/login", data={"token": f" {secret}\n"})
    assert (signed.status_code, signed.headers["location"]) == (303, "/")
    cookie = signed.headers["set-cookie"].lower()
    assert "httponly" in cookie
    assert "samesite=strict" in cookie
    assert stranger.get("/api/v1/jobs").status_code == 200
    assert 'action="/logout"' in stranger.get("/").text
    stranger.post("/logout")
    assert stranger.get("/api/v1/jobs").status_code == 401
    stranger.post("/login", data={"token": secret})
    farm.store.access.revoke_token(token_id)
    assert stranger.get("/api/v1/jobs").status_code == 401, "a session ends with its token"
    assert stranger.post("/login", content=b"token=" + b"x" * 5000).status_code == 413


def test_on_https_the_cookie_is_bound_to_the_host(farm: Farm) -> None:
    """Given https, I expect a __Host- cookie, which no other host can set."""
    _, secret = farm.store.access.create_token("ada", Role.READ)
    with TestClient(create_app(farm, is_open=False), base_url="https://farm.example", follow_redirects=False) as client:
        cookie = client.post("/login", data={"token": secret}).headers["set-cookie"]
        assert cookie.startswith("__Host-stylefarm=")
        assert "Secure" in cookie
        assert client.get("/api/v1/jobs").status_code == 200


def test_tokens_are_stored_as_hashes_and_end(farm: Farm, stranger: TestClient) -> None:
    """Given a token of some days, I expect its secret nowhere in the database, and it refused when it has ended."""
    _, secret = farm.store.access.create_token("ada", Role.READ, days=1e-9)
    database = farm.settings.home / "farm.db"
    assert secret.encode() not in database.read_bytes()
    assert stranger.get("/api/v1/jobs", headers={"Authorization": f"Bearer {secret}"}).status_code == 401


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Sec-Fetch-Site": "cross-site"}, 403),
        ({"Sec-Fetch-Site": "same-site"}, 403),
        ({"Origin": "http://evil.example"}, 403),
        ({"Origin": "null"}, 403),
        ({"Sec-Fetch-Site": "same-origin", "Origin": "http://localhost"}, 200),
        ({}, 200),
    ],
)
def test_pages_of_other_sites_change_nothing(
    client: TestClient, sweep: Sweep, headers: dict[str, str], status: int
) -> None:
    """Given a request that another site's page sends, I expect it refused; our own pages', or a program's, not."""
    changes = {"ratings": [{"job": sweep.statuses()[0].id, "stars": 1}]}
    assert client.post("/api/v1/ratings", json=changes, headers=headers).status_code == status


def test_the_loopback_server_is_asked_by_its_own_name(farm: Farm) -> None:
    """Given a name that was pointed at this machine, I expect nothing to be answered under it."""
    with TestClient(create_app(farm, is_open=True, hosts={"localhost", "::1"}), base_url="http://localhost") as client:
        assert client.get("/api/v1/jobs").status_code == 200
        assert client.get("/api/v1/jobs", headers={"Host": "[::1]:8420"}).status_code == 200
        for host in ("evil.example", "localhost.evil.example", "[", "evil.example:80"):
            assert client.get("/api/v1/jobs", headers={"Host": host}).status_code == 421


def test_a_link_shows_one_sweep_and_nothing_of_the_farm(
    stranger: TestClient, client: TestClient, farm: Farm, sweep: Sweep
) -> None:
    """Given a link, I expect the sweep's cells and pictures, no path, error or worker, nothing else, and an end."""
    made = client.post(f"/api/v1/sweeps/{sweep.id}/shares", json={"days": 2}).json()
    root = "/shares/" + made["url"].rpartition("/")[2]
    assert stranger.get(root).status_code == 200
    shown = stranger.get(f"{root}/api/v1/sweeps/{sweep.id}/cells")
    assert shown.status_code == 200
    assert "pets/cat.png" not in shown.text
    assert "decoded" not in shown.text
    assert "error" not in shown.json()["cells"]
    sha256 = shown.json()["cells"]["picture"][0]
    content = shown.json()["axes"][0]["pictures"][0]
    for path in (f"thumbs/{sha256}-192.webp", f"pictures/{sha256}", f"thumbs/{content}-384.webp"):
        sent, asked = stranger.get(f"{root}/{path}"), stranger.head(f"{root}/{path}")
        assert (sent.status_code, asked.status_code, asked.headers) == (200, 200, sent.headers)
    for name in ("importance", "ranking"):
        assert stranger.get(f"{root}/api/v1/sweeps/{sweep.id}/{name}").status_code == 200
    job = sweep.statuses()[0].id
    for path in ("api/v1/workers", f"api/v1/jobs/{job}", f"api/v1/sweeps/{job}/cells", f"thumbs/{'0' * 64}-192.webp"):
        assert stranger.get(f"{root}/{path}").status_code == 404, path
    assert stranger.get(f"/pictures/{sha256}").status_code == 401, "the link opens nothing outside of it"
    assert made["url"].rpartition("/")[2] not in client.get(f"/api/v1/sweeps/{sweep.id}/shares").text
    assert client.delete(f"/api/v1/shares/{made['share']['id']}").status_code == 204
    assert stranger.get(root).status_code == 404
    _, secret = farm.store.access.share("ada", sweep.id, days=1e-9)
    assert stranger.get(f"/shares/{secret}").status_code == 404


def test_every_answer_protects_its_page(client: TestClient, sweep: Sweep) -> None:
    """Given any answer, I expect a policy without exceptions, and no guessing of types."""
    for path in ("/", f"/sweeps/{sweep.id}", "/api/v1/jobs", "/nothing", "/login"):
        answered = client.get(path)
        policy = answered.headers["content-security-policy"]
        assert "unsafe" not in policy
        assert "default-src 'none'" in policy
        assert answered.headers["x-content-type-options"] == "nosniff"
        assert "server" not in answered.headers
