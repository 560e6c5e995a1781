"""Jobs and sweeps that are deleted, with all that is stored for them."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated, Any

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field

from stylefarm.producer.web.access import FarmDep, Submitter
from stylefarm.shared.errors import InvalidRequest
from stylefarm.shared.schema.http_farm import DeletedAnswer

router = APIRouter(tags=["deletions"])

MOST_DELETED = 20_000
Id = Annotated[str, Field(min_length=36, max_length=36, examples=["9a41c07d-6d0e-4c1e-9d57-4d6f2f4d8f10"])]


class DeletionRequest(BaseModel):
    """Jobs and sweeps, by their whole ids."""

    model_config = ConfigDict(extra="forbid")

    jobs: Annotated[list[Id], Field(max_length=MOST_DELETED)] = []
    sweeps: Annotated[list[Id], Field(max_length=MOST_DELETED)] = []


@router.post("/deletions", response_model=DeletedAnswer)
def delete(farm: FarmDep, user: Submitter, body: DeletionRequest) -> dict[str, Any]:
    """Delete jobs, and sweeps with the jobs that no other sweep shares, all or none; return how much that was.

    A job that runs, or that another one waits for, is refused (422).
    """
    if not body.jobs and not body.sweeps:
        raise InvalidRequest("no job and no sweep is named that is to be deleted: name one at least")
    return {"deleted": asdict(farm.backend.delete(body.jobs, body.sweeps))}
