"""Calls to addresses that users gave: signed, never to a private network unless that is allowed, never redirected."""

from __future__ import annotations

import hashlib
import hmac
import json
import math
import socket
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any
from urllib.parse import SplitResult, urlsplit

import urllib3
from standardwebhooks.webhooks import Webhook

from stylefarm import shared
from stylefarm.shared.errors import InvalidRequest
from stylefarm.shared.webhooks.addresses import is_public
from stylefarm.shared.webhooks.deadline import Deadline

SECONDS = 10.0
SIGNATURE = "X-Stylefarm-Signature"
LONGEST_URL = 2000


class CallFailed(Exception):
    """A call got no answer of the 200s; the message says why."""


def check_url(url: str) -> SplitResult:
    """Return the parts of an address that can be called. Raises InvalidRequest."""
    try:
        parts = urlsplit(url)
        # Encoded as for DNS, which fails for names with an empty or too long label.
        host = (parts.hostname or "").encode("idna")
        well = parts.scheme in {"http", "https"} and bool(host) and parts.port != 0
    except ValueError:
        well = False
    if not well or "@" in parts.netloc or len(url) > LONGEST_URL or not url.isprintable() or " " in url:
        raise InvalidRequest(
            f"{url[:80]!r} is no address to call: write https://host/path, without user or password,"
            f" {LONGEST_URL} characters at most"
        )
    return parts


def signature(secret: str, body: bytes, timestamp: int) -> str:
    """Return time and HMAC-SHA256 of "time.body", in hex, as the header has it: "t=1700000000,v1=...".

    The time is signed too, so that a call that was intercepted cannot be replayed much later.
    """
    return f"t={timestamp},v1={hmac.new(secret.encode(), f'{timestamp}.'.encode() + body, hashlib.sha256).hexdigest()}"


def _signatures(secret: str, message_id: str, text: str) -> dict[str, str]:
    """Return the headers that sign a call: those of Standard Webhooks, and the one of the releases before them."""
    moment = datetime.now(UTC)
    timestamp = math.floor(moment.timestamp())
    return {
        SIGNATURE: signature(secret, text.encode(), timestamp),
        "Webhook-Id": message_id,
        "Webhook-Timestamp": str(timestamp),
        "Webhook-Signature": Webhook(secret.encode()).sign(message_id, moment, text),
    }


def call(url: str, document: Mapping[str, Any], secret: str, message_id: str, *, allow_private: bool) -> None:
    """Post a document as JSON, signed by the secret, under an id that is the same in each try.

    Raises CallFailed unless the answer is of the 200s, and InvalidRequest.
    """
    parts = check_url(url)
    text = json.dumps(document, separators=(",", ":"))
    headers = {
        "Content-Type": "application/json",
        "User-Agent": f"stylefarm/{shared.__version__}",
        "Host": parts.netloc if parts.netloc.isascii() else parts.netloc.encode("idna").decode(),
        **_signatures(secret, message_id, text),
    }
    path = parts.path or "/"
    deadline = Deadline(SECONDS)
    try:
        with deadline, _pool(parts, _address(parts, allow_private=allow_private), deadline) as pool:
            target = f"{path}?{parts.query}" if parts.query else path
            # The body of the answer is not read: it may be endless.
            answer = pool.request(
                "POST",
                target,
                body=text.encode(),
                headers=headers,
                retries=False,
                redirect=False,
                preload_content=False,
            )
            answer.close()
    except (urllib3.exceptions.HTTPError, OSError) as error:
        if deadline.is_over:
            raise CallFailed(f"{parts.hostname} has not answered within {SECONDS:.0f} s") from error
        raise CallFailed(f"{parts.hostname} does not answer ({type(error).__name__})") from error
    if not 200 <= answer.status < 300:
        raise CallFailed(f"{parts.hostname} answers with {answer.status}")


def _pool(parts: SplitResult, address: str, deadline: Deadline) -> urllib3.HTTPConnectionPool:
    """Return connections to a checked address, whatever its name resolves to a moment later."""
    timeout = urllib3.Timeout(SECONDS)
    pool: urllib3.HTTPConnectionPool
    if parts.scheme == "http":
        pool = urllib3.HTTPConnectionPool(address, parts.port or 80, timeout=timeout)
    else:
        pool = urllib3.HTTPSConnectionPool(
            address,
            parts.port or 443,
            timeout=timeout,
            cert_reqs="CERT_REQUIRED",
            server_hostname=parts.hostname,
            assert_hostname=parts.hostname,
        )
    pool.ConnectionCls = _watched(pool.ConnectionCls, deadline)
    return pool


def _watched(connection: Any, deadline: Deadline) -> Any:
    """Return a class of connections like this one, each of which ends with the deadline."""

    class Watched(connection):  # type: ignore[misc]
        def _new_conn(self) -> socket.socket:
            made: socket.socket = super()._new_conn()
            deadline.watch(made)
            return made

    return Watched


def _address(parts: SplitResult, *, allow_private: bool) -> str:
    found = socket.getaddrinfo(parts.hostname, parts.port or parts.scheme, type=socket.SOCK_STREAM)
    addresses = [str(entry[4][0]) for entry in found]
    private = [address for address in addresses if not is_public(address)]
    if private and not allow_private:
        raise CallFailed(
            f"{parts.hostname} is at {private[0]}, which is no public address: set STYLEFARM_WEBHOOK_PRIVATE=true for"
            " the workers if it may be called all the same"
        )
    return addresses[0]
