"""Celery's way to Redis, on which nothing arrives but hints of ours, and questions about a slot."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from celery.app.amqp import AMQP
from kombu import Connection
from kombu.transport import redis as kombu_redis
from redis import Redis
from redis.exceptions import ResponseError

from stylefarm.shared.queue.messages import envelope, read_command, read_hint, write_hint
from stylefarm.shared.queue.redis_types import WRONG_TYPE, delete_other_types
from stylefarm.shared.queue.routes import HIGHEST, to_redis

# kombu's types leave out all that there is of the transport.
RedisChannel: Any = kombu_redis.Channel

log = logging.getLogger(__name__)


def _log_dropped(queue: str, data: bytes) -> None:
    log.warning("dropped %d bytes from %s that are no hint", len(data), queue)


@dataclass(frozen=True)
class Watch:
    """What a slot is told of its queues: `drop` of each message that is dropped, `poll` when it looks for the next."""

    drop: Callable[[str, bytes], None] = _log_dropped
    poll: Callable[[], None] = lambda: None


class HintClient(Redis):
    """Hands on hints alone, each made anew of the job's id, and drops what else stands in the lists."""

    def __init__(self, *arguments: Any, told: Watch, lists: Callable[[], Iterable[str]], **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._told = told
        self._lists = lists

    def clear(self, keys: Iterable[str]) -> None:
        """Drop what is no list at these keys."""
        for key in delete_other_types(self, keys):
            self._told.drop(key.partition(RedisChannel.sep)[0], b"")

    def parse_response(self, connection: Any, command_name: str, **options: Any) -> Any:
        """Return what Redis answers; None for a message that is no hint, as if there were none."""
        if command_name != "BRPOP":
            return super().parse_response(connection, command_name, **options)  # type: ignore[no-untyped-call]
        try:
            answer = super().parse_response(connection, command_name, **options)  # type: ignore[no-untyped-call]
        except ResponseError as error:
            if not str(error).startswith(WRONG_TYPE):
                raise
            self.clear(self._lists())
            return None
        if answer is None:
            return None
        key, data = answer
        queue, _, step = key.decode().partition(RedisChannel.sep)
        job_id = read_hint(data)
        if job_id is None:
            self._told.drop(queue, data)
            return None
        return key, write_hint(envelope(queue, to_redis(int(step or 0))), job_id).encode()


class HintChannel(RedisChannel):  # type: ignore[misc]
    """Consumes hints, which are not kept until they are acknowledged, nor put back: the reconciler makes new ones."""

    ack_emulation = False
    do_restore = False
    watch = Watch()

    from_transport_options = (*RedisChannel.from_transport_options, "watch")

    def _get_client(self) -> Callable[..., Redis]:
        super()._get_client()
        return partial(HintClient, told=self.watch, lists=self._keys)

    def _keys(self, queues: Iterable[str] | None = None) -> list[str]:
        of = self.active_queues if queues is None else queues
        return [self._q_for_pri(queue, step) for queue in of for step in range(HIGHEST + 1)]

    def _new_queue(self, queue: str, **options: Any) -> None:
        super()._new_queue(queue, **options)
        with self.conn_or_acquire() as client:
            client.clear(self._keys([queue]))

    def _brpop_start(self, timeout: float | None = None) -> None:
        self.watch.poll()
        super()._brpop_start(timeout)

    def _handle_message(self, client: Any, answer: Any) -> Mapping[str, Any]:
        """Return what was published to all slots; without data unless it is a question."""
        payload: dict[str, Any] = super()._handle_message(client, answer)
        if payload["type"].endswith(b"message"):
            command = read_command(payload["data"])
            if command is None:
                self.watch.drop("celery.pidbox", payload["data"])
            payload["data"] = command
        return payload


class HintTransport(kombu_redis.Transport):
    """The transport of these channels."""

    Channel = HintChannel


class HintConnection(Connection):
    """A connection by this transport; the scheme of its URL still says whether it is encrypted."""

    def get_transport_cls(self) -> type[HintTransport]:
        """Return the transport, whatever the URL says."""
        return HintTransport


class HintAMQP(AMQP):
    """What Celery makes its connections by."""

    Connection = HintConnection
