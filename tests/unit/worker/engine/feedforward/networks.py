"""Small models of the methods that take pictures as styles, with random weights."""

from __future__ import annotations

import torch
from torch import Tensor

from stylefarm.worker.engine.feedforward.chain import Layer, layers_document
from stylefarm.worker.engine.feedforward.encoders import mirrored, random_decoder, vgg_encoder
from stylefarm.worker.engine.feedforward.model import Model
from stylefarm.worker.engine.feedforward.style_predictor import STRIDES

WIDTHS = {0: 3, 1: 4, 2: 6, 3: 8, 4: 8, 5: 8}


def small_encoder(level: int, seed: int = 0) -> tuple[tuple[Layer, ...], dict[str, Tensor]]:
    """VGG-19 of a few channels up to a level."""
    generator = torch.Generator().manual_seed(seed)
    layers, inputs = vgg_encoder(f"encoder{level}.", level), 3
    tensors: dict[str, Tensor] = {}
    for layer in layers:
        if layer.kind == "pool":
            continue
        block = int(layer.name.rpartition("conv")[2][0])
        side = 1 if block == 0 else 3
        weight = torch.randn(WIDTHS[block], inputs, side, side, generator=generator)
        tensors[f"{layer.name}.weight"] = weight * (2 / weight[0].numel()) ** 0.5
        tensors[f"{layer.name}.bias"] = torch.randn(WIDTHS[block], generator=generator) * 0.1
        inputs = WIDTHS[block]
    return layers, tensors


def small_model(method: str = "wct", levels: tuple[int, ...] = (3, 2, 1), seed: int = 0) -> Model:
    """A model of wct or adain whose pictures are noise, but for the statistics."""
    described = []
    tensors: dict[str, Tensor] = {}
    for level in levels:
        layers, encoder = small_encoder(level, seed)
        decoder = mirrored(layers, f"decoder{level}.")
        described.append({"level": level, "encoder": layers_document(layers), "decoder": layers_document(decoder)})
        tensors |= encoder | random_decoder(layers, encoder, f"decoder{level}.", torch.Generator().manual_seed(seed))
    return Model(method, {"levels": described}, tensors)


def small_ghiasi(seed: int = 0, vector: int = 6) -> Model:
    """A model of ghiasi of a few channels, whose predictor sees the colors of a style."""
    generator = torch.Generator().manual_seed(seed)
    tensors: dict[str, Tensor] = {}

    def add(name: str, *shape: int, bias: float = 0.1) -> None:
        fan = shape[1] * shape[2] * shape[3]
        tensors[f"{name}.weight"] = torch.randn(*shape, generator=generator) * (2 / fan) ** 0.5
        tensors[f"{name}.bias"] = torch.randn(shape[0], generator=generator) * bias

    add("predictor.first", 4, 3, 3, 3)
    for number in range(len(STRIDES)):
        if number:
            add(f"predictor.blocks.{number}.expand", 8, 4, 1, 1)
        width = 8 if number else 4
        add(f"predictor.blocks.{number}.depthwise", width, 1, 3, 3)
        add(f"predictor.blocks.{number}.project", 4, width, 1, 1)
    add("predictor.last", 8, 4, 1, 1)
    add("predictor.vector", vector, 8, 1, 1)
    widths = (4, 6, 8)
    for place, (inputs, outputs, side) in enumerate(((3, 4, 9), (4, 6, 3), (6, 8, 3))):
        add(f"trunk.down.{place}.conv", outputs, inputs, side, side)
    layers = [(f"blocks.0.{part}", 8, 8, 3) for part in ("first", "second")]
    layers += [("up.0", 8, 6, 3), ("up.1", 6, 4, 3), ("up.2", 4, 3, 9)]
    for name, inputs, outputs, side in layers:
        add(f"trunk.{name}.conv", outputs, inputs, side, side)
        for kind in ("scale", "shift"):
            add(f"style.{name}.{kind}", outputs, vector, 1, 1, bias=1.0)
    return Model("ghiasi", {"channels": list(widths), "up": [6, 4], "blocks": 1}, tensors)
