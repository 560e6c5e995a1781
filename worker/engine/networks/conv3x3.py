"""Convolutions of 3 x 3 with a padding of one, by the fastest algorithm for a device and a precision.

The gradient for a convolution's input is a convolution as well, with the weights transposed and rotated by half a turn.
Both are prepared once and run in each iteration, without autograd.
"""

from __future__ import annotations

import os
from typing import Any, Literal

import torch
from torch import Tensor
from torch.nn import functional

ConvAlgorithm = Literal["winograd", "onednn", "plain"]

# Below this number of positions NNPACK, which transforms the weights in each call, is slower than oneDNN.
WINOGRAD_POSITIONS = 32 * 32


def choose_algorithm(device: torch.device, dtype: torch.dtype) -> ConvAlgorithm:
    """Return how convolutions are computed on a device in a precision.

    Args:
        device: Where the convolutions run.
        dtype: What they compute in.

    Returns:
        "winograd": NNPACK's F(6 x 6, 3 x 3), a fifth of the multiplications, for float32 on a CPU. "onednn": weights
        packed for the matrix units, bias and ReLU in the same kernel, for bfloat16 on a CPU that has it. "plain":
        torch's own choice, which on a GPU is cuDNN.

    Source:
        Lavin and Gray 2016 (arXiv 1509.09308).

    Example:
        >>> choose_algorithm(torch.device("cpu"), torch.float64)
        'plain'
    """
    if device.type != "cpu":
        return "plain"
    if dtype == torch.float32 and torch.backends.nnpack.is_available() and _openmp_releases_cores():
        return "winograd"
    if dtype == torch.bfloat16 and torch.ops.mkldnn._is_mkldnn_bf16_supported():
        return "onednn"
    return "plain"


def _openmp_releases_cores() -> bool:
    """Return whether waiting threads of OpenMP leave their cores; NNPACK, which has its own threads, needs them."""
    return torch.get_num_threads() == 1 or os.environ.get("OMP_WAIT_POLICY", "").lower() == "passive"


def memory_format(algorithm: ConvAlgorithm, device: torch.device) -> torch.memory_format:
    """Return the memory format of images and features with which no convolution copies its input.

    Args:
        algorithm: How the convolutions are computed.
        device: Where they run.

    Example:
        >>> memory_format("onednn", torch.device("cpu"))
        torch.channels_last
    """
    return torch.channels_last if algorithm == "onednn" or device.type == "cuda" else torch.contiguous_format


class Conv3x3:
    """One convolution with its input gradient.

    Args:
        weight: (K, C, 3, 3).
        bias: (K,), of the same dtype and on the same device.
        algorithm: How it is computed.

    Raises:
        ValueError: NNPACK is asked for and not available.

    Example:
        >>> conv = Conv3x3(torch.ones(1, 1, 3, 3), torch.zeros(1), "plain")
        >>> conv(torch.ones(1, 1, 3, 3))[0, 0].tolist()
        [[4.0, 6.0, 4.0], [6.0, 9.0, 6.0], [4.0, 6.0, 4.0]]
    """

    def __init__(self, weight: Tensor, bias: Tensor, algorithm: ConvAlgorithm) -> None:
        if algorithm == "winograd" and not torch.backends.nnpack.is_available():  # which also initializes NNPACK
            raise ValueError("this torch comes without NNPACK, or the processor is too old for it")
        self.algorithm = algorithm
        transposed = weight.flip(2, 3).transpose(0, 1).contiguous()
        self.bias = bias.detach()
        self.weight, self.transposed = _packed(weight.detach(), algorithm), _packed(transposed.detach(), algorithm)
        self.few_inputs = weight.shape[1] < 16

    def __call__(self, x: Tensor, *, relu: bool = False) -> Tensor:
        """Return the convolution (B, K, H, W) of x (B, C, H, W), after a ReLU if `relu`."""
        return _convolved(x, self.weight, self.bias, self.algorithm, relu=relu)

    def gradient(self, grad: Tensor) -> Tensor:
        """Return the gradient for x, (B, C, H, W), of that for the output, (B, K, H, W)."""
        # Winograd's transform of many channels does not pay for the three channels of the image.
        algorithm = "plain" if self.few_inputs and self.algorithm == "winograd" else self.algorithm
        return _convolved(grad, self.transposed, None, algorithm, relu=False)


def _packed(weight: Tensor, algorithm: ConvAlgorithm) -> Tensor:
    if algorithm != "onednn":
        return weight.contiguous(memory_format=memory_format(algorithm, weight.device))
    # The size of the input is a hint for the choice of a layout; any will do.
    shape = [1, weight.shape[1], 256, 256]
    nn: Any = torch._C._nn  # torch's own stubs do not know the last argument
    reordered: Tensor = nn.mkldnn_reorder_conv2d_weight(weight.to_mkldnn(), [1, 1], [1, 1], [1, 1], 1, shape)
    return reordered


def _convolved(x: Tensor, weight: Tensor, bias: Tensor | None, algorithm: ConvAlgorithm, *, relu: bool) -> Tensor:
    if algorithm == "onednn":
        after = "relu" if relu else "none"
        fused: Tensor = torch.ops.mkldnn._convolution_pointwise(
            x, weight, bias, [1, 1], [1, 1], [1, 1], 1, after, [], ""
        )
        return fused
    if algorithm == "winograd" and x.shape[2] * x.shape[3] >= WINOGRAD_POSITIONS:
        # Image by image: for several NNPACK uses another algorithm, whose last bits differ.
        each = [torch._nnpack_spatial_convolution(image, weight, bias, [1, 1]) for image in x.split(1)]
        y = each[0] if len(each) == 1 else torch.cat(each)
    else:
        y = functional.conv2d(x, weight, bias, padding=1)
    return y.relu_() if relu else y
