"""The cells of a sweep: all of them, what has changed, and a stream of changes."""

from __future__ import annotations

from typing import Annotated

from anyio import to_thread
from fastapi import APIRouter, Header, Query, Request
from starlette.responses import Response

from stylefarm.producer.web.access import FarmDep, Reader, find_grant
from stylefarm.producer.web.answers import answer
from stylefarm.producer.web.documents import parse_cursor, sweep_changes, sweep_document
from stylefarm.producer.web.live.stream import EventStream
from stylefarm.shared.schema.http import CellChangesAnswer, CellsAnswer

router = APIRouter(tags=["sweeps"])


@router.get("/sweeps/{sweep_id}/cells", response_model=CellsAnswer | CellChangesAnswer)
def cells(
    request: Request, farm: FarmDep, reader: Reader, sweep_id: str, changed_since: Annotated[str | None, Query()] = None
) -> Response:
    """Return the cells of a sweep in columns; with `changed_since`, those that have changed since that cursor."""
    services = farm.services
    if changed_since is None:
        return answer(request, sweep_document(services, sweep_id, reader.user))
    return answer(request, sweep_changes(services, sweep_id, reader.user, parse_cursor(changed_since)))


@router.get("/sweeps/{sweep_id}/stream", response_class=Response)
async def stream(
    request: Request,
    farm: FarmDep,
    reader: Reader,
    sweep_id: str,
    last_event_id: Annotated[str | None, Header()] = None,
    since: Annotated[str | None, Query()] = None,
) -> Response:
    """Return a stream of server-sent events: `changes` as the cells change, `ratings`, `gone`."""
    await to_thread.run_sync(farm.services.queries.sweep, sweep_id)
    cursor = last_event_id or since
    if cursor is not None:
        parse_cursor(cursor)
    return EventStream(request.app.state.watchers, sweep_id, reader.user, cursor, lambda: find_grant(request) == reader)
