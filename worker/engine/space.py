"""Conversions between pixels and the coordinates that a network, or an optimizer, works in."""

from __future__ import annotations

from functools import lru_cache

import torch
from torch import Tensor

from stylefarm.shared.spec.space import PIXELS, InputSpace


def to_input(space: InputSpace, pixels: Tensor) -> Tensor:
    """Return pixels in the coordinates of `space`: (range x - mean) / std, channels in its order.

    Args:
        space: The coordinates.
        pixels: (B, 3, H, W), RGB in [0, 1].

    Returns:
        The same shape and dtype.

    Example:
        >>> from stylefarm.shared.spec.space import CAFFE
        >>> x = to_input(CAFFE, torch.ones(1, 3, 1, 1))
        >>> [round(value, 3) for value in x.flatten().tolist()]
        [151.061, 138.221, 131.32]
    """
    if space == PIXELS:
        return pixels
    mean, std = _moments(space, pixels.device, pixels.dtype)
    x = (pixels * space.range - mean) / std
    return x.flip(1) if space.order == "bgr" else x


def to_pixels(space: InputSpace, x: Tensor) -> Tensor:
    """Return pixels of the coordinates of `space`: the inverse of `to_input`.

    Args:
        space: The coordinates.
        x: (B, 3, H, W).

    Example:
        >>> from stylefarm.shared.spec.space import TORCHVISION
        >>> pixels = torch.rand(1, 3, 2, 2)
        >>> bool(torch.allclose(to_pixels(TORCHVISION, to_input(TORCHVISION, pixels)), pixels, atol=1e-6))
        True
    """
    if space == PIXELS:
        return x
    mean, std = _moments(space, x.device, x.dtype)
    rgb = x.flip(1) if space.order == "bgr" else x
    return (rgb * std + mean) / space.range


def clamp(space: InputSpace, x: Tensor) -> Tensor:
    """Return `x`, in the coordinates of `space`, with every pixel clamped to [0, 1].

    Args:
        space: The coordinates of `x`.
        x: (B, 3, H, W) or a single channel.

    Example:
        >>> clamp(PIXELS, torch.tensor([2.0, -1.0])).tolist()
        [1.0, 0.0]
    """
    return x.clamp(0, 1) if space == PIXELS else to_input(space, to_pixels(space, x).clamp(0, 1))


@lru_cache(maxsize=16)
def _moments(space: InputSpace, device: torch.device, dtype: torch.dtype) -> tuple[Tensor, Tensor]:
    """Return mean and standard deviation, (1, 3, 1, 1); cached, since a copy to the device would wait for it."""
    mean, std = (torch.tensor(values, dtype=dtype, device=device) for values in (space.mean, space.std))
    return mean.view(1, 3, 1, 1), std.view(1, 3, 1, 1)


def from_input_gradient(space: InputSpace, grad: Tensor) -> Tensor:
    """Return the gradient for pixels, of that for what `to_input` made of them: (B, 3, H, W).

    Args:
        space: The coordinates.
        grad: (B, 3, H, W).

    Example:
        >>> from stylefarm.shared.spec.space import MATCONVNET
        >>> from_input_gradient(MATCONVNET, torch.ones(1, 3, 1, 1)).flatten().tolist()
        [255.0, 255.0, 255.0]
    """
    if space == PIXELS:
        return grad
    _, std = _moments(space, grad.device, grad.dtype)
    return (grad.flip(1) if space.order == "bgr" else grad) * (space.range / std)


def from_pixels_gradient(space: InputSpace, grad: Tensor) -> Tensor:
    """Return the gradient for coordinates of `space`, of that for the pixels that `to_pixels` made of them.

    Args:
        space: The coordinates.
        grad: (B, 3, H, W).

    Example:
        >>> from stylefarm.shared.spec.space import MATCONVNET
        >>> from_pixels_gradient(MATCONVNET, 255 * torch.ones(1, 3, 1, 1)).flatten().tolist()
        [1.0, 1.0, 1.0]
    """
    if space == PIXELS:
        return grad
    _, std = _moments(space, grad.device, grad.dtype)
    grad = grad * (std / space.range)
    return grad.flip(1) if space.order == "bgr" else grad
