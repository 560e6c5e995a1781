"""The queue that these tests share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from stylefarm.shared.queue.hints import Hints
from tests.servers import RedisServer


@pytest.fixture
def hints(redis_server: RedisServer) -> Iterator[Hints]:
    """A Redis in which nothing is."""
    opened = Hints(redis_server.url)
    opened.client.flushall()
    yield opened
    opened.client.flushall()
    opened.client.close()
