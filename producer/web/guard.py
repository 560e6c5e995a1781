"""What every request passes: the host it names, where it comes from, its size, and the headers of its answer."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from stylefarm.producer.web.problems import problem

CONTENT_SECURITY_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; connect-src 'self';"
    " form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
HEADERS = {
    "Content-Security-Policy": CONTENT_SECURITY_POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}
SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
# Enough for a rating of every cell of the largest sweep, or its positions.
MOST_BYTES = 16 << 20
TOO_LARGE = f"the body of the request has more than {MOST_BYTES:,} bytes: send less at once"
LOOPBACK_NAMES = frozenset({"localhost", "127.0.0.1", "::1"})


@dataclass(frozen=True)
class Guard:
    """Middleware that refuses requests which no user has meant, and sets the headers that protect pages.

    Attributes:
        app: the application behind it.
        hosts: the names under which the server may be asked; empty: any. On the loopback address it keeps out pages
            whose own name was pointed at this machine (DNS rebinding).
        uploads: the paths whose bodies may be large, and are measured by those who read them.
    """

    app: ASGIApp
    hosts: Collection[str] = ()
    uploads: Collection[str] = ()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, or refuse it."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        refusal = self._refusal(scope, headers)

        async def protected(message: Message) -> None:
            if message["type"] == "http.response.start":
                out = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    out.setdefault(name, value)
            await send(message)

        if refusal is not None:
            await problem(*refusal)(scope, receive, protected)
            return
        await self.app(scope, receive if scope["path"] in self.uploads else _measured(receive), protected)

    def _refusal(self, scope: Scope, headers: Headers) -> tuple[int, str] | None:
        host = headers.get("host", "")
        if self.hosts and _name(host) not in self.hosts:
            return 421, "this server is not asked by that name: open it by the address that it printed"
        length = headers.get("content-length", "")
        if scope["path"] not in self.uploads and length.isdecimal() and int(length) > MOST_BYTES:
            return 413, TOO_LARGE
        if scope["method"] in SAFE_METHODS or "authorization" in headers:
            return None
        site, origin = headers.get("sec-fetch-site"), headers.get("origin")
        foreign_site = site is not None and site not in {"same-origin", "none"}
        foreign_origin = origin is not None and _authority(origin) != host
        if foreign_site or foreign_origin:
            return 403, "the request comes from a page of another site: send a token, or use the pages of this server"
        return None


def _measured(receive: Receive) -> Receive:
    """Return what receives a body, and refuses one that turns out to be too large."""
    received = 0

    async def measure() -> Message:
        nonlocal received
        message = await receive()
        received += len(message.get("body", b""))
        if received > MOST_BYTES:
            raise HTTPException(413, TOO_LARGE)
        return message

    return measure


def _authority(origin: str) -> str | None:
    """Return the host and port of an Origin header; None where it has none."""
    try:
        return urlsplit(origin).netloc or None
    except ValueError:
        return None


def _name(host: str) -> str:
    """Return the name in a Host header, without port and brackets."""
    try:
        return urlsplit(f"//{host}").hostname or ""
    except ValueError:
        return ""
