"""Errors as problem documents (RFC 9457), and as pages for people who followed a link."""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import HTMLResponse, JSONResponse, Response

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
# What a page of an error is called, where the standard's phrase is no plain English.
TITLES = {401: "Not signed in", 403: "Not allowed", 404: "Not found", 422: "Not understood", 503: "Not now"}


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
    """Have every error of an application answered by a problem document, or by a page where a browser opens one."""

    @app.exception_handler(FarmError)
    async def _of_farm(request: Request, error: FarmError) -> Response:
        if isinstance(error, Refused):
            return _answered(request, error.status, str(error), error.headers)
        # Who asks from elsewhere need not know where the farm's folder is.
        detail = str(error).replace(str(request.app.state.farm.settings.home.expanduser()), "the farm's home")
        headers = {"Retry-After": "5"} if error.http_status == HTTPStatus.SERVICE_UNAVAILABLE else {}
        flag = {"flag": error.flag} if error.flag else {}
        return _answered(request, error.http_status, detail, headers, error=type(error).__name__, **flag)

    @app.exception_handler(HTTPException)
    async def _of_http(request: Request, error: HTTPException) -> Response:
        # What the framework says itself is the standard's phrase alone.
        said = {404: "there is nothing at this address", 405: f"this address does not take {request.method}"}
        own = error.detail != HTTPStatus(error.status_code).phrase
        detail = str(error.detail) if own else said.get(error.status_code, str(error.detail))
        return _answered(request, error.status_code, detail, error.headers)

    @app.exception_handler(RequestValidationError)
    async def _of_validation(request: Request, error: RequestValidationError) -> Response:
        wrong = [{"at": list(map(str, entry["loc"])), "message": entry["msg"]} for entry in error.errors()]
        first = error.errors()[0]
        said = f"{'.'.join(map(str, first['loc']))}: {first['msg']}"
        if first["type"] == "json_invalid":
            said = f"the body is no JSON: {first['ctx']['error']}, at character {first['loc'][-1]}"
        return _answered(request, 422, said, errors=wrong)


def _answered(
    request: Request, status: int, detail: str, headers: Mapping[str, str] | None = None, **more: Any
) -> Response:
    if not _opens_page(request) or status < HTTPStatus.BAD_REQUEST:
        return problem(status, detail, headers, **more)
    title = TITLES.get(status, HTTPStatus(status).phrase)
    sentence = detail[:1].upper() + detail[1:] + ("" if detail.endswith((".", "?", "!")) else ".")
    page = {"root": "", "read_only": request.url.path.startswith("/shares/")}
    html = request.app.state.templates.get_template("problem.html").render(title=title, sentence=sentence, page=page)
    return HTMLResponse(html, status, {**(headers or {}), "Cache-Control": "no-store"})


def _opens_page(request: Request) -> bool:
    # Scripts and programs accept anything, or JSON.
    return "text/html" in request.headers.get("accept", "") and "/api/" not in request.url.path
