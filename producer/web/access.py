"""Who sends a request, and whether they may: tokens, sessions of browsers, and the user of this machine."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Annotated, Protocol

from anyio import to_thread
from fastapi import Depends, Request

from stylefarm.producer.client.farm import Farm
from stylefarm.producer.web.problems import Refused
from stylefarm.shared.store.access import Grant, Role

SECURE_COOKIE = "__Host-stylefarm"
# Browsers keep a __Host- cookie only on https.
PLAIN_COOKIE = "stylefarm-session"


class AccessStore(Protocol):
    """What a request is checked against."""

    def check_token(self, secret: str) -> Grant | None:
        """Return who has that token."""
        ...

    def check_session(self, cookie: str) -> Grant | None:
        """Return whose session has that cookie."""
        ...


def cookie_name(request: Request) -> str:
    """Return what the cookie of a session is called on the connection of a request."""
    return SECURE_COOKIE if request.url.scheme == "https" else PLAIN_COOKIE


async def farm_of(request: Request) -> Farm:
    """Return the farm that the application serves."""
    farm: Farm = request.app.state.farm
    return farm


def find_grant(request: Request) -> Grant | None:
    """Return who sends a request; None for a stranger."""
    authorization = request.headers.get("authorization", "")
    farm: Farm = request.app.state.farm
    access: AccessStore = farm.services.store.access
    if authorization:
        scheme, _, secret = authorization.partition(" ")
        return access.check_token(secret.strip()) if scheme.lower() == "bearer" else None
    cookie = request.cookies.get(cookie_name(request))
    grant = None if cookie is None else access.check_session(cookie)
    if grant is None and request.app.state.is_open:
        return Grant(farm.settings.user, Role.ADMIN)
    return grant


def requires(role: Role) -> Callable[[Request], Awaitable[Grant]]:
    """Return the dependency of a route that needs a role.

    Raises:
        Refused: 401 for a stranger, 403 for one who may do less.
    """

    async def check(request: Request) -> Grant:
        # On a thread only where the database is asked, since that takes longer than all the rest of a small answer.
        is_known = "authorization" in request.headers or cookie_name(request) in request.cookies
        grant = await to_thread.run_sync(find_grant, request) if is_known else find_grant(request)
        if grant is None:
            raise Refused(
                "sign in first: send a token in the header Authorization: Bearer ..., or open /login",
                401,
                {"WWW-Authenticate": "Bearer"},
            )
        if grant.role < role:
            raise Refused(f"this needs the role {role.word}, and the token of {grant.user} has {grant.role.word}", 403)
        return grant

    return check


FarmDep = Annotated[Farm, Depends(farm_of)]
Reader = Annotated[Grant, Depends(requires(Role.READ))]
Submitter = Annotated[Grant, Depends(requires(Role.SUBMIT))]
Admin = Annotated[Grant, Depends(requires(Role.ADMIN))]
