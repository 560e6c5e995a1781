"""The picture that the optimisation starts from."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor

Init = Literal["content", "noise", "blend"]


def initial_image(content: Tensor, init: Init, noise_ratio: float, seed: int) -> Tensor:
    """A picture shaped as `content`, (1, 3, H, W) float32 in [0, 1].

    `noise` is uniform white noise, `blend` is noise_ratio x noise + (1 - noise_ratio) x content. The noise is drawn on
    the CPU, so one seed gives one picture whatever the device.
    """
    if init == "content":
        return content.clone()
    generator = torch.Generator().manual_seed(seed)
    noise = torch.rand(content.shape, generator=generator).to(content.device)
    ratio = 1.0 if init == "noise" else noise_ratio
    return ratio * noise + (1 - ratio) * content
