"""A time limit for a whole conversation: timeouts of sockets are for each read, and a peer may go on for ever."""

from __future__ import annotations

import math
import socket
import threading
import time
from contextlib import suppress
from typing import Self


class Deadline:
    """Ends the connections that it watches when its time is over; whoever waits for them gets an OSError then.

    Args:
        seconds: counted from the beginning of the `with` block.

    Example:
        with Deadline(10) as deadline:
            deadline.watch(connected)
            answer = connected.recv(100)
    """

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._over_at = math.inf
        self._timer = threading.Timer(seconds, self._end)
        self._timer.daemon = True
        self._lock = threading.Lock()
        self._watched: list[socket.socket] = []

    def __enter__(self) -> Self:
        self._over_at = time.monotonic() + self._seconds
        self._timer.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self._timer.cancel()
        with self._lock:
            for watched in self._watched:
                watched.close()
            self._watched.clear()

    @property
    def is_over(self) -> bool:
        """Whether its time is over, by the clock: the thread that ends the connections then may be late."""
        return time.monotonic() >= self._over_at

    def watch(self, connection: socket.socket) -> None:
        """End this connection, too."""
        with self._lock:
            # A copy, since TLS takes the socket itself over.
            self._watched.append(connection.dup())
        if self.is_over:
            self._end()

    def _end(self) -> None:
        with self._lock:
            for watched in self._watched:
                # The peer may have ended it already.
                with suppress(OSError):
                    watched.shutdown(socket.SHUT_RDWR)
