"""Streams end when there is nothing more to tell, or whoever reads them may look no more."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import text

from stylefarm import Farm, Sweep
from stylefarm.producer.web.live import stream
from stylefarm.shared.store.access import Role
from tests.made_up import made_up
from tests.servers.processes import wait_until


@pytest.fixture(autouse=True)
def _short_heartbeat(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A heartbeat that a test can wait for."""
    monkeypatch.setattr(stream, "HEARTBEAT_SECONDS", 0.3)
    yield


def read_while(client: TestClient, path: str, happens: Callable[[], object], **headers: str) -> str:
    """All that a stream tells, in the midst of which something happens that ends it."""
    watchers = client.app.state.watchers  # type: ignore[attr-defined]
    with ThreadPoolExecutor(1) as pool:
        answered = pool.submit(client.get, path, headers=headers)
        try:
            wait_until(lambda: answered.done() or any(one._cells for one in watchers._watchers.values()), 10)
            assert not answered.done(), answered.result().text
            happens()
            told = answered.result(10)
        finally:
            watchers.closing = True
            client.portal.call(watchers.close)  # type: ignore[union-attr]
            watchers.closing = False
    assert told.status_code == 200
    assert watchers._watchers == {}, "nothing is polled any more"
    return told.text


def test_a_stream_tells_that_its_sweep_is_gone(client: TestClient, farm: Farm) -> None:
    """Given a sweep that is looked at, if it is deleted, I expect `gone` as the last event."""
    sweep = made_up(farm, {"content": ["cat.png"], "style": ["waves.png"]})
    told = read_while(client, f"/api/v1/sweeps/{sweep.id}/stream", sweep.delete)
    assert told.endswith("event: gone\nid: \ndata: {}\n\n")


def test_a_stream_ends_that_cannot_be_polled(client: TestClient, farm: Farm, sweep: Sweep) -> None:
    """Given a stream, if a row is damaged under it, I expect it to end, so that the reader asks again."""

    def damage() -> None:
        with farm.store.reviews.engine.begin() as connection:
            connection.execute(text("UPDATE jobs SET metrics = '{', updated_at = '2999-01-01 00:00:00.000000'"))

    read_while(client, f"/api/v1/sweeps/{sweep.id}/stream", damage)


def test_a_stream_ends_with_the_right_to_look(stranger: TestClient, farm: Farm, sweep: Sweep) -> None:
    """Given streams by a token and by a link, if these are revoked, I expect them to end."""
    access = farm.store.access
    token, secret = access.create_token("ada", Role.READ)
    path = f"/api/v1/sweeps/{sweep.id}/stream"
    read_while(stranger, path, lambda: access.revoke_token(token), Authorization=f"Bearer {secret}")
    share, link = access.share("ada", sweep.id, 1)
    read_while(stranger, f"/shares/{link}{path}", lambda: access.revoke_share(share.id))
