"""Convolutions of 3 x 3 that are trained: forward and back by Winograd's algorithm, where that is faster."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from stylefarm.worker.engine.networks.conv3x3 import WINOGRAD_POSITIONS, choose_algorithm

# Of fewer channels oneDNN is as fast.
WINOGRAD_CHANNELS = 64


def convolved(x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    """Return a convolution at stride 1 without padding, in a training.

    Args:
        x: (B, C, H, W).
        weight: (K, C, N, N).
        bias: (K,).

    Example:
        >>> tuple(convolved(torch.zeros(1, 2, 6, 6), torch.zeros(4, 2, 3, 3), None).shape)
        (1, 4, 4, 4)
    """
    is_wide = min(weight.shape[:2]) >= WINOGRAD_CHANNELS and weight.shape[2] == 3
    is_large = (x.shape[2] - 2) * (x.shape[3] - 2) >= WINOGRAD_POSITIONS
    # Autocast computes in half precision, which NNPACK has not.
    if (
        is_wide
        and is_large
        and choose_algorithm(x.device, x.dtype) == "winograd"
        and not torch.is_autocast_enabled("cpu")
    ):
        found: Tensor = _Winograd.apply(x, weight, bias)
        return found
    return functional.conv2d(x, weight, bias)


class _Winograd(torch.autograd.Function):
    """A convolution by NNPACK, and the gradient for its input; that for its weights is oneDNN's."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        """Return the convolution."""
        ctx.save_for_backward(x, weight)
        return _by_nnpack(x.contiguous(), weight.contiguous(), bias, 0)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, Tensor | None, Tensor | None]:
        """Return the gradients for the input, the weights and the bias."""
        x, weight = ctx.saved_tensors
        grad = grads[0].contiguous()
        of_x, of_weight, of_bias = ctx.needs_input_grad
        found_x = found_weight = None
        if of_x:
            # A convolution as well, with the weights transposed and turned by half a turn.
            turned = weight.flip(2, 3).transpose(0, 1).contiguous()
            found_x = _by_nnpack(grad, turned, None, 2)
        if of_weight:
            found_weight = torch.ops.aten.convolution_backward(
                grad, x, weight, None, [1, 1], [0, 0], [1, 1], False, [0, 0], 1, [False, True, False]
            )[1]
        return found_x, found_weight, grad.sum((0, 2, 3)) if of_bias else None


def _by_nnpack(x: Tensor, weight: Tensor, bias: Tensor | None, pad: int) -> Tensor:
    # Picture by picture: for several NNPACK uses another algorithm, whose last bits differ.
    nnpack = torch._nnpack_spatial_convolution
    return torch.cat([nnpack(picture, weight, bias, [pad, pad]) for picture in x.split(1)])
