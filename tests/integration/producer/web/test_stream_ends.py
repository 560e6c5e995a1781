"""How streams begin, and that they end when there is nothing more to tell, or who reads them may look no more."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from functools import partial
from typing import Any
from urllib.parse import quote

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import text

from stylefarm import Farm, State, Sweep
from stylefarm.producer.web.documents import sweep_changes
from stylefarm.producer.web.live import stream, watch
from stylefarm.shared.db.records import Fence, LossPoint
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
            wait_until(lambda: answered.done() or any(one._cells for one in list(watchers._watchers.values())), 60)
            assert not answered.done(), answered.result().text
            happens()
            told = answered.result(60)
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
    assert told.replace(": still here\n\n", "").endswith("event: gone\ndata: {}\n\n")


def test_a_stream_ends_that_cannot_be_polled(client: TestClient, farm: Farm, sweep: Sweep) -> None:
    """Given a stream, if a row is damaged under it, I expect it to end, so that the reader asks again."""
    read_while(client, f"/api/v1/sweeps/{sweep.id}/stream", partial(damage, farm))


def damage(farm: Farm) -> None:
    """Write what cannot be read into the rows of all jobs."""
    with farm.services.engine.begin() as connection:
        connection.execute(text("UPDATE jobs SET metrics = '{', updated_at = '2999-01-01 00:00:00.000000'"))


def test_a_stream_ends_with_the_right_to_look(stranger: TestClient, farm: Farm, sweep: Sweep) -> None:
    """Given streams by a token and by a link, if these are revoked, I expect them to end."""
    access = farm.store.access
    token, secret = access.create_token("ada", Role.READ)
    path = f"/api/v1/sweeps/{sweep.id}/stream"
    read_while(stranger, path, lambda: access.revoke_token(token), Authorization=f"Bearer {secret}")
    share, link = access.share("ada", sweep.id, 1)
    read_while(stranger, f"/shares/{link}{path}", lambda: access.revoke_share(share.id))


def test_who_may_look_no_more_is_told_nothing_however_late_the_first_look(
    stranger: TestClient, farm: Farm, sweep: Sweep, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Given a first look that takes long, if the token is revoked meanwhile, I expect the stream to end untold."""
    access = farm.store.access
    token, secret = access.create_token("ada", Role.READ)
    poll = watch.SweepWatcher._poll

    def late(watcher: watch.SweepWatcher, since: datetime | None) -> tuple[watch.Message | None, datetime]:
        if since is None:
            time.sleep(2 * stream.HEARTBEAT_SECONDS)
            access.revoke_token(token)
        return poll(watcher, since)

    monkeypatch.setattr(watch.SweepWatcher, "_poll", late)
    path = f"/api/v1/sweeps/{sweep.id}/stream?since={quote('2020-01-01T00:00:00+00:00')}"
    told = stranger.get(path, headers={"Authorization": f"Bearer {secret}"})
    assert told.status_code == 200
    assert "event: changes" not in told.text


def test_what_changes_as_a_stream_begins_is_told(
    client: TestClient, sweep: Sweep, farm: Farm, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Given a change between the request and the first look at the sweep, I expect it told with what was missed."""
    cursor = client.get(f"/api/v1/sweeps/{sweep.id}/cells").json()["cursor"]
    (running,) = [status.id for status in sweep.statuses() if status.state is State.RUNNING]
    poll, was_told = watch.SweepWatcher._poll, threading.Event()
    beats, missed_of = threading.Semaphore(0), stream.EventStream._missed

    def late(watcher: watch.SweepWatcher, since: datetime | None) -> tuple[watch.Message | None, datetime]:
        if since is None:
            # After several heartbeats, as a slow database would answer.
            assert all(beats.acquire(timeout=60) for _ in range(2))
            farm.store.attempts.record_losses(Fence(running, 1), [LossPoint(77, (2.0, 1.0, 0.5, 0.5))])
        return poll(watcher, since)

    async def counted(events: stream.EventStream, *arguments: Any) -> AsyncIterator[bytes]:
        async for told in missed_of(events, *arguments):
            if told == stream.STILL_HERE:
                beats.release()
            yield told

    def missed_changes(*arguments: Any) -> dict[str, Any]:
        try:
            return sweep_changes(*arguments)
        finally:
            was_told.set()

    def end() -> None:
        assert was_told.wait(60)
        damage(farm)

    monkeypatch.setattr(watch.SweepWatcher, "_poll", late)
    monkeypatch.setattr(stream.EventStream, "_missed", counted)
    monkeypatch.setattr(stream, "sweep_changes", missed_changes)
    told = read_while(client, f"/api/v1/sweeps/{sweep.id}/stream?since={quote(cursor)}", end)
    assert told.count(": still here") >= 2
    (missed,) = (line for line in told.splitlines() if line.startswith("data: "))
    assert 77 in json.loads(missed.removeprefix("data: "))["cells"]["iteration"]
