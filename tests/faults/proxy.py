"""A TCP proxy that can delay, cut, or swallow what goes through it, on one port for its whole life."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from types import TracebackType
from typing import Literal, Self

from tests.servers.processes import free_ports

Mode = Literal["pass", "delay", "hole", "cut"]

BUFFER = 1 << 16
DELAY_SECONDS = 0.5
LOOK_SECONDS = 0.05


class Proxy:
    """Stands on `port` of 127.0.0.1 before the port `target`.

    `delay` holds each piece back for half a second; `hole` accepts and swallows, in both directions, and closes
    nothing, as a network does that has lost its way; `cut` closes every connection, and each new one at once.
    """

    def __init__(self, target: int) -> None:
        self.target = target
        (self.port,) = free_ports(1)
        self.mode: Mode = "pass"
        self._over = threading.Event()
        self._listener = socket.create_server(("127.0.0.1", self.port), reuse_port=False)
        self._listener.settimeout(LOOK_SECONDS)
        self._threads = [threading.Thread(target=self._accept, name=f"proxy of {target}", daemon=True)]

    def __enter__(self) -> Self:
        self._threads[0].start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over.set()
        for thread in list(self._threads):
            thread.join(5)
        self._listener.close()

    def _accept(self) -> None:
        while not self._over.is_set():
            try:
                near, _ = self._listener.accept()
            except TimeoutError:
                continue
            if self.mode == "cut":
                near.close()
                continue
            thread = threading.Thread(target=self._carry, args=(near,), daemon=True)
            self._threads.append(thread)
            thread.start()

    def _carry(self, near: socket.socket) -> None:
        with near, contextlib.suppress(OSError):
            far = socket.create_connection(("127.0.0.1", self.target), 5)
            with far:
                back = threading.Thread(target=self._pump, args=(far, near), daemon=True)
                back.start()
                self._pump(near, far)
                back.join(5)

    def _pump(self, source: socket.socket, sink: socket.socket) -> None:
        source.settimeout(LOOK_SECONDS)
        with contextlib.suppress(OSError):
            while not self._over.is_set() and self.mode != "cut":
                try:
                    data = source.recv(BUFFER)
                except TimeoutError:
                    continue
                if self.mode == "hole":
                    continue  # also the news that one side has closed
                if self.mode == "delay":
                    time.sleep(DELAY_SECONDS)
                if not data:
                    break
                sink.settimeout(None)
                sink.sendall(data)
        with contextlib.suppress(OSError):
            sink.shutdown(socket.SHUT_RDWR)
