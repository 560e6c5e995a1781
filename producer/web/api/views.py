"""Views of a sweep that a user keeps by name."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import Response

from stylefarm.producer.web.access import FarmDep, Reader
from stylefarm.shared.schema.http_reviews import ViewAnswer, ViewsAnswer

router = APIRouter(tags=["reviews"])

Name = Annotated[str, Field(min_length=1, max_length=64, pattern=r"^[^\x00-\x1f\x7f]+$")]


class View(BaseModel):
    """A view: its name, and the query of the page's address."""

    model_config = ConfigDict(extra="forbid")

    name: Name
    query: Annotated[str, Field(max_length=8000, pattern=r"^[^\x00-\x1f\x7f]*$", examples=["view=grid&rows=style"])]


@router.get("/sweeps/{sweep_id}/views", response_model=ViewsAnswer)
def list_views(farm: FarmDep, reader: Reader, sweep_id: str) -> dict[str, Any]:
    """Return the views that the user keeps, by name."""
    farm.services.queries.sweep(sweep_id)
    views = farm.services.review_reads.views(reader.user, sweep_id)
    return {"views": [{"name": name, "query": query} for name, query in views.items()]}


@router.post("/sweeps/{sweep_id}/views", status_code=201, response_model=ViewAnswer)
def save_view(farm: FarmDep, user: Reader, sweep_id: str, view: View) -> dict[str, Any]:
    """Keep a view; another one of that name is replaced."""
    farm.store.reviews.save_view(user.user, sweep_id, view.name, view.query)
    return {"view": view.model_dump()}


@router.delete("/sweeps/{sweep_id}/views", status_code=204)
def delete_view(farm: FarmDep, user: Reader, sweep_id: str, name: Annotated[str, Query(max_length=64)]) -> Response:
    """Forget a view."""
    farm.store.reviews.delete_view(user.user, sweep_id, name)
    return Response(status_code=204)
