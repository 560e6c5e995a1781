"""What the farm has: workers, trained models, data sets."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Path, Request
from pydantic import BaseModel, ConfigDict
from starlette.responses import Response

from stylefarm.producer.web.access import Admin, FarmDep, Reader
from stylefarm.producer.web.answers import answer
from stylefarm.shared.db.states import WorkerState

router = APIRouter(tags=["farm"])


class WorkerAction(BaseModel):
    """What is to be done with a worker."""

    model_config = ConfigDict(extra="forbid")

    action: Literal["drain", "bench", "unbench"]


@router.get("/workers")
def list_workers(request: Request, farm: FarmDep, reader: Reader) -> Response:
    """Return the slots of workers, with the job at hand and what each has done."""
    return answer(request, {"workers": [listed.document() for listed in farm.services.workers.listed()]})


@router.post("/workers/{name}/actions")
def act(farm: FarmDep, admin: Admin, name: Annotated[str, Path(max_length=255)], body: WorkerAction) -> dict[str, Any]:
    """Drain or bench a worker, or let it take jobs again."""
    state = {"drain": WorkerState.DRAINING, "bench": WorkerState.BENCHED, "unbench": WorkerState.ACTIVE}[body.action]
    reason = None if state is WorkerState.ACTIVE else f"{state} by {admin.user}"
    farm.services.workers.set_state(name, state, reason)
    return {"worker": next(one.document() for one in farm.services.workers.listed() if one.worker.name == name)}


@router.get("/models")
def list_models(request: Request, farm: FarmDep, reader: Reader) -> Response:
    """Return the trained models, by name, with their cards."""
    return answer(
        request,
        {
            "models": [
                {
                    "name": row.name,
                    "method": row.method,
                    "sha256": row.sha256,
                    "bytes": row.bytes,
                    "source": row.source,
                    "created_at": row.created_at.isoformat(),
                    "card": row.card,
                }
                for row in farm.services.store.models.all()
            ]
        },
    )


@router.get("/datasets")
def list_datasets(request: Request, farm: FarmDep, reader: Reader) -> Response:
    """Return the data sets, by name."""
    return answer(
        request,
        {
            "datasets": [
                {
                    "name": row.name,
                    "sha256": row.sha256,
                    "pictures": row.pictures,
                    "left_out": row.left_out,
                    "bytes": row.bytes,
                    "created_at": row.created_at.isoformat(),
                }
                for row in farm.services.store.datasets.all()
            ]
        },
    )
