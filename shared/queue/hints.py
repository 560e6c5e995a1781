"""Hints in Redis: messages for Celery's workers, each a job's id and nothing else.

What a job is and where it stands is the database's to say, so a hint may come twice or late, or be lost, without harm.
The messages are written here and not by Celery: ten times as fast, without importing it, and without its table of
bindings in Redis, which can be lost like everything there.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import groupby
from typing import Any
from urllib.parse import urlsplit

from redis import Redis
from redis.exceptions import AuthenticationError, RedisError

from stylefarm.shared.errors import InvalidSettings, ServiceUnavailable
from stylefarm.shared.queue.messages import envelope, write_hint
from stylefarm.shared.queue.redis_types import delete_other_types
from stylefarm.shared.queue.routes import HIGHEST, LOWEST, Hint, to_redis

CONNECT_SECONDS = 5
# Messages in one pipeline, which bounds the memory on both sides.
CHUNK = 1000

# How kombu names the lists of a queue's priorities; that of priority 0 has the queue's own name.
SEPARATOR = "\x06\x16"

# Not `read_hint`, since there are up to 10,000; to take another message for a hint does no harm, for a slot drops it.
_ID = re.compile(rb'"correlation_id": "([0-9a-f-]{36})"')


class Hints:
    """The queues in Redis. Every method raises ServiceUnavailable."""

    def __init__(self, broker_url: str) -> None:
        self.client = _client(broker_url)
        self.address = _without_password(broker_url)

    def publish(self, hints: Sequence[Hint]) -> None:
        """Announce jobs, in pipelines over one connection."""
        with self._translated():
            for start in range(0, len(hints), CHUNK):
                with self.client.pipeline(transaction=False) as pipeline:
                    for place, together in groupby(hints[start : start + CHUNK], lambda h: (h.queue, h.priority)):
                        messages = (write_hint(envelope(*place), hint.job_id) for hint in together)
                        pipeline.lpush(key_of(*place), *messages)
                    pipeline.execute()

    def count(self, queue: str) -> int:
        """Return how many hints the queue holds, of all priorities."""
        with self._translated(), self.client.pipeline(transaction=False) as pipeline:
            for priority in range(LOWEST, HIGHEST + 1):
                pipeline.llen(key_of(queue, priority))
            return sum(pipeline.execute())

    def standing(self, queue: str) -> dict[int, list[str]]:
        """Return the jobs whose hints the queue holds, by priority."""
        with self._translated(), self.client.pipeline(transaction=False) as pipeline:
            for priority in range(LOWEST, HIGHEST + 1):
                pipeline.lrange(key_of(queue, priority), 0, -1)
            found: list[list[bytes]] = pipeline.execute()
        return {
            priority: [match[1].decode() for text in texts if (match := _ID.search(text))]
            for priority, texts in enumerate(found, LOWEST)
        }

    def clear_other_types(self, queue: str) -> list[str]:
        """Delete what stands in the place of the queue's lists and is no list; return its keys."""
        with self._translated():
            return delete_other_types(self.client, (key_of(queue, priority) for priority in range(LOWEST, HIGHEST + 1)))

    def drop_newest(self, queue: str, priority: int, count: int) -> None:
        """Delete the newest hints of one priority."""
        with self._translated():
            self.client.ltrim(key_of(queue, priority), count, -1)

    def check(self) -> None:
        """Check that Redis answers."""
        with self._translated():
            self.client.ping()

    def about(self) -> dict[str, Any]:
        """Return Redis's own figures on its memory and on what it keeps on disk."""
        with self._translated():
            return {**self.client.info("memory"), **self.client.info("persistence")}

    def clock(self) -> float:
        """Return the time of Redis, in seconds since 1970."""
        with self._translated():
            seconds, micros = self.client.time()
        return seconds + micros / 1e6

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except (RedisError, OSError) as error:
            raise ServiceUnavailable(self._away(error)) from error

    def _away(self, error: Exception) -> str:
        reason = " ".join(str(error).split()) or type(error).__name__
        if isinstance(error, AuthenticationError):
            return f"Redis at {self.address} refuses us ({reason}): check the user and the password in broker_url"
        return f"Redis at {self.address} does not answer ({reason}): is it running, and is broker_url right?"


def key_of(queue: str, priority: int) -> str:
    """Return the list in Redis that holds the hints of a queue at one of our priorities."""
    step = to_redis(priority)
    return f"{queue}{SEPARATOR}{step}" if step else queue


def _client(broker_url: str) -> Redis:
    if not broker_url.startswith(("redis://", "rediss://")):
        raise InvalidSettings("broker_url must start with redis:// or rediss://, as in redis://:password@host:6379/0")
    try:
        return Redis.from_url(
            broker_url,
            socket_timeout=CONNECT_SECONDS,
            socket_connect_timeout=CONNECT_SECONDS,
            socket_keepalive=True,
            health_check_interval=10,
        )
    except ValueError as error:
        raise InvalidSettings(f"broker_url is no Redis URL: {error}") from None


def _without_password(broker_url: str) -> str:
    parts = urlsplit(broker_url)
    credentials, separator, address = parts.netloc.rpartition("@")
    user, colon, _ = credentials.partition(":")
    return parts._replace(netloc=f"{user}{colon and ':**'}{separator}{address}").geturl()
