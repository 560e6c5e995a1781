"""Jobs and sweeps by what users call them."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from stylefarm.producer.backends.protocol import Kind
from stylefarm.producer.web.access import FarmDep, Reader
from stylefarm.producer.web.answers import answer
from stylefarm.shared.schema.http_farm import FoundAnswer

router = APIRouter(tags=["farm"])

Reference = Annotated[
    str,
    Query(max_length=300, description='An id or its beginning, the name of a sweep, "@last" or "@last~1".'),
]


@router.get("/find", response_model=FoundAnswer)
def find(
    request: Request,
    farm: FarmDep,
    reader: Reader,
    reference: Reference,
    kind: Annotated[Kind | None, Query(description="Only a job, or only a sweep.")] = None,
) -> Response:
    """Return the kind and the whole id of a job, or a sweep, that is called so."""
    found, row_id = farm.backend.find(reference, kind)
    return answer(request, {"kind": found, "id": row_id, "links": {"self": f"/api/v1/{found}s/{row_id}"}})
