"""The feature network that a spec names, ready to use on a device."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

import torch
from torch import Tensor

from shared.blobs import BlobStore
from shared.spec import BLOB, JobSpec
from shared.vgg import Architecture
from worker.engine.device import Path as ComputePath
from worker.engine.features import Vgg, calibrate, randomise
from worker.engine.weights import load_state, load_weights


def build_network(spec: JobSpec, images: list[Tensor], blobs: BlobStore, cache: Path, path: ComputePath) -> Vgg:
    """The network of `spec` on `path`'s device, in its precision.

    `images` are the content and the style, (1, 3, H, W), which random weights are calibrated on; pretrained weights
    come from the object store by way of the folder `cache`. Raises NotFound and InvalidRequest for weights.
    """
    architecture: Architecture = "vgg16" if spec.features == "vgg16" else "vgg19"
    vgg = Vgg(architecture, (*spec.content_layers, *spec.style_layers), spec.pooling)
    if spec.weights is None:
        randomise(vgg, spec.features_seed)
    else:
        load_weights(vgg, _state(_cached(spec.weights.removeprefix(BLOB), blobs, cache)))
    vgg = vgg.to(path.device)
    if spec.weights is None:
        calibrate(vgg, images)
    vgg.cast(path.dtype)
    return vgg.to(memory_format=torch.channels_last)


def _cached(sha256: str, blobs: BlobStore, cache: Path) -> Path:
    file = cache / "weights" / sha256
    if not file.is_file():
        file.parent.mkdir(parents=True, exist_ok=True)
        blobs.get_file(f"weights/{sha256}", file)
    return file


@lru_cache(maxsize=1)
def _state(file: Path) -> dict[str, Tensor]:
    """Kept between the jobs of a worker, whose sweeps use one network."""
    return load_state(file)
