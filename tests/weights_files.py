"""Files of pretrained weights as they are found in the world, with random numbers in them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import scipy.io
import torch
from torch import Tensor

from stylefarm.shared.spec.networks import CONVOLUTIONS, VggArchitecture, network_layers
from stylefarm.worker.engine.networks.squeezenet_weights import squeezenet_convolutions
from stylefarm.worker.engine.networks.weights import torchvision_positions


@cache
def state_dict(architecture: VggArchitecture, seed: int = 0) -> Mapping[str, Tensor]:
    """A whole network's convolutions in torchvision's layout; float16, since half the bytes do for a test."""
    draw, inputs, found = torch.Generator().manual_seed(seed), 3, {}
    for name, position in torchvision_positions(architecture).items():
        outputs = network_layers(architecture)[name].channels
        weight = torch.randn(outputs, inputs, 3, 3, generator=draw) * 0.05
        found[f"features.{position}.weight"] = weight.half()
        found[f"features.{position}.bias"] = torch.randn(outputs, generator=draw).half()
        inputs = outputs
    assert len(found) == 2 * sum(CONVOLUTIONS[architecture])
    return found


@cache
def squeezenet_state(seed: int = 0) -> Mapping[str, Tensor]:
    """The convolutions of SqueezeNet 1.1 in torchvision's layout, float32; activations keep their size."""
    draw, found = torch.Generator().manual_seed(seed), {}
    for names in squeezenet_convolutions():
        for name, shape in names.shapes.items():
            scale = (2 / torch.Size(shape[1:]).numel()) ** 0.5 if len(shape) == 4 else 0.1
            found[name] = scale * torch.randn(shape, generator=draw)
    return found


def keras_arrays(state: Mapping[str, Tensor]) -> dict[str, Any]:
    """The datasets of a SqueezeNet of Keras by their paths: kernels H x W x In x Out, biases, and the classifier."""
    arrays: dict[str, Any] = {"conv10/conv10_W:0": np.ones((1, 1, 512, 3), np.float32)}
    for names in squeezenet_convolutions():
        kernel, bias = names.keras_datasets
        arrays[kernel] = state[f"{names.torchvision}.weight"].numpy().transpose(2, 3, 1, 0)
        arrays[bias] = state[f"{names.torchvision}.bias"].numpy()
    return arrays


def write_keras(path: Path, arrays: Mapping[str, Any]) -> Path:
    """An .h5 file of these datasets; None leaves one out."""
    import h5py  # most of the tests that write weights do without

    with h5py.File(path, "w") as file:
        for name, array in arrays.items():
            if array is not None:
                file[name] = array
    return path


def write_torch(path: Path, state: Mapping[str, Tensor], **changes: Tensor | None) -> Path:
    """torch.save of a state dict with a classifier; `features_0_weight=...` changes a tensor, None takes it out."""
    changed = {name.replace("_", "."): value for name, value in changes.items()}
    whole = {**state, "classifier.0.weight": torch.zeros(2, 2), **changed}
    torch.save({name: value for name, value in whole.items() if value is not None}, path)
    return path


def write_matconvnet(
    path: Path,
    architecture: VggArchitecture,
    state: Mapping[str, Tensor],
    *,
    old: bool = False,
    average: Any = None,
    compressed: bool = False,
) -> Path:
    """A .mat file in MatConvNet's form: filters H x W x In x Out, poolings and a classifier between and behind.

    `old` is the form before 1.0-beta8; `average` is put where the mean of the network's input stands.
    """
    layers: list[dict[str, Any]] = []
    for name, position in torchvision_positions(architecture).items():
        if f"features.{position}.weight" in state:
            filters = state[f"features.{position}.weight"].float().numpy().transpose(2, 3, 1, 0)
            biases = state[f"features.{position}.bias"].float().numpy().reshape(1, -1)
            layers.append({"type": "conv", "name": name, "pad": [1, 1, 1, 1], **_fields(filters, biases, old=old)})
            layers.append({"type": "relu", "name": name.replace("conv", "relu")})
    ones = np.ones((7, 7, 2, 3), np.float32)
    layers += [{"type": "pool", "name": "pool5"}, {"type": "conv", "name": "fc6", **_fields(ones, ones[0], old=old)}]
    content: dict[str, Any] = {"layers": _cell(layers)}
    if average is not None:
        normalization = {"normalization": {"averageImage": np.asarray(average)}}
        content |= normalization if old else {"meta": normalization}
    scipy.io.savemat(path, content, do_compression=compressed)
    return path


def _fields(filters: Any, biases: Any, *, old: bool) -> dict[str, Any]:
    return {"filters": filters, "biases": biases} if old else {"weights": _cell([filters, biases])}


def _cell(items: Sequence[Any]) -> Any:
    cell = np.empty((1, len(items)), object)
    for index, item in enumerate(items):
        cell[0, index] = item
    return cell
