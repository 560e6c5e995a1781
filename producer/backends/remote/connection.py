"""Requests to a farm over HTTP: connections that are kept, and another try where that can do no harm."""

from __future__ import annotations

import json
import random
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from http import HTTPStatus
from itertools import islice
from typing import Any
from urllib.parse import quote, urlencode

from pydantic import SecretStr
from urllib3 import BaseHTTPResponse, PoolManager, Timeout
from urllib3.exceptions import ConnectTimeoutError, HTTPError, NewConnectionError, SSLError

from stylefarm.producer.backends.remote.problems import JSON, error_of, media_type, not_ours, other_release, parsed
from stylefarm.shared import __version__
from stylefarm.shared.errors import FarmError, InvalidSettings, ServiceUnavailable
from stylefarm.shared.foreign_text import one_line

API = "/api/v1"
# Ids in one question, and entries in one page.
CHUNK = 1000
# Loss curves in one answer.
MOST_CURVES = 100
CONNECTIONS = 8
TIMEOUT = Timeout(connect=10, read=60)
# Seconds over which a request is tried: the first one, whose address may be wrong; others; submissions, which wait for
# their turn.
FIRST_PATIENCE = 2.0
PATIENCE = 60.0
SUBMISSION_PATIENCE = 600.0
# Seconds before the next try, where the farm does not say how many.
PAUSE = 0.25
LONGEST_PAUSE = 8.0

_BUSY = frozenset({HTTPStatus.BAD_GATEWAY, HTTPStatus.SERVICE_UNAVAILABLE, HTTPStatus.GATEWAY_TIMEOUT})

Query = Mapping[str, str | int | Sequence[str] | None]


class Answer(dict[str, Any]):
    """The document that a farm answers. What it lacks, a farm of this release would have answered.

    Args:
        url: where the farm is.
        document: what it answers.
    """

    def __init__(self, url: str, document: Mapping[str, Any]) -> None:
        super().__init__(document)
        self.url = url

    def __missing__(self, name: str) -> Any:
        """Raise InvalidSettings."""
        raise other_release(f"the farm at {self.url}", name)


class FarmConnection:
    """Sends requests to a farm, and returns what it answers.

    Every method raises the error that a problem document stands for; ServiceUnavailable where nothing answers;
    InvalidSettings where what answers is no farm, or does not know the token.

    Args:
        url: where the farm is, without a slash at its end.
        token: who asks.

    Example:
        connection = FarmConnection("https://farm.example.org", SecretStr("..."))
        print(connection.get("/sweeps", limit=5)["sweeps"])
    """

    def __init__(self, url: str, token: SecretStr | None) -> None:
        self.url = url
        self._token = token
        self._pool = PoolManager(maxsize=CONNECTIONS, block=True, timeout=TIMEOUT, retries=False)
        self._has_answered = False

    def close(self) -> None:
        """Close all connections."""
        self._pool.clear()

    def get(self, path: str, **query: str | int | Sequence[str] | None) -> Any:
        """Return the document at a path of the API. A parameter that is None is left out."""
        return self._document("GET", f"{API}{path}{_query(query)}", again=True)

    def post(self, path: str, body: object, *, again: bool = False) -> Any:
        """Send a document, and return the answer. `again`: it may be carried out twice."""
        return self._document("POST", API + path, body, again=again)

    def submit(self, path: str, body: object, key: str) -> Any:
        """Send a submission, which is carried out once however often it is sent with this key."""
        headers = {"Idempotency-Key": key}
        return self._document("POST", API + path, body, headers, again=True, patience=SUBMISSION_PATIENCE)

    def patch(self, path: str, body: object) -> Any:
        """Send changes, and return the answer."""
        return self._document("PATCH", API + path, body)

    def upload(self, path: str, data: bytes, **query: str | int | Sequence[str] | None) -> Any:
        """Send a file, and return the answer."""
        headers = {"Content-Type": "application/octet-stream"}
        response = self._request("POST", f"{API}{path}{_query(query)}", data, headers, True, SUBMISSION_PATIENCE)
        return self._parsed("POST", response)

    def file(self, path: str) -> bytes:
        """Return the file at a path of the server."""
        return bytes(self._request("GET", path, None, {}, True, PATIENCE).data)

    def _document(
        self,
        method: str,
        target: str,
        body: object = None,
        headers: Mapping[str, str] | None = None,
        *,
        again: bool = False,
        patience: float = PATIENCE,
    ) -> Any:
        data = None if body is None else json.dumps(body, separators=(",", ":")).encode()
        sent = {**(headers or {}), **({} if data is None else {"Content-Type": JSON})}
        return self._parsed(method, self._request(method, target, data, sent, again, patience))

    def _parsed(self, method: str, response: BaseHTTPResponse) -> Any:
        # Every answer of a farm is an object.
        found = parsed(response) if media_type(response) == JSON else None
        if found is None:
            raise not_ours(self.url, method, response)
        return Answer(self.url, found)

    def _request(
        self, method: str, target: str, data: bytes | None, headers: Mapping[str, str], again: bool, patience: float
    ) -> BaseHTTPResponse:
        """Send a request until it is answered, or the patience is over."""
        tries, began = 0, time.monotonic()
        while True:
            pause = min(LONGEST_PAUSE, PAUSE * 2**tries) * random.uniform(0.8, 1.2)  # noqa: S311 - no secret
            left = began + (patience if self._has_answered else min(patience, FIRST_PATIENCE)) - time.monotonic()
            tries += 1
            try:
                response = self._send(method, target, data, headers)
            except SSLError as error:
                raise self._untrusted(error) from None
            except HTTPError as error:
                was_sent = not isinstance(error, NewConnectionError | ConnectTimeoutError)
                if (was_sent and not again) or left < pause:
                    raise self._silent(error, was_sent=was_sent and not again) from None
                time.sleep(pause)
                continue
            self._has_answered = True
            if response.status < HTTPStatus.MULTIPLE_CHOICES:
                return response
            later = _later(response, pause, again=again)
            if later is None or later > left:
                raise error_of(self.url, method, response, has_token=self._token is not None)
            time.sleep(later)

    def _send(self, method: str, target: str, data: bytes | None, headers: Mapping[str, str]) -> BaseHTTPResponse:
        own = {"Accept-Encoding": "gzip", "User-Agent": f"stylefarm/{__version__}"}
        if self._token is not None:
            own["Authorization"] = f"Bearer {self._token.get_secret_value()}"
        return self._pool.request(method, self.url + target, body=data, headers={**own, **headers}, redirect=False)

    def _silent(self, error: HTTPError, *, was_sent: bool) -> ServiceUnavailable:
        if was_sent:
            return ServiceUnavailable(
                f"the farm at {self.url} broke off, and may have carried out the request or not: look, and repeat it"
                f" ({_reason(error)})"
            )
        return ServiceUnavailable(
            f"the farm at {self.url} does not answer ({_reason(error)}): check the address, and that `stylefarm web`"
            " runs there"
        )

    def _untrusted(self, error: SSLError) -> FarmError:
        if "CERTIFICATE" not in str(error).upper():
            return ServiceUnavailable(
                f"what answers at {self.url} does not speak TLS ({_reason(error)}): check the address and its port"
            )
        return InvalidSettings(
            f"the farm at {self.url} cannot be trusted ({_reason(error)}): SSL_CERT_FILE names the certificates of"
            " authorities of your own"
        )


def in_chunks(values: Iterable[str], size: int = CHUNK) -> Iterator[list[str]]:
    """Yield values in lists, each as long as one question may be.

    Args:
        values: ids or hashes.
        size: the longest list.

    Example:
        >>> [len(chunk) for chunk in in_chunks(map(str, range(2001)))]
        [1000, 1000, 1]
    """
    left = iter(values)
    while chunk := list(islice(left, size)):
        yield chunk


def _later(response: BaseHTTPResponse, pause: float, *, again: bool) -> float | None:
    """Return in how many seconds an answer is worth another try; None if it is none."""
    asked = response.headers.get("retry-after", "")
    seconds = float(asked) if asked.isdecimal() else None
    if response.status == HTTPStatus.TOO_MANY_REQUESTS:
        return pause if seconds is None else seconds
    if response.status == HTTPStatus.CONFLICT and again:
        # The same request, sent before, is being worked on.
        return seconds
    return (pause if seconds is None else max(pause, seconds)) if response.status in _BUSY and again else None


def _reason(error: HTTPError) -> str:
    """Return why a connection failed, without the objects that urllib3 names in its texts."""
    return one_line(str(error)).rpartition(">: ")[2].rpartition("): ")[2][:200] or type(error).__name__


def _query(values: Query) -> str:
    given = {name: value for name, value in values.items() if value is not None}
    # What is no text, such as the name of a file in another encoding, is nothing that the farm knows: let it say so.
    return f"?{urlencode(given, doseq=True, quote_via=quote, errors='surrogatepass')}" if given else ""
