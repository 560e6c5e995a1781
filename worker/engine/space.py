"""Between a picture's pixels and the numbers that a network, or an optimizer, works on."""

from __future__ import annotations

from functools import lru_cache

import torch
from torch import Tensor

from stylefarm.shared.spec.space import PIXELS, InputSpace


def to_input(space: InputSpace, pixels: Tensor) -> Tensor:
    """The pixels (B, 3, H, W), RGB in [0, 1], in the coordinates of `space`; same shape and dtype."""
    if space == PIXELS:
        return pixels
    mean, std = _moments(space, pixels.device, pixels.dtype)
    x = (pixels * space.range - mean) / std
    return x.flip(1) if space.order == "bgr" else x


def to_pixels(space: InputSpace, x: Tensor) -> Tensor:
    """The inverse of `to_input`."""
    if space == PIXELS:
        return x
    mean, std = _moments(space, x.device, x.dtype)
    rgb = x.flip(1) if space.order == "bgr" else x
    return (rgb * std + mean) / space.range


def clamp(space: InputSpace, x: Tensor) -> Tensor:
    """`x` with every pixel brought back into [0, 1]."""
    return x.clamp(0, 1) if space == PIXELS else to_input(space, to_pixels(space, x).clamp(0, 1))


@lru_cache(maxsize=16)
def _moments(space: InputSpace, device: torch.device, dtype: torch.dtype) -> tuple[Tensor, Tensor]:
    """Mean and deviation, (1, 3, 1, 1); made once, since a copy to the device makes the device wait."""
    mean, std = (torch.tensor(values, dtype=dtype, device=device) for values in (space.mean, space.std))
    return mean.view(1, 3, 1, 1), std.view(1, 3, 1, 1)


def from_input_gradient(space: InputSpace, grad: Tensor) -> Tensor:
    """The gradient for pixels of the gradient for what `to_input` made of them."""
    if space == PIXELS:
        return grad
    _, std = _moments(space, grad.device, grad.dtype)
    return (grad.flip(1) if space.order == "bgr" else grad) * (space.range / std)


def from_pixels_gradient(space: InputSpace, grad: Tensor) -> Tensor:
    """The gradient for coordinates of `space` of the gradient for the pixels that `to_pixels` made of them."""
    if space == PIXELS:
        return grad
    _, std = _moments(space, grad.device, grad.dtype)
    grad = grad * (std / space.range)
    return grad.flip(1) if space.order == "bgr" else grad
