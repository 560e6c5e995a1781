"""The picture that the optimization starts from."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor

NoiseKind = Literal["uniform", "normal"]


def noise_like(image: Tensor, kind: NoiseKind, bounds: tuple[float, float], seed: int) -> Tensor:
    """Noise shaped as `image`, (B, 3, H, W), each picture the same.

    `uniform` lies between the bounds; `normal` has its mean in their middle and half their distance as deviation. It is
    drawn on the CPU in float32, so one seed gives one picture whatever the device.
    """
    low, high = bounds
    generator = torch.Generator().manual_seed(seed)
    shape = image.shape[1:]
    if kind == "uniform":
        drawn = low + (high - low) * torch.rand(shape, generator=generator)
    else:
        drawn = (low + high) / 2 + (high - low) / 2 * torch.randn(shape, generator=generator)
    return drawn.to(image).expand_as(image)
