"""The image that an optimization starts from."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor

NoiseKind = Literal["uniform", "normal"]


def noise_like(image: Tensor, kind: NoiseKind, bounds: tuple[float, float], seed: int) -> Tensor:
    """Return noise, the same for each image of the batch.

    It is drawn on the CPU in float32, so that one seed gives one image on every device.

    Args:
        image: (B, 3, H, W); gives shape, dtype and device.
        kind: "uniform" between the bounds, or "normal" with its mean in their middle and half their distance as
            standard deviation.
        bounds: Lower and upper bound, in the coordinates that are optimized.
        seed: Which noise.

    Example:
        >>> noise = noise_like(torch.zeros(2, 3, 4, 4), "uniform", (0.0, 1.0), seed=1)
        >>> bool(torch.equal(noise[0], noise[1])), bool((noise >= 0).all())
        (True, True)
    """
    low, high = bounds
    generator = torch.Generator().manual_seed(seed)
    shape = image.shape[1:]
    if kind == "uniform":
        drawn = low + (high - low) * torch.rand(shape, generator=generator)
    else:
        drawn = (low + high) / 2 + (high - low) / 2 * torch.randn(shape, generator=generator)
    return drawn.to(image).expand_as(image)
