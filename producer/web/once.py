"""`Idempotency-Key`: a request that is sent again within a day is answered again, and not carried out again."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import Header, Request
from pydantic import BaseModel
from starlette.responses import Response

from stylefarm.producer.client.farm import Farm
from stylefarm.producer.web.answers import answer, to_json
from stylefarm.producer.web.problems import Refused

IdempotencyKey = Annotated[str | None, Header(alias="Idempotency-Key", min_length=1, max_length=255)]


@dataclass
class Reply:
    """The answer to a request: one that is kept, or the one that `store` makes and keeps."""

    request: Request
    farm: Farm
    user: str
    key: str | None
    response: Response | None = None
    stored: bool = False

    def store(self, document: Any, status: int, headers: Mapping[str, str]) -> Response:
        """Return an answer, and keep it under the key of the request."""
        if self.key is not None:
            self.farm.store.idempotency.keep(self.user, self.key, status, headers, to_json(document))
            self.stored = True
        response = answer(self.request, document, status)
        response.headers.update(headers)
        return response


@contextmanager
def once(request: Request, farm: Farm, user: str, key: str | None, body: BaseModel) -> Iterator[Reply]:
    """Give a Reply that has the kept answer to an earlier request of that key, if there was one.

    Raises:
        Refused: 422 if the earlier request was another one, 409 if it is still worked on.
    """
    reply = Reply(request, farm, user, key)
    if key is None:
        yield reply
        return
    asked = f"{request.method} {request.url.path} ".encode() + to_json(body.model_dump())
    fingerprint = hashlib.sha256(asked).hexdigest()
    kept = farm.store.idempotency.begin(user, key, fingerprint)
    if kept is not None:
        if kept.fingerprint != fingerprint:
            raise Refused("that Idempotency-Key was sent with another request: give each request a key of its own", 422)
        if kept.status is None:
            raise Refused("the same request is being worked on: wait for its answer", 409, {"Retry-After": "1"})
        reply.response = Response(kept.body, kept.status, dict(kept.headers), media_type="application/json")
        yield reply
        return
    try:
        yield reply
    finally:
        if not reply.stored:
            farm.store.idempotency.forget(user, key)
