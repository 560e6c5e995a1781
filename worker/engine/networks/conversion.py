"""Conversion of pretrained weights to the farm's own form: one safetensors file that states its input."""

from __future__ import annotations

from collections.abc import Mapping

import safetensors.torch
import torch
from torch import Tensor

from stylefarm.shared.spec.networks import CONVOLUTIONS, Architecture
from stylefarm.worker.engine.networks.weights import WeightsContent, check_tensor, expected_tensors
from stylefarm.worker.engine.networks.weights_metadata import write_metadata


def convert(pretrained: WeightsContent) -> tuple[Architecture, bytes]:
    """Return the architecture, found from the tensors, and the file: float32, the same bytes for the same weights.

    Raises:
        InvalidRequest: A tensor is missing, has another shape, or is not finite; it names the first one.
    """
    architecture = _architecture(pretrained.tensors)
    tensors = _whole(pretrained.tensors, architecture)
    return architecture, safetensors.torch.save(tensors, write_metadata(architecture, pretrained.space))


def _architecture(tensors: Mapping[str, Tensor]) -> Architecture:
    """Return SqueezeNet for fire modules, else the VGG with that many convolutions; VGG-19 to name what is lacking."""
    if any(name.endswith(".squeeze.weight") for name in tensors):
        return "squeezenet"
    count = sum(tensor.dim() == 4 for tensor in tensors.values())
    return "vgg16" if count == sum(CONVOLUTIONS["vgg16"]) else "vgg19"


def _whole(tensors: Mapping[str, Tensor], architecture: Architecture) -> dict[str, Tensor]:
    return {
        name: _copy(check_tensor(tensors.get(name), shape, label, architecture))
        for name, (shape, label) in expected_tensors(architecture).items()
    }


def _copy(tensor: Tensor) -> Tensor:
    """Return a copy in float32: several tensors of a file may be views of one memory, which safetensors refuses."""
    return tensor.to(torch.float32, copy=True, memory_format=torch.contiguous_format)
