"""Convolutions of 3 x 3 with a padding of one, in the fastest way that a device and a precision have.

The gradient for a convolution's input is a convolution too, with the weights transposed and turned by half a circle.
Both are made ready once, and run in each iteration; nothing of it is known to autograd.
"""

from __future__ import annotations

import os
from typing import Any, Literal

import torch
from torch import Tensor
from torch.nn import functional

ConvAlgorithm = Literal["winograd", "onednn", "plain"]

# Below so many positions NNPACK, which transforms the weights anew in each call, is slower than oneDNN.
WINOGRAD_POSITIONS = 32 * 32


def choose_algorithm(device: torch.device, dtype: torch.dtype) -> ConvAlgorithm:
    """How convolutions are computed there.

    `winograd`: NNPACK's F(6 x 6, 3 x 3) (Lavin and Gray 2016, arXiv 1509.09308), a fifth of the multiplications, for
    float32 on a CPU. `onednn`: weights packed for the matrix units, bias and ReLU in the same pass, for bfloat16 on a
    CPU that has it. `plain`: torch's own choice, which on a GPU is cuDNN.
    """
    if device.type != "cpu":
        return "plain"
    if dtype == torch.float32 and torch.backends.nnpack.is_available() and _cores_are_left():
        return "winograd"
    if dtype == torch.bfloat16 and torch.ops.mkldnn._is_mkldnn_bf16_supported():
        return "onednn"
    return "plain"


def _cores_are_left() -> bool:
    """Whether threads of OpenMP leave their cores when they wait; NNPACK, which has its own, is slow beside them."""
    return torch.get_num_threads() == 1 or os.environ.get("OMP_WAIT_POLICY", "").lower() == "passive"


def memory_format(way: ConvAlgorithm, device: torch.device) -> torch.memory_format:
    """How pictures and features lie in memory, that nothing is copied on the way."""
    return torch.channels_last if way == "onednn" or device.type == "cuda" else torch.contiguous_format


class Conv3x3:
    """One convolution: `weight` (K, C, 3, 3) and `bias` (K,), both of one dtype and on one device."""

    def __init__(self, weight: Tensor, bias: Tensor, way: ConvAlgorithm) -> None:
        if way == "winograd" and not torch.backends.nnpack.is_available():  # which also makes NNPACK ready
            raise ValueError("this torch comes without NNPACK, or the processor is too old for it")
        self.way = way
        turned = weight.flip(2, 3).transpose(0, 1).contiguous()
        self.bias = bias.detach()
        self.weight, self.turned = _packed(weight.detach(), way), _packed(turned.detach(), way)
        self.few_outputs = weight.shape[1] < 16

    def __call__(self, x: Tensor, *, relu: bool = False) -> Tensor:
        """Of x (B, C, H, W) what the convolution makes, (B, K, H, W), after a ReLU if that is wanted."""
        return _convolved(x, self.weight, self.bias, self.way, relu=relu)

    def gradient(self, grad: Tensor) -> Tensor:
        """The gradient for x, (B, C, H, W), of the gradient for what was made of it, (B, K, H, W)."""
        # The transform of the many inputs is too much for the three outputs of the picture.
        way = "plain" if self.few_outputs and self.way == "winograd" else self.way
        return _convolved(grad, self.turned, None, way, relu=False)


def _packed(weight: Tensor, way: ConvAlgorithm) -> Tensor:
    if way != "onednn":
        return weight.contiguous(memory_format=memory_format(way, weight.device))
    # The size of the input is a hint for the choice of a layout; any will do.
    shape = [1, weight.shape[1], 256, 256]
    nn: Any = torch._C._nn  # torch's own stubs do not know the last argument
    reordered: Tensor = nn.mkldnn_reorder_conv2d_weight(weight.to_mkldnn(), [1, 1], [1, 1], [1, 1], 1, shape)
    return reordered


def _convolved(x: Tensor, weight: Tensor, bias: Tensor | None, way: ConvAlgorithm, *, relu: bool) -> Tensor:
    if way == "onednn":
        after = "relu" if relu else "none"
        fused: Tensor = torch.ops.mkldnn._convolution_pointwise(
            x, weight, bias, [1, 1], [1, 1], [1, 1], 1, after, [], ""
        )
        return fused
    if way == "winograd" and x.shape[2] * x.shape[3] >= WINOGRAD_POSITIONS:
        # Picture by picture: for several NNPACK takes another way, whose last bits differ.
        alone = [torch._nnpack_spatial_convolution(picture, weight, bias, [1, 1]) for picture in x.split(1)]
        y = alone[0] if len(alone) == 1 else torch.cat(alone)
    else:
        y = functional.conv2d(x, weight, bias, padding=1)
    return y.relu_() if relu else y
