"""Pretrained weights, from a file in the layout of torchvision's VGG."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import safetensors.torch
import torch
from torch import Tensor

from shared.errors import InvalidRequest
from shared.vgg import CONVOLUTIONS, Architecture
from worker.engine.features import Vgg

# Where torchvision keeps the convolutions. The rest, the classifier, is most of the file, and nothing paints with it.
FEATURES = "features."


def load_state(path: Path) -> dict[str, Tensor]:
    """The feature tensors of a .safetensors file or of a torch.save'd state dict, on the CPU.

    Nothing but tensors is unpickled. Raises InvalidRequest if the file holds anything else, or is damaged.
    """
    try:
        with path.open("rb") as file:
            pickled = file.read(2) in {b"PK", b"\x80\x02"}
        if pickled:
            state = torch.load(path, map_location="cpu", weights_only=True)
        else:
            state = safetensors.torch.load_file(path)
    # Damaged files make the two readers raise nearly anything: UnpicklingError, SafetensorError, BadZipFile, EOFError,
    # RuntimeError, IndexError, KeyError, struct.error, FileNotFoundError. All of them mean the same.
    except Exception as error:
        raise InvalidRequest(
            "the weights are neither a torch state dict nor safetensors, or the file is damaged: give a file that"
            f" torch.save or safetensors wrote ({type(error).__name__})"
        ) from error
    if not isinstance(state, Mapping) or not all(isinstance(value, Tensor) for value in state.values()):
        raise InvalidRequest("the weights file holds no state dict: save model.state_dict(), not the model")
    return {name: value for name, value in state.items() if str(name).startswith(FEATURES)}


def load_weights(vgg: Vgg, state: Mapping[str, Tensor]) -> None:
    """Copies the convolutions that `vgg` uses out of `state`, torchvision's state dict of the same architecture.

    Raises InvalidRequest, naming the first tensor that is missing or of another shape.
    """
    positions = feature_positions(vgg.architecture)
    for index, convolution in enumerate(vgg.plan):
        for kind, parameter in (("weight", vgg.weights[index]), ("bias", vgg.biases[index])):
            name = f"{FEATURES}{positions[convolution.name]}.{kind}"
            _copy(parameter, state.get(name), f"{name} ({convolution.name})", vgg.architecture)


def feature_positions(architecture: Architecture) -> dict[str, int]:
    """Where each convolution stands in torchvision's `features`, a Sequential of convolutions, ReLUs and poolings."""
    positions: dict[str, int] = {}
    position = 0
    for block, count in enumerate(CONVOLUTIONS[architecture], start=1):
        for index in range(1, count + 1):
            positions[f"conv{block}_{index}"] = position
            position += 2
        position += 1
    return positions


def _copy(parameter: Tensor, value: Tensor | None, name: str, architecture: Architecture) -> None:
    if value is None:
        raise InvalidRequest(f"the weights lack {name}: they are not torchvision's {architecture}")
    if value.shape != parameter.shape:
        raise InvalidRequest(
            f"the weights have {name} of shape {tuple(value.shape)}, not {tuple(parameter.shape)}:"
            f" they are not torchvision's {architecture}"
        )
    parameter.copy_(value)
