"""What a farm over HTTP answers when something is wrong, as the errors that its own database would have led to."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

from urllib3 import BaseHTTPResponse

from stylefarm.shared import errors
from stylefarm.shared.errors import (
    FarmError,
    InvalidRequest,
    InvalidSettings,
    NotFound,
    ServiceUnavailable,
    StillPending,
    StorageFull,
)
from stylefarm.shared.foreign_text import one_line

PROBLEM = "application/problem+json"
JSON = "application/json"

_BY_STATUS: dict[int, type[FarmError]] = {
    404: NotFound,
    409: StillPending,
    429: ServiceUnavailable,
    507: StorageFull,
}


def _kinds(base: type[FarmError]) -> Iterator[type[FarmError]]:
    yield base
    for kind in base.__subclasses__():
        yield from _kinds(kind)


def media_type(response: BaseHTTPResponse) -> str:
    """Return the media type of an answer, without parameters."""
    return str(response.headers.get("content-type", "")).partition(";")[0].strip().lower()


def error_of(url: str, method: str, response: BaseHTTPResponse, *, has_token: bool) -> FarmError:
    """Return the error that an answer stands for.

    Args:
        url: where the farm is.
        method: of the request.
        response: an answer that is no success.
        has_token: whether the request had a token.
    """
    status = response.status
    if 300 <= status < 400:
        other = one_line(response.headers.get("location", ""))[:200]
        return InvalidSettings(f"{url} answers with the way to {other}: give the address of the farm itself as url")
    problem = _problem(response)
    if problem is None:
        if status in {502, 503, 504}:
            return ServiceUnavailable(f"the farm at {url} does not answer (a proxy before it says {status})")
        return not_ours(url, method, response)
    detail = str(problem.get("detail") or f"the farm at {url} answers {status}")
    if status == 401:
        return InvalidSettings(_unknown(url, has_token=has_token))
    if status == 403:
        return InvalidSettings(f"{detail}: set STYLEFARM_TOKEN, or token=, to one that may")
    if status == 421:
        return InvalidSettings(f"{url}: {detail}")
    known = {kind.__name__: kind for kind in _kinds(FarmError) if kind.__module__ == errors.__name__}
    named = known.get(str(problem.get("error")))
    if named is None and status in {404, 405}:
        # Each error of a farm is named: this is one of a request that it does not know.
        return InvalidSettings(_unknown_request(url))
    by_status = InvalidRequest if 400 <= status < 500 else ServiceUnavailable
    kind = named if named is not None and named.http_status == status else _BY_STATUS.get(status, by_status)
    found = kind(detail)
    found.flag = str(problem.get("flag", ""))
    return found


def not_ours(url: str, method: str, response: BaseHTTPResponse) -> InvalidSettings:
    """Return the error of an answer that no farm gives."""
    kind = one_line(media_type(response))[:60] or "no media type"
    return InvalidSettings(
        f"{url} is no farm of stylefarm (it answers {method} with {response.status}, {kind}): check STYLEFARM_URL, or"
        " the address that is given"
    )


def other_release(whose: str, name: str | None) -> InvalidSettings:
    """Return the error of an answer that lacks something, or means something else.

    Args:
        whose: whose answer it is.
        name: what it lacks; None: something in it is of another kind.
    """
    wrong = "something in its answer is of another kind" if name is None else f"its answer has no {name!r:.60}"
    return InvalidSettings(f"{whose} is of another release than this program ({wrong}): use the same on both sides")


def parsed(response: BaseHTTPResponse) -> dict[str, Any] | None:
    """Return the object that an answer is in JSON; None if it is none.

    Args:
        response: an answer.
    """
    try:
        document = json.loads(response.data)
    except (ValueError, RecursionError):
        return None
    return document if isinstance(document, dict) else None


def _problem(response: BaseHTTPResponse) -> dict[str, Any] | None:
    return parsed(response) if media_type(response) == PROBLEM else None


def _unknown_request(url: str) -> str:
    below = urlsplit(url).path
    if below:
        return (
            f"no farm answers at {url}: leave out {below}, unless a proxy has the farm there; then it is of another"
            " release than this program: use the same on both sides"
        )
    return f"the farm at {url} is of another release than this program: use the same on both sides"


def _unknown(url: str, *, has_token: bool) -> str:
    how = "`stylefarm token create NAME`, run where the farm is, makes one"
    if has_token:
        return f"the farm at {url} does not know this token, or it was revoked: set STYLEFARM_TOKEN, or token=; {how}"
    return f"the farm at {url} wants a token: set STYLEFARM_TOKEN, or give token=; {how}"
