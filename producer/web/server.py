"""The server of the dashboard and the API."""

from __future__ import annotations

import socket
from collections.abc import Collection
from types import FrameType

import uvicorn

from stylefarm.producer.client.farm import Farm
from stylefarm.producer.web.app import create_app
from stylefarm.producer.web.guard import LOOPBACK_NAMES
from stylefarm.shared.errors import InvalidRequest
from stylefarm.shared.settings import is_loopback

# Requests that are under way when the server is told to end have so many seconds.
GRACE_SECONDS = 2
BACKLOG = 2048


class Server(uvicorn.Server):
    """Ends the streams as soon as it is told to end: they would go on for ever, and it would wait for them."""

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Take a signal to end."""
        app = self.config.app
        # Before the application has started there are no streams.
        loop = getattr(app.state, "loop", None)  # type: ignore[union-attr]
        if loop is not None:
            loop.call_soon_threadsafe(app.state.watchers.close)  # type: ignore[union-attr]
        super().handle_exit(sig, frame)


def is_for_this_machine(host: str, hosts: Collection[str]) -> bool:
    """Return whether whoever asks is the user of this machine, and needs no token.

    A server that has other names stands behind a proxy, by which other machines reach its loopback address.

    Example:
        >>> is_for_this_machine("127.0.0.1", ()), is_for_this_machine("127.0.0.1", ["farm.example"])
        (True, False)
    """
    return is_loopback(host) and not hosts


def listen(host: str, port: int) -> socket.socket:
    """Return a socket that listens.

    Args:
        host: the address.
        port: 0: any free one.

    Raises:
        InvalidRequest: the address is not this machine's, or the port is taken.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # By its number: asyncio sends small answers at once only on sockets that say that they are TCP.
    listening = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((host, port))
        # From here on connections wait for the server, which takes a second to start.
        listening.listen(BACKLOG)
    except OSError as error:
        listening.close()
        raise InvalidRequest(
            f"cannot listen at {host}:{port}: {error.strerror or error}: give another --port"
        ) from None
    return listening


def address_of(listening: socket.socket, host: str) -> str:
    """Return the address to open in a browser."""
    name = f"[{host}]" if ":" in host else host
    return f"http://{name}:{listening.getsockname()[1]}/"


def serve(farm: Farm, listening: socket.socket, host: str, *, hosts: tuple[str, ...] = ()) -> None:
    """Serve until SIGINT or SIGTERM.

    Args:
        farm: what is served.
        listening: a socket that listens.
        host: the address that it was bound to.
        hosts: more names by which the server may be asked.
    """
    is_open = is_for_this_machine(host, hosts)
    names = {*LOOPBACK_NAMES, host, *hosts} if is_loopback(host) or hosts else set()
    app = create_app(farm, is_open=is_open, hosts=names)
    config = uvicorn.Config(
        app,
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=GRACE_SECONDS,
        lifespan="on",
    )
    Server(config).run(sockets=[listening])
