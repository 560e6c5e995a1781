"""Trained models of a few channels, with random weights, for tests of what is around them."""

from __future__ import annotations

from pathlib import Path

import torch

from stylefarm.shared.services import Services
from stylefarm.worker.engine.feedforward.chain import Layer, layers_document
from stylefarm.worker.engine.feedforward.model import Model, write_model
from stylefarm.worker.engine.feedforward.trunk import Trunk
from stylefarm.worker.engine.feedforward.trunk_shape import NormKind, TrunkShape
from stylefarm.worker.models.library import store_model


def trunk_model(method: str, styles: int = 0, seed: int = 0) -> Model:
    """Return a model of johnson, ulyanov or cin whose styles differ."""
    torch.manual_seed(seed)
    norm: NormKind = "conditional" if styles else "instance"
    # By a sigmoid, the picture is in the middle of its range whatever the weights.
    shape = TrunkShape((4, 8, 8), (8, 4), blocks=1, norm=norm, styles=styles, range="unit")
    tensors = Trunk(shape).state_dict()
    for name, tensor in tensors.items():
        if tensor.dim() == 2:  # scales and shifts of each style
            tensors[name] = tensor + torch.randn(tensor.shape) / 2
    return Model(method, shape.document(), tensors, {"about": "random weights"})


def adain_model(seed: int = 0) -> Model:
    """Return a model of adain with one level of stride 2."""
    generator = torch.Generator().manual_seed(seed)
    encoder = (Layer("conv", "encoder.a"), Layer("pool", pooling="average"), Layer("conv", "encoder.b"))
    decoder = (Layer("conv", "decoder.b"), Layer("up"), Layer("conv", "decoder.a", relu=False))
    tensors = {}
    for name, outputs, inputs in (
        ("encoder.a", 6, 3),
        ("encoder.b", 8, 6),
        ("decoder.b", 6, 8),
        ("decoder.a", 3, 6),
    ):
        tensors[f"{name}.weight"] = torch.randn(outputs, inputs, 3, 3, generator=generator) / (3 * inputs**0.5)
        tensors[f"{name}.bias"] = torch.full((outputs,), 0.1)
    level = {"level": 2, "encoder": layers_document(encoder), "decoder": layers_document(decoder)}
    return Model("adain", {"levels": [level]}, tensors)


def put_models(services: Services, **models: Model) -> None:
    """Register models in a farm."""
    for name, model in models.items():
        store_model(model, name, "a test", services)


def written(model: Model, path: Path) -> Path:
    """Write a model to a file, and return its path."""
    write_model(path, model)
    return path
