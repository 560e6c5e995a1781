"""What workers are told when a sweep is asked for a second time, on real servers."""

from __future__ import annotations

import uuid
from pathlib import Path
from typing import Any

import pytest

from stylefarm.producer.client.farm import Farm
from stylefarm.shared.queue.hints import Hints
from stylefarm.shared.queue.routes import queue_name
from stylefarm.shared.settings import load_settings
from tests.servers import RedisServer, SwiftServer
from tests.servers.variables import variables_of


@pytest.fixture
def farm(
    postgres_url: str, redis_server: RedisServer, swift_server: SwiftServer, monkeypatch: pytest.MonkeyPatch
) -> Farm:
    """A farm on servers, without workers."""
    variables = variables_of(redis_server, postgres_url, swift_server, f"farm-{uuid.uuid4().hex}")
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    load_settings.cache_clear()
    return Farm()


def test_jobs_that_come_back_keep_their_queue(farm: Farm, redis_server: RedisServer, pictures: Path) -> None:
    """Given a sweep all of whose jobs were cancelled, if it is asked for with another label, I expect hints where they
    were before, since that is where they are queued, and none in the other queue."""
    hints = Hints(redis_server.url)
    hints.client.flushall()
    grid: dict[str, Any] = {
        "matrix": {"seed": [1, 2]},
        "base": {"content": pictures / "a.png", "style": pictures / "s.png", "init": "noise"},
    }
    with farm:
        first = farm.sweep(**grid, label="night")
        first.cancel()
        hints.client.flushall()
        again = farm.sweep(**grid, label="day")
        assert (again.id, again.created) == (first.id, frozenset(job.id for job in first))
    assert {each: hints.count(queue_name("auto", each)) for each in ("night", "day")} == {"night": 2, "day": 0}
    hints.client.close()
