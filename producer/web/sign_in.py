"""Signing in with a token, and out: a browser gets a cookie that scripts cannot read."""

from __future__ import annotations

from typing import Annotated
from urllib.parse import parse_qs

from fastapi import APIRouter, Header, Request
from starlette.concurrency import run_in_threadpool
from starlette.responses import HTMLResponse, RedirectResponse, Response

from stylefarm.producer.web.access import FarmDep, cookie_name
from stylefarm.shared.store.access import SESSION_SECONDS

router = APIRouter(include_in_schema=False)

LONGEST_FORM = 4096


def _form(request: Request, problem: str = "", status: int = 200) -> Response:
    html = request.app.state.templates.get_template("login.html").render(problem=problem, page={"root": ""})
    return HTMLResponse(html, status, headers={"Cache-Control": "no-store"})


@router.get("/login")
def login_page(request: Request) -> Response:
    """Show the form."""
    return _form(request)


@router.post("/login")
async def login(request: Request, farm: FarmDep, content_length: Annotated[int | None, Header()] = None) -> Response:
    """Sign in with the token of the form."""
    if content_length is None or content_length > LONGEST_FORM:
        return _form(request, "The form is too long.", 413)
    fields = parse_qs((await request.body()).decode("utf-8", "replace"))
    secret = fields.get("token", [""])[0].strip()
    cookie = await run_in_threadpool(farm.store.access.sign_in, secret)
    if cookie is None:
        return _form(request, "There is no such token, or it has ended.", 401)
    response = RedirectResponse("/", status_code=303)
    secure = request.url.scheme == "https"
    response.set_cookie(
        cookie_name(request),
        cookie,
        max_age=int(SESSION_SECONDS),
        path="/",
        secure=secure,
        httponly=True,
        samesite="strict",
    )
    return response


@router.post("/logout")
def logout(request: Request, farm: FarmDep) -> Response:
    """Sign out."""
    cookie = request.cookies.get(cookie_name(request))
    if cookie is not None:
        farm.store.access.sign_out(cookie)
    response = RedirectResponse("/login", status_code=303)
    response.delete_cookie(cookie_name(request), path="/")
    return response
