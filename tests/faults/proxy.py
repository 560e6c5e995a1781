"""A TCP proxy on a fixed port that can delay, cut, drop or refuse connections."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum
from types import TracebackType
from typing import Self

from tests.servers.processes import free_ports

BUFFER = 1 << 16
DELAY_SECONDS = 0.3
CONNECT_SECONDS = 5.0

REFUSAL = b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"


class Mode(StrEnum):
    """What becomes of what is sent."""

    PASS = "pass"
    DELAY = "delay"
    """Each piece is held back for a while."""
    HOLE = "hole"
    """Nothing arrives, not even that a side has closed, as if packets got lost; it does when the hole is closed."""
    CUT = "cut"
    """Connections are closed, new ones at once."""
    REFUSE = "refuse"
    """The same, but HTTP requests are answered with 503, service unavailable."""


class Proxy:
    """Stands on `port` of 127.0.0.1 before the port `target` while its `with` block runs."""

    def __init__(self, target: int) -> None:
        self.target = target
        (self.port,) = free_ports(1)
        self.mode = Mode.PASS
        self._changed = threading.Condition()
        self._over = False
        self._links: set[_Link] = set()

    def __enter__(self) -> Self:
        self._listener = socket.create_server(("127.0.0.1", self.port), backlog=128)
        threading.Thread(target=self._accept, name=f"proxy of {self.target}", daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self._changed:
            self._over = True
        self._close_all()
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)  # wakes the thread that waits in accept
        self._listener.close()

    @contextmanager
    def disturbed(self, mode: Mode) -> Iterator[None]:
        """Treat connections in this way while the block runs."""
        self._set(mode)
        try:
            yield
        finally:
            self._set(Mode.PASS)

    def strand(self) -> None:
        """Leave the present connections half-open for good: neither end receives anything any more. New ones work."""
        with self._changed:
            for link in self._links:
                link.stranded = True

    def _set(self, mode: Mode) -> None:
        with self._changed:
            self.mode = mode
            self._changed.notify_all()
        if mode in {Mode.CUT, Mode.REFUSE}:
            self._close_all()

    def _close_all(self) -> None:
        with self._changed:
            links = list(self._links)
            self._changed.notify_all()
        for link in links:
            self._close(link)

    def _accept(self) -> None:
        while True:
            try:
                near, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(near,), daemon=True).start()

    def _serve(self, near: socket.socket) -> None:
        if self.mode is Mode.REFUSE:
            _refuse(near)
        elif self.mode is Mode.CUT:
            near.close()
        else:
            self._carry(near)

    def _carry(self, near: socket.socket) -> None:
        try:
            far = socket.create_connection(("127.0.0.1", self.target), CONNECT_SECONDS)
        except OSError:
            near.close()
            return
        far.settimeout(None)
        for end in (near, far):
            end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        link = _Link(near, far)
        with self._changed:
            self._links.add(link)
        # The proxy may have been cut, or closed, before the link was listed.
        if self._over or self.mode in {Mode.CUT, Mode.REFUSE}:
            self._close(link)
            return
        threading.Thread(target=self._pump, args=(link, far, near), daemon=True).start()
        self._pump(link, near, far)

    def _pump(self, link: _Link, source: socket.socket, sink: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(BUFFER):
                if not self._has_way(link):
                    break
                if self.mode is Mode.DELAY:
                    time.sleep(DELAY_SECONDS)
                sink.sendall(data)
        self._has_way(link)
        self._close(link)

    def _has_way(self, link: _Link) -> bool:
        """Wait until something can go over the link; False if that will never be."""

        def settled() -> bool:
            return self._over or link.closed or (self.mode is not Mode.HOLE and not link.stranded)

        with self._changed:
            self._changed.wait_for(settled)
            return not self._over and not link.closed

    def _close(self, link: _Link) -> None:
        with self._changed:
            self._links.discard(link)
            link.closed = True
            self._changed.notify_all()
        for end in (link.near, link.far):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)  # wakes the thread that waits in recv
            end.close()


class _Link:
    """One connection through the proxy."""

    def __init__(self, near: socket.socket, far: socket.socket) -> None:
        self.near = near
        self.far = far
        self.stranded = False
        self.closed = False


def _refuse(near: socket.socket) -> None:
    with near, contextlib.suppress(OSError):
        near.settimeout(CONNECT_SECONDS)
        near.recv(BUFFER)
        near.sendall(REFUSAL)
        near.shutdown(socket.SHUT_WR)
        # Unread input would make the kernel reset the connection, and drop the answer.
        while near.recv(BUFFER):
            pass
