"""Errors as problem documents (RFC 9457)."""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse, Response

from stylefarm.shared.errors import FarmError

MEDIA_TYPE = "application/problem+json"
PROBLEM_SCHEMA = {
    "type": "object",
    "required": ["type", "title", "status", "detail"],
    "properties": {
        "type": {"type": "string"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string", "description": "One sentence: what is wrong, and what to do."},
        "error": {"type": "string", "description": "What the error is called in Python, such as InvalidSpec."},
        "flag": {"type": "string", "description": "The argument by which the request is carried out all the same."},
    },
}


class Refused(FarmError):
    """A request that is refused with a status of its own, such as 401 or 409.

    Args:
        message: what is wrong, and what to do.
        status: the HTTP status.
        headers: of the answer.
    """

    def __init__(self, message: str, status: int, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.headers = dict(headers or {})


def problem(status: int, detail: str, headers: Mapping[str, str] | None = None, **more: Any) -> Response:
    """Return a problem document.

    Args:
        status: the HTTP status, whose phrase is the title.
        detail: one sentence for a person.
        headers: of the answer.
        **more: members of the document besides the standard ones.
    """
    body = {"type": "about:blank", "title": HTTPStatus(status).phrase, "status": status, "detail": detail, **more}
    return JSONResponse(body, status, headers=dict(headers or {}), media_type=MEDIA_TYPE)


def install(app: FastAPI) -> None:
    """Have every error of an application answered by a problem document."""

    @app.exception_handler(FarmError)
    async def _of_farm(request: Request, error: FarmError) -> Response:
        if isinstance(error, Refused):
            return problem(error.status, str(error), error.headers)
        # Who asks from elsewhere need not know where the farm's folder is.
        detail = str(error).replace(str(request.app.state.farm.settings.home.expanduser()), "the farm's home")
        headers = {"Retry-After": "5"} if error.http_status == HTTPStatus.SERVICE_UNAVAILABLE else {}
        flag = {"flag": error.flag} if error.flag else {}
        return problem(error.http_status, detail, headers, error=type(error).__name__, **flag)

    @app.exception_handler(HTTPException)
    async def _of_http(request: Request, error: HTTPException) -> Response:
        return problem(error.status_code, str(error.detail), error.headers)

    @app.exception_handler(RequestValidationError)
    async def _of_validation(request: Request, error: RequestValidationError) -> Response:
        wrong = [{"at": list(map(str, entry["loc"])), "message": entry["msg"]} for entry in error.errors()]
        first = error.errors()[0]
        said = f"{'.'.join(map(str, first['loc']))}: {first['msg']}"
        if first["type"] == "json_invalid":
            said = f"the body is no JSON: {first['ctx']['error']}, at character {first['loc'][-1]}"
        return problem(422, said, errors=wrong)
