"""What lies in a queue or is sent to a slot and is no hint of ours, on a real Redis."""

from __future__ import annotations

import base64
import contextlib
import json
import uuid
from functools import partial
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from kombu import Connection, Queue
from redis import Redis

from stylefarm.shared.dispatch.announcer import make_plan
from stylefarm.shared.queue import messages
from stylefarm.shared.queue.app import application
from stylefarm.shared.queue.hints import Hints, key_of
from stylefarm.shared.queue.routes import Hint
from stylefarm.shared.queue.transport import Watch
from tests.servers import RedisServer
from tests.servers.processes import wait_until

ID = "0198f0e4-6d3c-7cc1-8ad2-4be1e8c80d6a"


def hint(**changes: Any) -> dict[str, Any]:
    """A hint as it stands in Redis, with other values at some of its keys ("headers__timelimit")."""
    [text] = _written(ID)
    document: dict[str, Any] = json.loads(text)
    for path, value in changes.items():
        *above, key = path.split("__")
        place = document
        for name in above:
            place = place[name]
        place[key] = value
    return document


def _written(*ids: str) -> list[str]:
    return [messages.write_hint(messages.envelope("q", 5), job_id) for job_id in ids]


FOREIGN = [
    b"",
    b"\x00",
    b"\xff\xfe garbage",
    b"garbage",
    b'""',
    b"[]",
    b"{}",
    b"null",
    b"NaN",
    b"[" * 100_000,
    b'{"headers": ' * 300 + b"1" + b"}" * 300,
    b'{"headers": {"task": "stylefarm.render", "id": 1' + b"0" * 5000 + b"}}",
    b" " * 1_000_000 + b"{}",
    *(
        json.dumps(document).encode()
        for document in (
            hint(headers__task="os.system"),
            hint(headers__task=None),
            hint(headers__task=["stylefarm.render"]),
            hint(headers__id=None),
            hint(headers__id=["x"]),
            hint(headers__id="../../x"),
            hint(headers__id="\ud800" * 36),
            hint(headers=None),
            hint(headers=[]),
            {"body": "x", "properties": {}},
        )
    ),
]

# What else is in the message is of no use, and must not do anything.
IGNORED: list[dict[str, Any]] = [
    {"headers__timelimit": "x"},
    {"headers__eta": "2999-01-01T00:00:00"},
    {"headers__expires": {"a": 1}},
    {"headers__compression": "zlib"},
    {"headers__shadow": 5},
    {"properties": None},
    {"properties__delivery_tag": None, "properties__delivery_info": "x"},
    {"properties__body_encoding": "base64", "body": "not base64"},
    {"body": "[[], {}, {}]"},
    {"body": {"__type__": "bytes", "__value__": 4}},
    {"content-type": "application/x-python-serialize"},
    {"content-encoding": "zlib_codec"},
]


def taken(hints: Hints, url: str, count: int) -> tuple[list[str], list[bytes]]:
    """The job ids that a consumer of ours gets out of "q", and what it drops."""
    dropped: list[bytes] = []
    app = application(url, Watch(drop=lambda _queue, data: dropped.append(data)))
    found = []
    with app.connection_for_read() as connection, connection.SimpleQueue("q") as queue:
        for _ in range(count):
            message = queue.get(timeout=30)
            [job_id], keywords, _ = message.decode()
            assert keywords == {}
            assert message.headers == {
                "lang": "py",
                "task": messages.TASK,
                "id": job_id,
                "root_id": job_id,
                **_repr(job_id),
            }
            found.append(job_id)
        assert hints.count("q") == 0
    # One that is not acknowledged is not put back either, when the connection ends.
    assert hints.count("q") == 0
    assert not hints.client.exists("unacked")
    return found, dropped


def _repr(job_id: str) -> dict[str, str]:
    return {"argsrepr": f"['{job_id}']"}


def test_what_is_no_hint_is_dropped(hints: Hints, redis_server: RedisServer) -> None:
    """Given all sorts of things before a hint, if a slot takes messages, I expect the hint alone, and the rest told."""
    hints.client.lpush(key_of("q", 5), *FOREIGN)
    hints.publish([Hint(ID, "q", 5)])
    assert taken(hints, redis_server.url, 1) == ([ID], FOREIGN)


def test_of_a_hint_the_id_alone_is_taken(hints: Hints, redis_server: RedisServer) -> None:
    """Given hints with headers and properties that would end a slot, I expect jobs' ids, as from any other hint."""
    hints.client.lpush(key_of("q", 5), *(json.dumps(hint(**changes)) for changes in IGNORED))
    assert taken(hints, redis_server.url, len(IGNORED)) == ([ID] * len(IGNORED), [])


_JSON: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.just(ID) | st.just(messages.TASK),
    lambda inner: (
        st.lists(inner)
        | st.dictionaries(
            st.sampled_from(["headers", "properties", "body", "task", "id", "delivery_tag", "delivery_info", "x"]),
            inner,
        )
    ),
    max_leaves=12,
)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    things=st.lists(st.binary() | _JSON.map(lambda value: json.dumps(value).encode()), max_size=5),
    changes=st.dictionaries(
        st.sampled_from(["body", "properties", "content-type", "headers__eta", "headers__timelimit", "headers__x"]),
        _JSON,
    ),
)
def test_nothing_stops_a_consumer(
    hints: Hints, redis_server: RedisServer, things: list[bytes], changes: dict[str, Any]
) -> None:
    """Given any bytes, any JSON, and a hint with any values in it, I expect the hint taken and the rest dropped."""
    hints.client.lpush(key_of("q", 5), *things, json.dumps(hint(**changes)))
    found, dropped = taken(hints, redis_server.url, 1)
    assert (found, dropped) == ([ID], things)


def drain(connection: Connection) -> None:
    """Have a consumer take a message, if one comes soon."""
    with contextlib.suppress(TimeoutError):
        connection.drain_events(timeout=0.05)


def test_a_key_of_another_type_is_removed(hints: Hints, redis_server: RedisServer) -> None:
    """Given a hash where a list of a queue should be, I expect it gone, and hints that come through.

    Whoever is first removes it: who announces jobs, a slot that starts, or one that takes messages.
    """
    keys = [key_of("q", 9), key_of("q", 3)]
    app = application(redis_server.url, Watch(drop=lambda *_: None))

    def spoil() -> None:
        for key in keys:
            hints.client.delete(key)
            hints.client.hset(key, "x", "y")

    spoil()
    assert set(hints.clear_other_types("q")) == set(keys)
    assert hints.standing("q") == {priority: [] for priority in range(10)}
    hints.publish([Hint(ID, "q", 5)])
    spoil()
    with app.connection_for_read() as connection:
        channel: Any = connection.channel()
        declared = Queue("q", channel=channel)
        declared.declare()
        assert not hints.client.exists(*keys)
        received: list[str] = []
        with connection.Consumer([declared], callbacks=[lambda body, _message: received.extend(body[0])]):
            spoil()

            def has_come() -> bool:
                drain(connection)
                return bool(received) and not hints.client.exists(*keys)

            wait_until(has_come, 30)
            drain(connection)
    assert received == [ID]
    assert not hints.client.exists(*keys)


def test_foreign_messages_keep_no_hint_from_being_announced(hints: Hints) -> None:
    """Given all sorts of things in a queue, if hints are planned, I expect the wanted ones to be published."""
    hints.client.lpush(
        key_of("q", 5), *FOREIGN, '{"correlation_id": "\xff"}'.encode("latin-1"), '{"correlation_id": "x"}'
    )
    wanted = [Hint(str(uuid.uuid4()), "q", 5)]
    assert make_plan(wanted, hints.standing("q"), 10).publish == wanted
    hints.client.delete(key_of("q", 5))


def command(method: object, **body: object) -> bytes:
    """A command of Celery's remote control, as it is sent."""
    text = json.dumps({"method": method, "arguments": {}, "destination": None, **body})
    return _envelope(base64.b64encode(text.encode()).decode())


def _envelope(body: object, **changes: object) -> bytes:
    properties = {"body_encoding": "base64", "delivery_info": {}, "delivery_tag": "x"}
    whole = {"body": body, "content-type": "application/json", "content-encoding": "utf-8", "headers": {"clock": 1}}
    return json.dumps({**whole, "properties": properties, **changes}).encode()


QUESTIONS = ["ping", "enable_events", "disable_events", "stats", "active", "conf", "registered", "active_queues"]

REFUSED = [
    command("cancel_consumer", arguments={"queue": "q"}),
    command("add_consumer", arguments={"queue": "q"}),
    *map(command, ("shutdown", "pool_shrink", "pool_restart", "autoscale", "revoke", "terminate", "time_limit", "x")),
    *map(command, (None, 1, ["ping"], {"ping": 1})),
    _envelope("not base64"),
    _envelope(5),
    _envelope(base64.b64encode(b"[]").decode()),
    b"garbage",
    b"{}",
    b"[" * 100_000,
]


def test_a_slot_is_asked_and_not_commanded(redis_server: RedisServer) -> None:
    """Given commands of Celery's remote control and garbage, I expect a slot to hear of what Flower asks alone."""
    heard: list[str] = []
    dropped: list[bytes] = []
    app = application(redis_server.url, Watch(drop=lambda _queue, data: dropped.append(data)))
    odd = [_envelope(json.loads(command("ping"))["body"], headers="x", properties={"compression": 3})]
    with app.connection_for_read() as connection, Redis.from_url(redis_server.url) as client:
        channel = connection.default_channel
        mailbox: Any = app.control.mailbox  # type: ignore[attr-defined]
        node = mailbox(connection).Node("here", channel=channel)
        node.listen(callback=lambda body, _message: heard.append(body["method"]))

        def is_sent(data: bytes) -> bool:
            """Not as long as nobody gets it: Redis subscribes a slot some time after it has asked for that."""
            if client.publish("/0.celery.pidbox", data):
                return True
            drain(connection)
            return False

        def have_come(count: int) -> bool:
            drain(connection)
            return len(heard) + len(dropped) >= count

        for number, data in enumerate([*REFUSED, *map(command, QUESTIONS), *odd], 1):
            wait_until(partial(is_sent, data), 30)
            wait_until(partial(have_come, number), 30)
    assert heard == [*QUESTIONS, "ping"]
    assert dropped == REFUSED
