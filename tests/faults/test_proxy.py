"""The proxy in front of an echo server."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Iterator

import pytest

from tests.faults.proxy import DELAY_SECONDS, Mode, Proxy

SOON = 0.3
PATIENT = 10.0


def serve(listener: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while True:
            near, _ = listener.accept()
            threading.Thread(target=echo, args=(near,), daemon=True).start()


def echo(near: socket.socket) -> None:
    with near, contextlib.suppress(OSError):
        while data := near.recv(4096):
            near.sendall(data)


@pytest.fixture
def proxy() -> Iterator[Proxy]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=serve, args=(listener,), daemon=True).start()
        with Proxy(listener.getsockname()[1]) as found:
            yield found
        listener.shutdown(socket.SHUT_RDWR)


def connected(proxy: Proxy) -> socket.socket:
    return socket.create_connection(("127.0.0.1", proxy.port), PATIENT)


def says(client: socket.socket, word: bytes, seconds: float = PATIENT) -> bytes:
    """What comes back for a word; nothing if the connection is closed. Raises TimeoutError."""
    client.settimeout(seconds)
    with contextlib.suppress(ConnectionError):
        client.sendall(word)
        return client.recv(4096)
    return b""


def test_it_carries_both_ways_and_delays(proxy: Proxy) -> None:
    with connected(proxy) as client:
        assert says(client, b"one") == b"one"
        began = time.monotonic()
        with proxy.disturbed(Mode.DELAY):
            assert says(client, b"two") == b"two"
        assert time.monotonic() - began >= 2 * DELAY_SECONDS


def test_a_cut_closes_what_is_open_and_what_is_new(proxy: Proxy) -> None:
    with connected(proxy) as before:
        assert says(before, b"one") == b"one"
        with proxy.disturbed(Mode.CUT):
            assert says(before, b"two") == b""
            with connected(proxy) as meanwhile:
                assert says(meanwhile, b"three") == b""
        with connected(proxy) as after:
            assert says(after, b"four") == b"four"


def test_what_falls_into_the_hole_comes_out_when_it_is_closed(proxy: Proxy) -> None:
    with connected(proxy) as client:
        assert says(client, b"one") == b"one"
        with proxy.disturbed(Mode.HOLE), pytest.raises(TimeoutError):
            says(client, b"two", SOON)
        client.settimeout(PATIENT)
        assert client.recv(4096) == b"two"


def test_a_stranded_connection_stays_silent_and_new_ones_work(proxy: Proxy) -> None:
    with connected(proxy) as stranded, connected(proxy) as other:
        assert says(stranded, b"one") == b"one"
        proxy.strand()
        with pytest.raises(TimeoutError):
            says(stranded, b"two", SOON)
        other.close()
        with connected(proxy) as new:
            assert says(new, b"three") == b"three"
        with pytest.raises(TimeoutError):
            stranded.recv(4096)


def test_whoever_asks_in_http_is_refused_in_http(proxy: Proxy) -> None:
    with proxy.disturbed(Mode.REFUSE), connected(proxy) as client:
        assert says(client, b"GET / HTTP/1.1\r\n\r\n").startswith(b"HTTP/1.1 503 ")


def test_a_server_that_is_down_is_a_connection_that_closes() -> None:
    with Proxy(1) as proxy, connected(proxy) as client:
        assert says(client, b"one") == b""
