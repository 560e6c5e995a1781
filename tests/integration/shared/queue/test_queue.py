"""Hints on a real Redis."""

from __future__ import annotations

import json
import time
import uuid
from typing import Any

import pytest

from stylefarm.shared.errors import InvalidSettings, ServiceUnavailable
from stylefarm.shared.queue.app import application
from stylefarm.shared.queue.hints import Hints, key_of
from stylefarm.shared.queue.messages import TASK
from stylefarm.shared.queue.routes import Hint
from tests.servers import RedisServer


def hinted(count: int, priority: int = 5, queue: str = "q") -> list[Hint]:
    return [Hint(str(uuid.uuid4()), queue, priority) for _ in range(count)]


def test_a_hint_is_the_job_s_id_and_nothing_else(hints: Hints) -> None:
    """Given many jobs, if they are announced, I expect one message for each, in order, that holds only its id."""
    announced = hinted(2500)
    hints.publish(announced)
    messages = [json.loads(text) for text in reversed(hints.client.lrange(key_of("q", 5), 0, -1))]
    assert [message["headers"]["id"] for message in messages] == [hint.job_id for hint in announced]
    first = messages[0]
    assert (first["headers"]["task"], first["content-type"]) == (TASK, "application/json")
    arguments, keywords, _ = json.loads(first["body"])
    assert (arguments, keywords) == ([announced[0].job_id], {})
    assert len({message["properties"]["delivery_tag"] for message in messages}) == 2500


def test_what_stands_is_known_by_priority(hints: Hints) -> None:
    """Given hints of two priorities, I expect each where Celery looks for it, and those that came last to go first."""
    urgent, idle = hinted(2, 9), hinted(3, 0)
    hints.publish([*urgent, *idle])
    standing = hints.standing("q")
    assert set(standing[9]) == {hint.job_id for hint in urgent}
    assert hints.count("q") == 5
    # On Redis, priority 0 is consumed first, and its list has the queue's own name.
    assert hints.client.llen("q") == 2
    hints.drop_newest("q", 0, 2)
    assert hints.standing("q")[0] == [idle[0].job_id]


def test_celery_reads_what_is_written(hints: Hints, redis_server: RedisServer) -> None:
    """Given hints of two priorities, if kombu consumes them, I expect the urgent one first, whole."""
    (idle, urgent) = (*hinted(1, 1), *hinted(1, 8))
    hints.publish([idle, urgent])
    app = application(redis_server.url)
    with app.connection_for_read() as connection, connection.SimpleQueue("q") as queue:
        for hint in (urgent, idle):
            message = queue.get(timeout=30)
            assert message.decode()[0] == [hint.job_id]
            assert message.headers["id"] == hint.job_id
            assert str(message.properties["priority"]) == str(9 - hint.priority)
            message.ack()


def test_a_redis_that_is_away_is_said_to_be(redis_server: RedisServer) -> None:
    """Given a closed port and a wrong password, I expect ServiceUnavailable soon, and no password in its sentence."""
    gone = "redis://:secret@127.0.0.1:1/0"
    wrong = redis_server.url.replace(redis_server.password, "secret")
    started = time.monotonic()
    for url in (gone, wrong):
        for ask in (Hints.check, lambda hints: hints.publish(hinted(1))):
            with pytest.raises(ServiceUnavailable) as away:
                ask(Hints(url))
            assert "secret" not in str(away.value)
            assert "Redis" in str(away.value)
    assert time.monotonic() - started < 30


def test_a_broker_that_is_not_redis_is_refused() -> None:
    """Given the URL of another broker, I expect a sentence that says what is taken."""
    for connect in (application, Hints):
        with pytest.raises(InvalidSettings, match="redis://"):
            connect("amqp://localhost")


def test_nobody_waits_for_the_result_of_a_child_that_died() -> None:
    """Given Celery, which waits ten seconds for it before a slot takes another job, I expect ours not to."""
    assert application("redis://localhost").conf.worker_lost_wait < 1


def test_a_lost_acknowledgement_keeps_no_slot_from_its_next_hint(hints: Hints, redis_server: RedisServer) -> None:
    """Given a slot that has a hint whose acknowledgement got lost, I expect that it may take the next one."""
    hints.publish(hinted(1))
    app = application(redis_server.url)
    with app.connection_for_read() as connection:
        channel: Any = connection.channel()
        # As a worker of one process sets it up.
        channel.basic_qos(0, app.conf.worker_prefetch_multiplier * 1, False)
        message = channel.basic_get("q", no_ack=False)
        assert message is not None
        assert channel.qos.can_consume()
