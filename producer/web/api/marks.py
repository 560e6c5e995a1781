"""What users write on jobs and sweeps: tags, and a note."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field

from stylefarm.producer.backends.protocol import Kind
from stylefarm.producer.client.farm import Farm
from stylefarm.producer.web.access import FarmDep, Submitter
from stylefarm.shared.schema.http_reviews import MarksAnswer
from stylefarm.shared.spec.marks import parse_marks, parse_tags

router = APIRouter(tags=["marks"])


class MarkChanges(BaseModel):
    """Tags to add and to remove, and a note in place of the one before; an empty note removes it."""

    model_config = ConfigDict(extra="forbid")

    add: Annotated[list[str], Field(examples=[["cats"]])] = []
    remove: Annotated[list[str], Field(examples=[["maybe"]])] = []
    note: Annotated[str | None, Field(examples=["the client likes it"])] = None


@router.patch("/jobs/{job_id}/marks", response_model=MarksAnswer)
def mark_job(farm: FarmDep, user: Submitter, job_id: str, body: MarkChanges) -> dict[str, Any]:
    """Change the tags and the note of a job, and return what it has then."""
    return _change(farm, "job", job_id, body)


@router.patch("/sweeps/{sweep_id}/marks", response_model=MarksAnswer)
def mark_sweep(farm: FarmDep, user: Submitter, sweep_id: str, body: MarkChanges) -> dict[str, Any]:
    """Change the tags and the note of a sweep, and return what it has then."""
    return _change(farm, "sweep", sweep_id, body)


def _change(farm: Farm, kind: Kind, row_id: str, body: MarkChanges) -> dict[str, Any]:
    added = parse_marks({"tags": body.add, "note": body.note}).tags
    marks = farm.backend.mark(kind, row_id, added, parse_tags(body.remove), body.note)
    return {"tags": list(marks.tags), "note": marks.note}
