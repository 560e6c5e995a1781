"""The HTTP port of a worker: `/metrics` for Prometheus, `/healthz` for health checks."""

from __future__ import annotations

import errno
import socket
import tempfile
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from socketserver import ThreadingMixIn
from typing import TYPE_CHECKING, Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

import structlog
from prometheus_client import CollectorRegistry, make_wsgi_app

from stylefarm.shared.dispatch.workers import NewWorker
from stylefarm.shared.errors import InvalidSettings
from stylefarm.shared.services import Services
from stylefarm.worker.host.pin import VISIBLE, Slot
from stylefarm.worker.host.supervisor import Supervisor
from stylefarm.worker.monitoring.gauges import CountCollector, FarmCollector, GpuCollector, SlotCollector, registry_of

if TYPE_CHECKING:
    from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

log = structlog.get_logger("stylefarm.worker")

SILENT_CLIENT_SECONDS = 10
PLAIN = ("Content-Type", "text/plain; charset=utf-8")

REASONS = {
    errno.EADDRINUSE: "another program listens there",
    errno.EACCES: "that port is for root",
    errno.EADDRNOTAVAIL: "this machine has no such address",
}

# A sentence that says what is wrong; None if nothing is.
Health = Callable[[], str | None]


class Handler(WSGIRequestHandler):
    """Logs as the worker does, and closes connections that stay silent."""

    timeout = SILENT_CLIENT_SECONDS

    def log_message(self, format: str, *arguments: Any) -> None:  # noqa: A002 - its name in the base class
        """Log a request."""
        log.debug("asked for metrics", request=format % arguments)


class Server(ThreadingMixIn, WSGIServer):
    """A thread for each request, so that health is answered while metrics wait for a service."""

    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        # The client has closed the connection, or does not read.
        """Log an error of a request."""
        log.debug("not answered", client=str(client_address), exc_info=True)


class IPv6Server(Server):
    """The same for an IPv6 address."""

    address_family = socket.AF_INET6


class MetricsServer:
    """The port, opened before anything is started, and a folder for each slot's counters, by its name."""

    def __init__(self, server: Server, folders: Mapping[str, Path], places: Sequence[Slot]) -> None:
        self.server = server
        self.folders = folders
        self.places = places

    def serve(
        self, services: Services, supervisor: Supervisor, listed: Mapping[str, NewWorker], pulses: Mapping[str, Path]
    ) -> None:
        """Answer from now on; `listed` are the slots as the farm knows them, `pulses` the files of their pulses."""
        names = {slot: worker.name.partition("@")[0] for slot, worker in listed.items()}
        gpus = {names[place.name]: place.environment[VISIBLE] for place in self.places if place.device == "gpu"}
        collectors = [
            FarmCollector(services, (queue for worker in listed.values() for queue in worker.queues)),
            SlotCollector(supervisor, names, pulses),
            CountCollector({names[slot]: folder for slot, folder in self.folders.items()}),
            *([GpuCollector(gpus)] if gpus else []),
        ]
        self.server.set_app(_application(registry_of(collectors), supervisor.health))
        log.info("metrics are served", address=str(self.server.server_address[0]), port=self.server.server_port)


@contextmanager
def open_port(host: str, port: int, places: Sequence[Slot]) -> Iterator[MetricsServer]:
    """Open the port, and close it and delete the folders afterwards. Raises InvalidSettings."""
    with _listening(host, port) as server, _folders(place.name for place in places) as folders:
        thread = threading.Thread(target=server.serve_forever, name="watch", daemon=True)
        thread.start()
        try:
            yield MetricsServer(server, folders, places)
        finally:
            server.shutdown()


@contextmanager
def _listening(host: str, port: int) -> Iterator[Server]:
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0][0]
        server_class = IPv6Server if family == socket.AF_INET6 else Server
        server = make_server(host, port, _starting, server_class, Handler)
    except (OSError, UnicodeError) as error:
        raise InvalidSettings(_refusal(host, port, error)) from None
    with server:
        yield server


@contextmanager
def _folders(slots: Iterable[str]) -> Iterator[Mapping[str, Path]]:
    # Only the owner may read it.
    with tempfile.TemporaryDirectory(prefix="stylefarm-metrics-") as place:
        made = {slot: Path(place) / slot for slot in slots}
        for folder in made.values():
            folder.mkdir()
        yield made


def _application(registry: CollectorRegistry, health: Health) -> WSGIApplication:
    metrics = make_wsgi_app(registry)

    def answer(environ: WSGIEnvironment, start: StartResponse) -> Iterable[bytes]:
        path = environ["PATH_INFO"]
        if path == "/healthz":
            wrong = health()
            start("503 Service Unavailable" if wrong else "200 OK", [PLAIN])
            return [f"{wrong or 'well'}\n".encode()]
        if path != "/metrics":
            start("404 Not Found", [PLAIN])
            return [b"here are /metrics and /healthz\n"]
        try:
            return metrics(environ, start)  # type: ignore[no-any-return]
        except Exception:
            # A bug here must not write lines that are not JSON into the log.
            log.exception("metrics not served")
            start("500 Internal Server Error", [PLAIN])
            return [b"the worker's log has the reason\n"]

    return answer


def _starting(_environ: WSGIEnvironment, start: StartResponse) -> Iterable[bytes]:
    start("503 Service Unavailable", [PLAIN])
    return [b"the worker is about to start\n"]


def _refusal(host: str, port: int, error: OSError | UnicodeError) -> str:
    number = error.errno if isinstance(error, OSError) else None
    reason = REASONS.get(number or 0) or getattr(error, "strerror", None) or str(error)
    return (
        f"metrics cannot be served on port {port} of {host} ({reason}): give each worker of this machine a"
        " --metrics-port of its own, or see metrics_host"
    )
