"""Pictures for pages: thumbnails and originals, asked for by their hashes alone."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import APIRouter, Path
from starlette.responses import Response

from stylefarm.producer.web.access import FarmDep, Reader
from stylefarm.shared.errors import NotFound
from stylefarm.shared.images.recognize import HEAD_BYTES, media_type
from stylefarm.shared.images.thumbnails import MEDIA_TYPE, thumbnail_key
from stylefarm.shared.services import Services

router = APIRouter(include_in_schema=False)

# What is found by its hash never changes.
IMMUTABLE = {"Cache-Control": "private, max-age=31536000, immutable"}
Sha256 = Annotated[str, Path(pattern="^[0-9a-f]{64}$")]
# What a browser shows by itself, and what it cannot be made to run.
SHOWN = frozenset({"image/png", "image/jpeg", "image/webp", "image/avif", "image/gif"})


@router.get("/thumbs/{sha256}-{edge}.webp")
@router.head("/thumbs/{sha256}-{edge}.webp")
def thumbnail(farm: FarmDep, reader: Reader, sha256: Sha256, edge: Literal["192", "384"]) -> Response:
    """Return a thumbnail; of a picture that has none, from before there were any, the picture itself."""
    return thumbnail_response(farm.services, sha256, int(edge))


@router.get("/pictures/{sha256}")
@router.head("/pictures/{sha256}")
def original(farm: FarmDep, reader: Reader, sha256: Sha256) -> Response:
    """Return a result, a snapshot, a content or a style as it is stored."""
    return picture_response(farm.services, sha256)


def thumbnail_response(services: Services, sha256: str, edge: int) -> Response:
    """Return a thumbnail, or the picture itself. Raises NotFound."""
    try:
        data = services.blobs.get(thumbnail_key(sha256, edge))
    except NotFound:
        return picture_response(services, sha256)
    return Response(data, headers=IMMUTABLE, media_type=MEDIA_TYPE)


def picture_response(services: Services, sha256: str) -> Response:
    """Return a picture; one that browsers do not show is downloaded. Raises NotFound."""
    artifact = services.cell_reads.picture(sha256)
    data = services.blobs.get(f"inputs/{sha256}" if artifact is None else artifact.key)
    kind = media_type(data[:HEAD_BYTES])
    if kind not in SHOWN:
        return Response(data, headers={**IMMUTABLE, "Content-Disposition": "attachment"}, media_type=kind)
    return Response(data, headers=IMMUTABLE, media_type=kind)
