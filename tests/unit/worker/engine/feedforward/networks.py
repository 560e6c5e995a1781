"""Small models of the encoder-decoder methods, with random weights."""

from __future__ import annotations

import torch
from torch import Tensor

from stylefarm.worker.engine.feedforward.chain import Layer, layers_document
from stylefarm.worker.engine.feedforward.encoders import mirrored, random_decoder, vgg_encoder
from stylefarm.worker.engine.feedforward.model import Model

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
