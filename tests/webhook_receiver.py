"""An HTTP server that receives the webhooks of sweeps."""

from __future__ import annotations

import json
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest


@dataclass
class WebhookReceiver:
    """An HTTP server that records the requests it gets; its answer can be set."""

    url: str = ""
    answer: int = 200
    location: str | None = None
    endless: bool = False
    seconds: float = 0.0
    together: threading.Barrier | None = None
    """If there is one, no request is answered before as many have come as it waits for."""
    trickles: bool = False
    calls: list[tuple[dict[str, str], bytes]] = field(default_factory=list)

    @property
    def documents(self) -> list[dict[str, Any]]:
        return [json.loads(body) for _, body in self.calls]

    @property
    def events(self) -> list[str]:
        return [document["event"] for document in self.documents]


@pytest.fixture
def receiver() -> Iterator[WebhookReceiver]:
    record = WebhookReceiver()

    class ReceiverHandler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            record.calls.append(({name.lower(): value for name, value in self.headers.items()}, body))
            if record.together is not None:
                record.together.wait()
            time.sleep(record.seconds)
            # A byte of the first header now and then.
            with suppress(OSError):
                for _ in range(100 * record.trickles):
                    self.wfile.write(b"H")
                    time.sleep(0.1)
            self.send_response(record.answer)
            if record.location is not None:
                self.send_header("Location", record.location)
            self.send_header("Content-Length", str(sys.maxsize if record.endless else 0))
            self.end_headers()
            # Until the caller closes the connection.
            with suppress(OSError):
                for _ in range(200 * record.endless):
                    self.wfile.write(b"and so on")
                    time.sleep(0.05)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - its parent's name
            """Nothing is said."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), ReceiverHandler)
    record.url = f"http://127.0.0.1:{server.server_port}/hook?of=farm"
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    yield record
    server.shutdown()
    thread.join()
    server.server_close()
