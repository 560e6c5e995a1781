"""The stream of a sweep's changes: server-sent events, resumed by the cursor of the last one."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Callable
from typing import Any

import structlog
from anyio import to_thread
from starlette.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

from stylefarm.producer.web.answers import to_json
from stylefarm.producer.web.documents import parse_cursor, sweep_changes
from stylefarm.producer.web.live.watch import Message, Subscriber, Watchers
from stylefarm.shared.errors import NotFound, ServiceUnavailable

log = structlog.get_logger("stylefarm.web")

# Takes out of a document what its reader is not to see.
Trim = Callable[[dict[str, Any]], dict[str, Any]]

# Whether somebody may still look, which a token or a link that has ended no longer allows; asked at each heartbeat.
Permission = Callable[[], bool]

HEARTBEAT_SECONDS = 15.0
STILL_HERE = b": still here\n\n"
HEADERS = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}


class EventStream(StreamingResponse):
    """A response of server-sent events that gives its place back however it ends, also before its first byte."""

    def __init__(
        self,
        watchers: Watchers,
        sweep_id: str,
        user: str,
        cursor: str | None,
        allowed: Permission,
        trim: Trim | None = None,
    ) -> None:
        self.watchers = watchers
        self.sweep_id = sweep_id
        self.subscriber = watchers.subscribe(sweep_id, user, trimmed=trim is not None)
        events = _events(self.subscriber, self._missed(user, cursor, trim or (lambda whole: whole)), allowed)
        super().__init__(events, headers=HEADERS, media_type="text/event-stream")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the events until the client leaves, is too slow, or may look no more, or the server ends."""
        try:
            await super().__call__(scope, receive, send)
        finally:
            self.watchers.unsubscribe(self.sweep_id, self.subscriber)

    async def _missed(self, user: str, cursor: str | None, trim: Trim) -> AsyncIterator[bytes]:
        """Yield what has changed since a cursor, if there is one."""
        if cursor is None:
            return
        # Looked at earlier, what changes before the first poll would be told by neither.
        while not (self.subscriber.begun.is_set() or self.subscriber.dropped):
            try:
                await asyncio.wait_for(self.subscriber.begun.wait(), HEARTBEAT_SECONDS)
            except TimeoutError:
                yield STILL_HERE
        if self.subscriber.dropped:
            return
        services, since = self.watchers.services, parse_cursor(cursor)
        document = await to_thread.run_sync(lambda: sweep_changes(services, self.sweep_id, user, since))
        yield Message("changes", document["cursor"], to_json(trim(document))).encode()


async def _events(subscriber: Subscriber, missed: AsyncIterator[bytes], allowed: Permission) -> AsyncIterator[bytes]:
    # A first byte at once, so that the client knows that it is connected; and how soon it is to come again.
    yield b"retry: 2000\n: connected\n\n"
    checked = time.monotonic()
    try:
        async for message in missed:
            # The first poll may come long after the request was allowed.
            if message is not STILL_HERE and time.monotonic() - checked >= HEARTBEAT_SECONDS:
                if not await to_thread.run_sync(allowed):
                    return
                checked = time.monotonic()
            yield message
        while True:
            with contextlib.suppress(TimeoutError):
                told = await asyncio.wait_for(subscriber.queue.get(), HEARTBEAT_SECONDS)
                if told is None:
                    return
                yield told
            if time.monotonic() - checked >= HEARTBEAT_SECONDS:
                if not await to_thread.run_sync(allowed):
                    return
                checked = time.monotonic()
                yield STILL_HERE
    except (NotFound, ServiceUnavailable) as error:
        # The client comes again, and is then told so by the answer.
        log.warning("stream ended", reason=str(error))
