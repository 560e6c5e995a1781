"""What the picture is measured by: pure functions of tensors, one value for each picture of the batch."""

from __future__ import annotations

import torch
from torch import Tensor


def gram(features: Tensor) -> Tensor:
    """The Gram matrix F F^T / (H W) (Gatys 2016, eq. 3) of features (B, C, H, W): (B, C, C), float32.

    Departure from the paper: it is divided by the number of positions, so that pictures of different sizes compare.
    The features are scaled before the product, not after it, so that no sum overflows in half precision.
    """
    flat = features.float().flatten(2)
    flat = flat * flat.shape[2] ** -0.5
    return torch.bmm(flat, flat.transpose(1, 2))


def relative_error(value: Tensor, target: Tensor) -> Tensor:
    """mean((value - target)^2) / mean(target^2) for each of the B pictures: (B,), float32, 0 where they are equal.

    Departure from the paper, where layers are weighed by their size: dividing by the target's mean square makes every
    layer, network and picture size speak in the same unit, so weights carry over between them.
    """
    dimensions = tuple(range(1, target.dim()))
    scale = target.float().square().mean(dimensions).clamp_min(1e-12)
    return (value.float() - target.float()).square().mean(dimensions) / scale


def total_variation(image: Tensor) -> Tensor:
    """The mean squared difference of neighbours, down plus across, of pictures (B, 3, H, W): (B,).

    This is the l2 norm of Mahendran and Vedaldi 2015 (arXiv 1412.0035, eq. 6 with beta = 2), as a mean.
    """
    down = image[..., 1:, :] - image[..., :-1, :]
    across = image[..., :, 1:] - image[..., :, :-1]
    return down.square().mean((1, 2, 3)) + across.square().mean((1, 2, 3))
