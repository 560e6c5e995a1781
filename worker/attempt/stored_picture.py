"""Pictures of a job in the object store: a result or a snapshot, and its thumbnails."""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

import structlog
import torch
from PIL import Image
from torch import Tensor
from torch.nn.functional import adaptive_avg_pool2d

from stylefarm.shared.blobs.storage import BlobStore, store_object
from stylefarm.shared.db.records import StoredObject
from stylefarm.shared.errors import FarmError
from stylefarm.shared.images.encode import content_type
from stylefarm.shared.images.thumbnails import EDGES, MEDIA_TYPE, thumbnails
from stylefarm.worker.attempt.product import PictureEncoder
from stylefarm.worker.host.retry import retry_transient
from stylefarm.worker.monitoring.metrics import uploading

# A picture is averaged down to so many times the largest thumbnail first, which bounds what the rest takes.
OVERSAMPLING = 4

log = structlog.get_logger("stylefarm.worker")


def store_picture(
    blobs: BlobStore,
    path: str,
    encoder: PictureEncoder,
    picture: Tensor,
    iteration: int,
    kind: Literal["result", "snapshot"],
) -> StoredObject:
    """Store a picture and its thumbnails.

    Args:
        blobs: the object store.
        path: the key without a suffix.
        encoder: makes the file.
        picture: (3, H, W), as `encoder.finished` has returned it.
        iteration: the steps after which it was taken.
        kind: result or snapshot, for the metrics of the worker.

    Returns:
        The picture's object, with its size in pixels.

    Raises:
        ServiceUnavailable: the object store has not answered for a minute.
        StorageFull: it is full.
        InvalidRequest: the picture is larger than its format can hold.
    """
    file_format = encoder.output.format
    data = encoder.encode_finished(picture, iteration)
    with uploading(kind):
        key = f"{path}.{file_format}"
        stored = retry_transient(lambda: store_object(blobs, key, data, content_type(file_format)))
        try:
            for name, thumbnail in thumbnails(stored.sha256, _small(picture)).items():
                blobs.put(name, thumbnail, MEDIA_TYPE)
        except FarmError as error:
            # Pages show the picture itself then.
            log.warning("thumbnails not stored", key=key, reason=str(error))
    _, height, width = picture.shape
    return replace(stored, width=width, height=height)


def _small(picture: Tensor) -> Image.Image:
    """Return a picture (3, H, W) as an image whose longer side is a few times that of the largest thumbnail at most."""
    _, height, width = picture.shape
    scale = OVERSAMPLING * max(EDGES) / max(height, width)
    if scale < 1:
        picture = adaptive_avg_pool2d(picture, (max(1, round(height * scale)), max(1, round(width * scale))))
    values = (picture.float().clamp(0, 1) * 255).round().to(torch.uint8)
    return Image.fromarray(values.permute(1, 2, 0).contiguous().numpy())
