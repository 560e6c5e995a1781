"""Trainings that take a second: narrow networks, small crops, random weights of SqueezeNet."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from stylefarm.shared.spec.space import TORCHVISION
from stylefarm.shared.spec.training import TrainingSpec
from stylefarm.worker.engine.feedforward.model import Model
from stylefarm.worker.engine.hardware.device import ComputePath
from stylefarm.worker.engine.networks.weights import WeightsContent
from stylefarm.worker.training.pictures import PictureList
from stylefarm.worker.training.trainer import TrainingInputs
from tests.weights_files import squeezenet_state

CPU = ComputePath(torch.device("cpu"), "fp32")
SMALL: dict[str, Any] = {
    "channels": 4,
    "blocks": 1,
    "image_size": 32,
    "style_size": 48,
    "batch_size": 2,
    "iterations": 6,
    "sample_every": 3,
    "samples": 2,
    "shift": 3,
    "learning_rate": 5e-3,
    "content_scales": (1.0, 1.5),
    "content_layers": ["fire2"],
    "style_layers": ["relu1", "fire3"],
    "discriminator_channels": 4,
}


def painted(seed: int, height: int = 40, width: int = 52) -> Tensor:
    """A picture with forms of several sizes, (3, H, W) uint8."""
    draw = torch.Generator().manual_seed(seed)
    layers = [torch.rand(1, 3, side, side, generator=draw) for side in (3, 7, 19)]
    grown = [torch.nn.functional.interpolate(layer, (height, width), mode="bilinear") for layer in layers]
    return (torch.stack(grown).mean(0)[0] * 255).byte()


def inputs(
    folder: Path,
    method: str,
    *,
    styles: int = 1,
    contents: int = 5,
    base: Model | None = None,
    others: int = 0,
    **changes: Any,
) -> TrainingInputs:
    """What a training of a method gets, with so many styles, contents, and pictures of a second set."""
    sets: dict[str, Any] = {"style_set": "others"} if others else {}
    spec = TrainingSpec(
        method=method, name="small", style=tuple(f"{n}.png" for n in range(styles)), **{**SMALL, **sets, **changes}
    )
    return TrainingInputs(
        spec,
        PictureList([painted(seed) for seed in range(contents)]),
        [painted(100 + seed) for seed in range(styles)],
        PictureList([painted(200 + seed) for seed in range(others)]) if others else None,
        WeightsContent(squeezenet_state(), TORCHVISION, "made for the test"),
        base,
        CPU,
        folder,
    )
