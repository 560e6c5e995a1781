"""Hints on a real Redis."""

from __future__ import annotations

import base64
import json
import time
import uuid

import pytest
from redis import Redis

from shared.errors import InvalidSettings, ServiceUnavailable
from shared.queue import QUEUE, TASK, application, check, publish
from tests.servers import RedisServer


def test_a_hint_is_the_job_s_id_and_nothing_else(redis_server: RedisServer) -> None:
    """Given many jobs, if they are announced, I expect one message for each, in order, that holds only its id."""
    with Redis.from_url(redis_server.url) as client:
        client.delete(QUEUE)
        ids = [str(uuid.uuid4()) for _ in range(2500)]
        publish(application(redis_server.url), ids)
        messages = [json.loads(text) for text in reversed(client.lrange(QUEUE, 0, -1))]
        client.delete(QUEUE)
    assert [message["headers"]["id"] for message in messages] == ids
    first = messages[0]
    assert (first["headers"]["task"], first["content-type"]) == (TASK, "application/json")
    arguments, keywords, _ = json.loads(base64.b64decode(first["body"]))
    assert (arguments, keywords) == ([ids[0]], {})


def test_a_redis_that_is_away_is_said_to_be(redis_server: RedisServer) -> None:
    """Given a closed port and a wrong password, I expect ServiceUnavailable soon, and no password in its sentence."""
    gone = "redis://:secret@127.0.0.1:1/0"
    wrong = redis_server.url.replace(redis_server.password, "secret")
    started = time.monotonic()
    for url in (gone, wrong):
        for ask in (check, lambda url: publish(application(url), ["j"])):
            with pytest.raises(ServiceUnavailable) as away:
                ask(url)
            assert "secret" not in str(away.value)
            assert "Redis" in str(away.value)
    assert time.monotonic() - started < 30


def test_a_broker_that_is_not_redis_is_refused() -> None:
    """Given the URL of another broker, I expect a sentence that says what is taken."""
    with pytest.raises(InvalidSettings, match="redis://"):
        application("amqp://localhost")
