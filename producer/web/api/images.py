"""Pictures that are sent in: checked, and stored under their hash."""

from __future__ import annotations

import hashlib
from typing import Annotated, Any

from anyio import to_thread
from fastapi import APIRouter, Query, Request
from pydantic import BaseModel, ConfigDict, Field

from stylefarm.producer.client.farm import Farm
from stylefarm.producer.submission.pictures import store_input
from stylefarm.producer.web.access import FarmDep, Submitter
from stylefarm.producer.web.problems import Refused
from stylefarm.shared.images.decode import decode
from stylefarm.shared.schema.http import HeldAnswer, UploadAnswer
from stylefarm.shared.spec.spec import BLOB

router = APIRouter(tags=["images"])

MOST_HASHES = 1000
Sha256 = Annotated[str, Field(pattern="^[0-9a-f]{64}$")]


@router.post("/images", status_code=201, response_model=UploadAnswer)
async def upload(
    request: Request,
    farm: FarmDep,
    user: Submitter,
    name: Annotated[str, Query(max_length=255, pattern=r"^[^/\x00-\x1f\x7f]*$", description="What to call it.")] = "",
) -> dict[str, Any]:
    """Store a picture, the body of the request, and return the address by which jobs name it.

    A picture that no job names within a day is deleted.
    """
    most = farm.settings.max_bytes
    data = bytearray()
    async for part in request.stream():
        data += part
        if len(data) > most:
            raise Refused(f"the picture has more than {most:,} bytes: send a smaller file", 413)
    return {"image": await to_thread.run_sync(_store, farm, bytes(data), name)}


class Hashes(BaseModel):
    """SHA-256 hashes of files."""

    model_config = ConfigDict(extra="forbid")

    sha256: Annotated[list[Sha256], Field(min_length=1, max_length=MOST_HASHES, examples=[["1f" * 32]])]


@router.post("/images:hold", response_model=HeldAnswer)
def hold(farm: FarmDep, user: Submitter, body: Hashes) -> dict[str, Any]:
    """Keep pictures that are here for a day, and return the hashes of those that are `missing`: send these."""
    keys = {sha256: f"inputs/{sha256}" for sha256 in body.sha256}
    farm.store.holds.hold_for_a_day(list(keys.values()))
    return {"missing": [sha256 for sha256, key in keys.items() if not farm.services.blobs.exists(key)]}


def _store(farm: Farm, data: bytes, name: str) -> dict[str, Any]:
    picture = decode(data, name or "the picture", max_pixels=farm.settings.max_pixels)
    sha256 = hashlib.sha256(data).hexdigest()
    blobs, key = farm.services.blobs, f"inputs/{sha256}"
    farm.store.holds.hold_for_a_day([key])
    if not blobs.exists(key):
        store_input(blobs, sha256, data, name, picture)
    return {
        "address": f"{BLOB}{sha256}/{name}" if name else f"{BLOB}{sha256}",
        "sha256": sha256,
        "width": picture.width,
        "height": picture.height,
        "bytes": len(data),
        "notes": list(picture.notes),
    }
