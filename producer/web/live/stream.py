"""The stream of a sweep's changes: server-sent events, resumed by the cursor of the last one."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

from anyio import to_thread
from starlette.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

from stylefarm.producer.web.answers import to_json
from stylefarm.producer.web.documents import parse_cursor, sweep_changes
from stylefarm.producer.web.live.watch import Message, Subscriber, Watchers
from stylefarm.shared.services import Services

HEARTBEAT_SECONDS = 15.0
HEADERS = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}


class EventStream(StreamingResponse):
    """A response of server-sent events that gives its place back however it ends, also before its first byte."""

    def __init__(self, watchers: Watchers, sweep_id: str, user: str, cursor: str | None) -> None:
        self.watchers = watchers
        self.sweep_id = sweep_id
        self.subscriber = watchers.subscribe(sweep_id, user)
        events = _events(watchers.services, self.subscriber, sweep_id, user, cursor)
        super().__init__(events, headers=HEADERS, media_type="text/event-stream")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the events until the client leaves, is too slow, or the server ends."""
        try:
            await super().__call__(scope, receive, send)
        finally:
            self.watchers.unsubscribe(self.sweep_id, self.subscriber)


async def _events(
    services: Services, subscriber: Subscriber, sweep_id: str, user: str, cursor: str | None
) -> AsyncIterator[bytes]:
    # A first byte at once, so that the client knows that it is connected; and how soon it is to come again.
    yield b"retry: 2000\n: connected\n\n"
    if cursor is not None:
        since = parse_cursor(cursor)
        document = await to_thread.run_sync(lambda: sweep_changes(services, sweep_id, user, since))
        yield Message("changes", document["cursor"], to_json(document)).encode()
    while True:
        try:
            message = await asyncio.wait_for(subscriber.queue.get(), HEARTBEAT_SECONDS)
        except TimeoutError:
            yield b": still here\n\n"
            continue
        if message is None:
            return
        yield message
