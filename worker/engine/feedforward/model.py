"""A trained model: its method, what its network is built from, its tensors, its card; and its file.

The file is one of safetensors: nothing in it is executed when it is read. Its metadata hold one JSON document.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from stylefarm.shared.errors import InvalidRequest
from stylefarm.shared.spec.model_description import ModelDescription, parse_description
from stylefarm.shared.spec.models import METADATA_KEY


@dataclass(frozen=True)
class Model:
    """A trained model.

    Args:
        method: The method that applies it, as a spec names it.
        architecture: What the network is built from: plain JSON values, whose names are the method's own.
        tensors: The weights by name.
        card: Where it comes from and how good it is: plain JSON values for a reader.

    Example:
        >>> model = Model("johnson", {"channels": 32}, {"first.weight": torch.zeros(32, 3, 9, 9)})
        >>> model.parameters
        7776
    """

    method: str
    architecture: Mapping[str, Any]
    tensors: Mapping[str, Tensor]
    card: Mapping[str, Any] = field(default_factory=dict)

    @property
    def parameters(self) -> int:
        """How many numbers were learned."""
        return sum(tensor.numel() for tensor in self.tensors.values())


def write_model(path: Path, model: Model) -> None:
    """Write a model to a file, on the CPU and contiguous, as it is read again.

    Args:
        path: The file.
        model: The model.

    Example:
        write_model(Path("night.safetensors"), model)
    """
    document = ModelDescription(model.method, model.architecture, model.card).document()
    tensors = {name: tensor.detach().to("cpu").contiguous() for name, tensor in model.tensors.items()}
    save_file(tensors, str(path), metadata={METADATA_KEY: json.dumps(document, sort_keys=True)})


def read_model(path: Path) -> Model:
    """Read a model from a file.

    Args:
        path: A file that `write_model` wrote.

    Raises:
        InvalidRequest: It is no such file, it is damaged, or it is of a later release.

    Example:
        model = read_model(Path("night.safetensors"))
        print(model.method, model.card["losses"])
    """
    try:
        with safe_open(str(path), framework="pt") as file:
            text = (file.metadata() or {}).get(METADATA_KEY)
            tensors = {name: file.get_tensor(name) for name in file.keys()} if text else {}  # noqa: SIM118 - no mapping
    except (SafetensorError, OSError) as error:
        raise InvalidRequest(
            f"{path.name} is no model, or is damaged ({error}): give a file that was exported"
        ) from None
    if text is None:
        raise InvalidRequest(f"{path.name} is no model of stylefarm: it has no description of one")
    said = parse_description(text, path.name)
    broken = next((key for key, tensor in tensors.items() if not _is_finite(tensor)), None)
    if broken is not None:
        raise InvalidRequest(f"{path.name} cannot be used: {broken} holds numbers that are not finite")
    return Model(said.method, said.architecture, tensors, said.card)


def _is_finite(tensor: Tensor) -> bool:
    return not tensor.is_floating_point() or bool(torch.isfinite(tensor).all())
