"""JSON answers: written compactly, compressed where the client takes it, not sent again where it has it."""

from __future__ import annotations

import gzip
import hashlib
import json
import math
from typing import Any

from fastapi import Request
from starlette.responses import Response

# Below this, compression saves less than a packet.
SMALLEST_COMPRESSED = 1400
LEVEL = 4


def to_json(document: Any) -> bytes:
    """Return a document as compact JSON, UTF-8; numbers that JSON does not have, as infinity, are null."""
    try:
        text = _dumped(document)
    except ValueError:
        text = _dumped(_finite(document))
    return text.encode("utf-8", "backslashreplace")


def _dumped(document: Any) -> str:
    return json.dumps(document, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def _finite(value: Any) -> Any:
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {name: _finite(one) for name, one in value.items()}
    return [_finite(one) for one in value] if isinstance(value, list | tuple) else value


def has_already(request: Request, tag: str) -> bool:
    """Return whether the client has what has that ETag."""
    known = [part.strip() for part in request.headers.get("if-none-match", "").split(",")]
    return tag in known


def answer(request: Request, document: Any, status: int = 200) -> Response:
    """Return an answer with an ETag; 304 without a body where the client has the same already."""
    body = to_json(document)
    tag = f'W/"{hashlib.blake2b(body, digest_size=12).hexdigest()}"'
    headers = {"ETag": tag, "Cache-Control": "no-cache", "Vary": "Accept-Encoding, Authorization, Cookie"}
    if status == 200 and request.method in {"GET", "HEAD"} and has_already(request, tag):
        return Response(status_code=304, headers=headers)
    if len(body) >= SMALLEST_COMPRESSED and "gzip" in request.headers.get("accept-encoding", ""):
        body = gzip.compress(body, LEVEL)
        headers["Content-Encoding"] = "gzip"
    return Response(body, status, headers, media_type="application/json")
