"""What a training job is made from: data sets, pictures of styles, weights, a model to go on from."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from stylefarm.shared.blobs.manifest import Manifest, read_manifest
from stylefarm.shared.blobs.storage import fetch_verified
from stylefarm.shared.images.decode import decode
from stylefarm.shared.services import Services
from stylefarm.shared.spec.spec import BLOB
from stylefarm.shared.spec.training import TrainingSpec
from stylefarm.worker.engine.hardware.device import ComputePath
from stylefarm.worker.engine.networks.weights import read_weights
from stylefarm.worker.host.retry import retry_transient
from stylefarm.worker.render.applied import load_model, model_hash
from stylefarm.worker.render.stored_files import cached_file
from stylefarm.worker.training.trainer import PictureSet, TrainingInputs


@dataclass(frozen=True)
class StoredPictures:
    """The pictures of a data set, fetched from the object store when they are asked for."""

    services: Services
    manifest: Manifest

    def __len__(self) -> int:
        """Return how many pictures it has."""
        return len(self.manifest.pictures)

    def picture(self, index: int) -> Tensor:
        """Return a whole picture, (3, H, W) uint8, RGB.

        Raises:
            NotFound: it was deleted.
            InvalidImage: it cannot be decoded any more.
            ServiceUnavailable: the object store does not answer.
        """
        listed = self.manifest.pictures[index]
        return fetch_picture(BLOB + listed.sha256, listed.name, self.services)


def fetch_training_inputs(spec: TrainingSpec, services: Services, cache: Path, path: ComputePath) -> TrainingInputs:
    """Fetch what a resolved training spec names.

    Args:
        spec: data sets, pictures, weights and models are content hashes.
        services: the farm's.
        cache: a folder of this machine that keeps files.
        path: the device and the precision.

    Raises:
        NotFound: something was deleted.
        InvalidRequest: something cannot be read.
        ServiceUnavailable: a service does not answer.
    """
    weights = spec.weights
    file = None if weights is None else cached_file("weights", weights.removeprefix(BLOB), services.blobs, cache)
    return TrainingInputs(
        spec,
        _pictures(spec.content_set, services),
        [fetch_picture(address, address[:19], services) for address in spec.style],
        None if spec.style_set is None else _pictures(spec.style_set, services),
        None if file is None else read_weights(file),
        None if spec.base is None else load_model(model_hash(spec.base, services), services, cache),
        path,
        cache / "training",
    )


def fetch_picture(address: str, name: str, services: Services) -> Tensor:
    """Return a picture of the object store, (3, H, W) uint8, RGB.

    Args:
        address: its content hash, "sha256:...".
        name: what messages call it.
        services: the farm's.

    Raises:
        NotFound: it was deleted.
        InvalidImage: it cannot be decoded any more.
        ServiceUnavailable: the object store does not answer.
    """
    sha256 = address.removeprefix(BLOB)
    data = retry_transient(lambda: fetch_verified(services.blobs, f"inputs/{sha256}", sha256))
    picture = decode(data, name, max_pixels=services.settings.max_pixels).image
    return torch.from_numpy(np.asarray(picture).copy()).permute(2, 0, 1).contiguous()


def _pictures(address: str, services: Services) -> PictureSet:
    sha256 = address.removeprefix(BLOB)
    return StoredPictures(services, retry_transient(lambda: read_manifest(services.blobs, sha256)))
