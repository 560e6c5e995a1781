"""Weights in MatConvNet's format, as in imagenet-vgg-verydeep-19.mat, which the authors of VGG offer."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from stylefarm.shared.errors import InvalidRequest
from stylefarm.shared.spec.space import CAFFE_MEAN, Triple
from stylefarm.worker.engine.networks.matfile import read_variables

# MATLAB writes HDF5 since 7.3 where it is asked to, a format of its own.
HDF5_START = b"MATLAB 7.3"


def read_matconvnet(path: Path) -> tuple[dict[str, tuple[Tensor, Tensor]], Triple]:
    """Read the convolutions of a .mat file.

    Args:
        path: The file.

    Returns:
        Weight (out, in, height, width) and bias (out,), float32, by name ("conv1_1"), and the mean that is subtracted
        from the input: red, green, blue, of 255.

    Raises:
        InvalidRequest: The file holds no network. Of a damaged file, what `read_variables` raises.
    """
    data = path.read_bytes()
    if data.startswith(HDF5_START):
        raise InvalidRequest("the weights are a .mat file of MATLAB 7.3: save them again in MATLAB with save -v7")
    content = read_variables(data, {"layers", "meta", "normalization"})
    found = {str(layer["name"]): _tensors(layer) for layer in _convolutions(content.get("layers"))}
    if not found:
        raise InvalidRequest(
            "the .mat file holds no network of MatConvNet, which has `layers` with convolutions in it: give one such"
            " as imagenet-vgg-verydeep-19.mat"
        )
    return found, _mean(content)


def _convolutions(layers: object) -> Iterator[Mapping[str, Any]]:
    for layer in layers if isinstance(layers, list) else [layers]:
        # MatConvNet calls the fully connected layers, fc6 to fc8, convolutions too.
        if isinstance(layer, Mapping) and str(layer.get("name")).startswith("conv"):
            yield layer


def _tensors(layer: Mapping[str, Any]) -> tuple[Tensor, Tensor]:
    """Return the weight and the bias; releases before 1.0-beta8 have them in two fields of their own."""
    pair = layer["weights"] if "weights" in layer else (layer.get("filters"), layer.get("biases"))
    filters, biases = pair if len(pair) == 2 else (None, None)
    if not isinstance(filters, np.ndarray) or not isinstance(biases, np.ndarray):
        raise InvalidRequest(f"the .mat file has {layer['name']} without its filters and biases: give a whole network")
    if filters.ndim != 4 or filters.dtype.kind != "f" or biases.dtype.kind != "f":
        raise InvalidRequest(
            f"the .mat file has {layer['name']} with filters of shape {filters.shape} ({filters.dtype}), not of"
            " height x width x in x out numbers: give a network of MatConvNet"
        )
    # torch's convolution, like MatConvNet's, is a correlation: nothing is flipped.
    return _tensor(filters.transpose(3, 2, 0, 1)), _tensor(biases.ravel())


def _tensor(array: np.ndarray[Any, Any]) -> Tensor:
    # A copy in the byte order of this machine, which torch asks for.
    return torch.from_numpy(array.astype(np.float32, order="C", copy=True))


def _mean(content: Mapping[str, Any]) -> Triple:
    """Return the network's own average, of a color or of a whole image; without one, that of the authors."""
    meta = content.get("meta")
    normalization = meta.get("normalization") if isinstance(meta, Mapping) else content.get("normalization")
    average = normalization.get("averageImage") if isinstance(normalization, Mapping) else None
    values = np.squeeze(average) if isinstance(average, np.ndarray) else np.zeros(0)
    if values.dtype.kind not in "fiu" or not values.shape or values.shape[-1] != 3:
        return CAFFE_MEAN
    red, green, blue = values.reshape(-1, 3).astype(np.float64).mean(0).tolist()
    return (red, green, blue)
