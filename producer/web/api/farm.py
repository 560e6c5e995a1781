"""What the farm has: workers, trained models, data sets."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Path, Request
from pydantic import BaseModel, ConfigDict
from starlette.responses import Response

from stylefarm.producer.web.access import Admin, FarmDep, Reader
from stylefarm.producer.web.answers import answer
from stylefarm.shared.db.library_tables import ModelRow
from stylefarm.shared.db.states import ArtifactRole, WorkerState
from stylefarm.shared.schema.http_farm import DatasetsAnswer, ModelsAnswer, WorkerAnswer, WorkersAnswer
from stylefarm.shared.services import Services

router = APIRouter(tags=["farm"])

# Pictures of samples that are shown of one training.
MOST_SAMPLES = 4


class WorkerAction(BaseModel):
    """What is to be done with a worker."""

    model_config = ConfigDict(extra="forbid")

    action: Literal["drain", "bench", "unbench"]


@router.get("/workers", response_model=WorkersAnswer)
def list_workers(request: Request, farm: FarmDep, reader: Reader) -> Response:
    """Return the slots of workers, with the job at hand and what each has done."""
    return answer(request, {"workers": [listed.document() for listed in farm.services.workers.listed()]})


@router.post("/workers/{name}/actions", response_model=WorkerAnswer)
def act(farm: FarmDep, admin: Admin, name: Annotated[str, Path(max_length=255)], body: WorkerAction) -> dict[str, Any]:
    """Drain or bench a worker, or let it take jobs again."""
    state = {"drain": WorkerState.DRAINING, "bench": WorkerState.BENCHED, "unbench": WorkerState.ACTIVE}[body.action]
    reason = None if state is WorkerState.ACTIVE else f"{state} by {admin.user}"
    farm.services.workers.set_state(name, state, reason)
    return {"worker": next(one.document() for one in farm.services.workers.listed() if one.worker.name == name)}


@router.get("/models", response_model=ModelsAnswer)
def list_models(request: Request, farm: FarmDep, reader: Reader) -> Response:
    """Return the trained models, by name, with their cards, and the hashes of samples of those trained here."""
    models = [{**row.document(), **_training(farm.services, row)} for row in farm.services.store.models.all()]
    return answer(request, {"models": models})


@router.get("/datasets", response_model=DatasetsAnswer)
def list_datasets(request: Request, farm: FarmDep, reader: Reader) -> Response:
    """Return the data sets, by name."""
    # Where one was read from is a path of a user's machine.
    found = [row.document() for row in farm.services.store.datasets.all()]
    datasets = [{name: value for name, value in entry.items() if name != "source"} for entry in found]
    return answer(request, {"datasets": datasets})


def _training(services: Services, model: ModelRow) -> dict[str, Any]:
    """Return the job that has trained a model, if it is there, and the hashes of pictures of its samples in time."""
    if model.trained_by is None:
        return {"job": None, "samples": []}
    stored = services.queries.artifacts(model.trained_by)
    roles = (ArtifactRole.SNAPSHOT, ArtifactRole.RESULT)
    pictures = dict.fromkeys(row.sha256 for role in roles for row in stored if row.role == role)
    return {"job": model.trained_by if stored else None, "samples": spread([*pictures], MOST_SAMPLES)}


def spread(entries: Sequence[str], most: int) -> list[str]:
    """Return at most so many of some entries, evenly, with the first and the last.

    Example:
        >>> spread(["a", "b", "c", "d", "e"], 3)
        ['a', 'c', 'e']
    """
    if len(entries) <= most:
        return list(entries)
    return [entries[round(place * (len(entries) - 1) / (most - 1))] for place in range(most)]
