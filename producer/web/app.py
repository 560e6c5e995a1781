"""The application: the API, the pages, and what every request passes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager
from importlib import import_module
from typing import Any

from fastapi import APIRouter, Depends, FastAPI
from starlette.middleware import Middleware

from stylefarm import shared
from stylefarm.producer.client.farm import Farm
from stylefarm.producer.web import pages, pictures, problems, shared_sweep, sign_in
from stylefarm.producer.web.guard import Guard
from stylefarm.producer.web.live.watch import Watchers
from stylefarm.producer.web.problems import PROBLEM_SCHEMA
from stylefarm.producer.web.query_names import query_check
from stylefarm.producer.web.rates import Rates

API = "/api/v1"
ROUTERS = (
    *("images", "jobs", "sweeps", "sweep_jobs", "cells", "marks", "deletions"),
    *("ratings", "votes", "views", "shares", "exports", "finding", "farm", "tokens"),
)

# Every route may answer so; 304 to a client that has the answer already.
_PROBLEM = {"description": "A problem document", "content": {"application/problem+json": {"schema": PROBLEM_SCHEMA}}}
PROBLEMS: dict[int | str, dict[str, Any]] = {
    304: {"description": "Not modified"},
    **dict.fromkeys((400, 401, 403, 404, 409, 413, 415, 422, 429, 500, 503, 507), _PROBLEM),
}


def create_app(farm: Farm, *, is_open: bool, hosts: Collection[str] = ()) -> FastAPI:
    """Return the application of a farm.

    Args:
        farm: the connection that every request uses.
        is_open: whether who has no token is the user of this machine; only for a server on the loopback address.
        hosts: the names by which the server may be asked; empty: any.

    Example:
        app = create_app(farm, is_open=True, hosts={"localhost"})
    """
    app = FastAPI(
        title="stylefarm",
        version=shared.__version__,
        lifespan=_lifespan,
        docs_url=None,
        redoc_url=None,
        middleware=[Middleware(Guard, hosts={name.lower() for name in hosts}, uploads={f"{API}/images"})],
    )
    app.state.farm = farm
    app.state.is_open = is_open
    app.state.watchers = Watchers(farm.services)
    app.state.rates = Rates()
    problems.install(app)
    api = APIRouter(prefix=API, responses=PROBLEMS, dependencies=[Depends(query_check(API))])
    for name in ROUTERS:
        api.include_router(import_module(f"stylefarm.producer.web.api.{name}").router)
    app.include_router(api)
    app.include_router(pictures.router)
    app.include_router(shared_sweep.router)
    app.include_router(sign_in.router)
    pages.install(app)
    return app


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    app.state.loop = asyncio.get_running_loop()
    yield
    app.state.watchers.close()
