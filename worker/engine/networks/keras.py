"""SqueezeNet's weights as Keras keeps them, in an HDF5 file: groups of layers, kernels H x W x In x Out.

Only the datasets of the known names and shapes are read: a file cannot name others, point out of itself, or take
memory by what it declares.
"""

from __future__ import annotations

from pathlib import Path, PurePosixPath
from typing import Any

import torch
from torch import Tensor

from stylefarm.shared.errors import InvalidRequest
from stylefarm.worker.engine.networks.squeezenet_weights import squeezenet_convolutions

# What an HDF5 file starts with.
HDF5 = b"\x89HDF\r\n\x1a\n"


def read_keras(path: Path) -> dict[str, Tensor]:
    """Return the convolutions by torchvision's names, kernels (out, in, H, W), as the file has them.

    Args:
        path: An HDF5 file.

    Raises:
        InvalidRequest: It holds no SqueezeNet 1.1, or h5py is not installed.
        OSError: It is damaged.
    """
    try:
        import h5py
    except ModuleNotFoundError:
        raise InvalidRequest(
            "reading a file of Keras needs the package h5py: pip install 'stylefarm[worker]'"
        ) from None
    tensors: dict[str, Tensor] = {}
    with h5py.File(path, "r") as file:
        for names in squeezenet_convolutions():
            kernel_shape = (names.side, names.side, names.inputs, names.outputs)
            kernel_name, bias_name = names.keras_datasets
            kernel = _read(h5py, file, kernel_name, kernel_shape)
            tensors[f"{names.torchvision}.weight"] = kernel.permute(3, 2, 0, 1)
            tensors[f"{names.torchvision}.bias"] = _read(h5py, file, bias_name, (names.outputs,))
    return tensors


def _read(h5py: Any, file: Any, name: str, shape: tuple[int, ...]) -> Tensor:
    found = _dataset(h5py, file, name)
    if found.shape != shape:
        raise InvalidRequest(
            f"the weights have {name} of shape {found.shape}, not {shape}: they are not SqueezeNet 1.1's"
        )
    if found.dtype.kind != "f":
        raise InvalidRequest(f"the weights have {name} as {found.dtype}, not as floating-point numbers")
    return torch.from_numpy(found[()].astype("float32"))


def _dataset(h5py: Any, file: Any, name: str) -> Any:
    """Return the dataset of that name, which stands in the file itself. Raises InvalidRequest."""
    group = file
    for part in PurePosixPath(name).parts:
        link = group.get(part, getlink=True) if isinstance(group, h5py.Group) else None
        if link is None:
            raise InvalidRequest(f"the weights lack {name}: they are not SqueezeNet 1.1's, as Keras keeps them")
        if not isinstance(link, h5py.HardLink):
            raise InvalidRequest(f"the weights have a link in place of {name}: give a file that holds its numbers")
        group = group[part]
    if not isinstance(group, h5py.Dataset) or group.external or group.is_virtual:
        raise InvalidRequest(f"the weights have {name} elsewhere than in the file: give a file that holds its numbers")
    return group
