"""What a link to one sweep shows: its cells and pictures; no paths, no errors, no workers."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Header, Query, Request
from starlette.responses import HTMLResponse, Response

from stylefarm.producer.client.farm import Farm
from stylefarm.producer.web.access import FarmDep
from stylefarm.producer.web.answers import answer
from stylefarm.producer.web.api.sweeps import importance_document
from stylefarm.producer.web.api.votes import ranking_document
from stylefarm.producer.web.documents import parse_cursor, sweep_changes, sweep_document
from stylefarm.producer.web.live.stream import EventStream
from stylefarm.producer.web.pictures import Sha256, picture_response, thumbnail_response
from stylefarm.shared.errors import NotFound
from stylefarm.shared.store.access import Share

router = APIRouter(include_in_schema=False, prefix="/shares/{secret}")


def find_share(farm: FarmDep, secret: str) -> Share:
    """Return the link of a request. Raises NotFound."""
    share = farm.services.store.access.check_share(secret)
    if share is None:
        raise NotFound("this link has ended: ask whoever sent it for another one")
    return share


Shared = Annotated[Share, Depends(find_share)]


@router.get("")
def page(request: Request, farm: FarmDep, share: Shared, secret: str) -> Response:
    """Show the sweep, to be looked at only."""
    root = f"/shares/{secret}"
    values = {
        "user": "",
        "role": "read",
        "read_only": True,
        "sweep": share.sweep_id,
        "base": f"{root}/api/v1",
        "root": root,
    }
    template = request.app.state.templates.get_template("sweep.html")
    html = template.render(page=values, sweep=farm.find_sweep(share.sweep_id))
    return HTMLResponse(html, headers={"Cache-Control": "no-store"})


@router.get("/api/v1/sweeps/{sweep_id}/cells")
def cells(
    request: Request, farm: FarmDep, share: Shared, sweep_id: str, changed_since: Annotated[str | None, Query()] = None
) -> Response:
    """Return the cells of the sweep."""
    _check(share, sweep_id)
    if changed_since is not None:
        return answer(request, without_paths(sweep_changes(farm.services, sweep_id, "", parse_cursor(changed_since))))
    return answer(request, without_paths(sweep_document(farm.services, sweep_id, "")))


@router.get("/api/v1/sweeps/{sweep_id}/stream")
async def stream(
    request: Request,
    farm: FarmDep,
    share: Shared,
    secret: str,
    sweep_id: str,
    last_event_id: Annotated[str | None, Header()] = None,
    since: Annotated[str | None, Query()] = None,
) -> Response:
    """Return the stream of the sweep's changes."""
    _check(share, sweep_id)
    cursor = last_event_id or since
    if cursor is not None:
        parse_cursor(cursor)
    access = farm.services.store.access
    return EventStream(
        request.app.state.watchers, sweep_id, "", cursor, lambda: access.check_share(secret) is not None, without_paths
    )


@router.get("/api/v1/sweeps/{sweep_id}/importance")
def importance(request: Request, farm: FarmDep, share: Shared, sweep_id: str) -> Response:
    """Return what each axis explains of the metrics."""
    _check(share, sweep_id)
    return answer(request, importance_document(farm.services, sweep_id))


@router.get("/api/v1/sweeps/{sweep_id}/ranking")
def ranking(request: Request, farm: FarmDep, share: Shared, sweep_id: str) -> Response:
    """Return the pictures by what votes say of them."""
    _check(share, sweep_id)
    return answer(request, ranking_document(farm.services, sweep_id))


@router.get("/thumbs/{sha256}-{edge}.webp")
@router.head("/thumbs/{sha256}-{edge}.webp")
def thumbnail(farm: FarmDep, share: Shared, sha256: Sha256, edge: Literal["192", "384"]) -> Response:
    """Return a thumbnail of a picture of the sweep."""
    _check_picture(farm, share, sha256)
    return thumbnail_response(farm.services, sha256, int(edge))


@router.get("/pictures/{sha256}")
@router.head("/pictures/{sha256}")
def picture(farm: FarmDep, share: Shared, sha256: Sha256) -> Response:
    """Return a picture of the sweep."""
    _check_picture(farm, share, sha256)
    return picture_response(farm.services, sha256)


def without_paths(document: dict[str, Any]) -> dict[str, Any]:
    """Return a document of cells without what only users of the farm should see."""
    shown = {**document, "cells": {name: column for name, column in document["cells"].items() if name != "error"}}
    if "axes" in document:
        shown["axes"] = [{**axis, "values": axis["labels"]} for axis in document["axes"]]
        shown["sweep"] = {**document["sweep"], "note": None, "tags": [], "parent": None}
    return shown


def _check(share: Share, sweep_id: str) -> None:
    if sweep_id != share.sweep_id:
        raise NotFound(f"this link shows no sweep {sweep_id:.36}")


def _check_picture(farm: Farm, share: Share, sha256: str) -> None:
    if not farm.services.cell_reads.has_picture(share.sweep_id, sha256):
        raise NotFound("this link shows no such picture")
