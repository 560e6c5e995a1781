"""One watcher per sweep and process, however many look at it: it polls the database, and writes each change once."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

import structlog
from anyio import to_thread

from stylefarm.producer.web.answers import to_json
from stylefarm.producer.web.documents import columns, metric_names, state_counts
from stylefarm.shared.errors import NotFound, ServiceUnavailable
from stylefarm.shared.queries.cells import CellChanges, CellRow
from stylefarm.shared.services import Services

POLL_SECONDS = 0.25
# While the database does not answer.
PAUSE_SECONDS = 2.0
# Messages that wait for a slow reader; with more it is dropped, and resumes by the cursor that it had last.
MOST_WAITING = 64

log = structlog.get_logger("stylefarm.web")


@dataclass(frozen=True)
class Message:
    """An event of a stream: its name, its cursor if it moves that on, its data as JSON."""

    event: str
    cursor: str
    data: bytes
    trimmed: bytes | None = None
    """The data for those who only have a link."""

    def encode(self) -> bytes:
        """Return the event as a text/event-stream has it."""
        # An empty id would take from the client the cursor that it had last, and by which it comes again.
        cursor = f"id: {self.cursor}\n" if self.cursor else ""
        return b"event: %s\n%sdata: %s\n\n" % (self.event.encode(), cursor.encode(), self.data)


@dataclass(eq=False)
class Subscriber:
    """A reader of a stream. `None` in its queue ends it."""

    user: str
    trimmed: bool = False
    """Whether it is told of no errors."""
    begun: asyncio.Event = field(default_factory=asyncio.Event)
    """Set when the sweep was polled for the first time, so that what changes from then on is told; or at the end."""
    queue: asyncio.Queue[bytes | None] = field(default_factory=lambda: asyncio.Queue(MOST_WAITING))
    dropped: bool = False

    def put(self, message: bytes | None) -> None:
        """Hand over a message; a reader that is too slow is dropped."""
        if self.dropped:
            return
        if self.queue.full():
            message = None
            while not self.queue.empty():
                self.queue.get_nowait()
        self.queue.put_nowait(message)
        self.dropped = message is None


@dataclass(eq=False)
class SweepWatcher:
    """Polls one sweep as long as somebody looks at it."""

    services: Services
    sweep_id: str
    on_idle: Callable[[SweepWatcher], None]
    subscribers: set[Subscriber] = field(default_factory=set)
    begun: asyncio.Event = field(default_factory=asyncio.Event)
    _cells: dict[int, tuple[Any, ...]] = field(default_factory=dict)
    _states: dict[int, CellRow] = field(default_factory=dict)
    _task: asyncio.Task[None] | None = None

    def add(self, subscriber: Subscriber) -> None:
        """Begin to tell a reader of changes."""
        subscriber.begun = self.begun
        self.subscribers.add(subscriber)
        if self._task is None:
            self._task = asyncio.get_running_loop().create_task(self._run())
            self._task.add_done_callback(self._end)

    def remove(self, subscriber: Subscriber) -> None:
        """Stop telling a reader; the watcher ends with its last one."""
        self.subscribers.discard(subscriber)
        if not self.subscribers and self._task is not None:
            self._task.cancel()
            self._task = None
            self.on_idle(self)

    def publish(self, message: Message, user: str | None = None) -> None:
        """Send a message to all readers, or to those of one user."""
        encoded = message.encode()
        trimmed = encoded if message.trimmed is None else replace(message, data=message.trimmed).encode()
        for subscriber in list(self.subscribers):
            if user is None or (subscriber.user == user and not subscriber.trimmed):
                subscriber.put(trimmed if subscriber.trimmed else encoded)

    def close(self) -> None:
        """End all streams, also those that wait for the first poll."""
        self.begun.set()
        for subscriber in list(self.subscribers):
            subscriber.put(None)

    def _end(self, task: asyncio.Task[None]) -> None:
        """End all streams when nothing is polled any more: who comes again gets a new watcher, or is told why not."""
        if task.cancelled():
            return
        error = task.exception()
        if error is not None:
            log.error("sweep not polled any more", sweep=self.sweep_id, exc_info=error)
        self.close()
        self.on_idle(self)

    async def _run(self) -> None:
        since: datetime | None = None
        while True:
            try:
                message, since = await to_thread.run_sync(self._poll, since)
            except NotFound:
                self.publish(Message("gone", "", b"{}"))
                return
            except ServiceUnavailable as error:
                log.warning("sweep not polled", sweep=self.sweep_id, reason=str(error))
                await asyncio.sleep(PAUSE_SECONDS)
                continue
            self.begun.set()
            if message is not None:
                self.publish(message)
            await asyncio.sleep(POLL_SECONDS)

    def _poll(self, since: datetime | None) -> tuple[Message | None, datetime]:
        """Return what has changed, and the cursor of the next poll; on a thread of its own."""
        changes = self.services.cell_reads.cells(self.sweep_id, since)
        # What changed shortly before the last poll is named again: told is only what differs from what was told.
        fresh = [cell for cell in changes.cells if self._cells.get(cell.position) != self._version(changes, cell)]
        for cell in fresh:
            self._cells[cell.position] = self._version(changes, cell)
            self._states[cell.position] = cell
        if not fresh:
            if not changes.cells:
                # Nothing has changed, or the sweep was deleted.
                self.services.queries.sweep(self.sweep_id)
            return None, changes.cursor
        if since is None:
            # The readers have these: each began with a document.
            return None, changes.cursor
        return self._message(changes._replace(cells=fresh)), changes.cursor

    def _message(self, changes: CellChanges) -> Message:
        axes = self.services.queries.sweep(self.sweep_id).axes
        cursor = changes.cursor.isoformat()
        cells = columns(changes, axes, metric_names(changes.cells))
        document = {"cursor": cursor, "counts": state_counts(self._states.values())}
        without_errors = {name: column for name, column in cells.items() if name != "error"}
        return Message(
            "changes", cursor, to_json({**document, "cells": cells}), to_json({**document, "cells": without_errors})
        )

    @staticmethod
    def _version(changes: CellChanges, cell: CellRow) -> tuple[Any, ...]:
        return (cell.job, cell.updated_at, cell.state, cell.iteration, changes.pictures.get(cell.job))


class Watchers:
    """The watchers of all sweeps that are looked at.

    Args:
        services: the farm's.
    """

    def __init__(self, services: Services) -> None:
        self.services = services
        self.closing = False
        self._watchers: dict[str, SweepWatcher] = {}

    def subscribe(self, sweep_id: str, user: str, *, trimmed: bool = False) -> Subscriber:
        """Return a reader of the changes of a sweep."""
        watcher = self._watchers.get(sweep_id)
        if watcher is None:
            watcher = SweepWatcher(self.services, sweep_id, lambda idle: self._forget(idle))
            self._watchers[sweep_id] = watcher
        subscriber = Subscriber(user, trimmed)
        watcher.add(subscriber)
        if self.closing:
            subscriber.put(None)
        return subscriber

    def unsubscribe(self, sweep_id: str, subscriber: Subscriber) -> None:
        """End a reader."""
        watcher = self._watchers.get(sweep_id)
        if watcher is not None:
            watcher.remove(subscriber)

    def publish_to_user(self, user: str, event: str, document: Any) -> None:
        """Send an event to every page that a user has open."""
        message = Message(event, "", to_json(document))
        for watcher in self._watchers.values():
            watcher.publish(message, user)

    def close(self) -> None:
        """End all streams, since the server ends."""
        self.closing = True
        for watcher in list(self._watchers.values()):
            watcher.close()

    def _forget(self, watcher: SweepWatcher) -> None:
        if self._watchers.get(watcher.sweep_id) is watcher:
            del self._watchers[watcher.sweep_id]
