"""The network that predicts the style vector of a picture: MobileNet V2, the mean over all positions, and a matrix.

Sandler et al. 2018 (arXiv 1801.04381), with batch normalization folded into the convolutions, as it was exported.
Paddings are TensorFlow's "same": where they are odd, the larger part is at the end.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from stylefarm.shared.errors import InvalidRequest
from stylefarm.worker.engine.hardware.device import ComputePath

# The strides of the 17 inverted residual blocks.
STRIDES = (1, 2, 1, 2, 1, 1, 2, 1, 1, 1, 1, 1, 1, 2, 1, 1, 1)

# The side to which magenta's program brings the shorter side of a style, and the longest that the other may have here.
STYLE_SIDE = 256
LONGEST_SIDE = 1024

# What ReLU6 ends at.
SIX = 6.0


@dataclass(frozen=True)
class _Convolution:
    weight: Tensor
    bias: Tensor

    def __call__(self, x: Tensor, stride: int = 1, *, relu: bool) -> Tensor:
        side, groups = self.weight.shape[2], x.shape[1] // self.weight.shape[1]
        y = functional.conv2d(_padded(x, side, stride), self.weight, self.bias, stride, groups=groups)
        return y.clamp_(0.0, SIX) if relu else y


class StylePredictor:
    """Predicts style vectors.

    Args:
        tensors: The convolutions: "first", "blocks.N.expand", "blocks.N.depthwise", "blocks.N.project" (N from 0 to 16,
            the first without expand), "last" and "vector", each with ".weight" and ".bias".
        path: The device; the precision is float32, since the network is small.

    Raises:
        InvalidRequest: One is missing.

    Example:
        predictor = StylePredictor(tensors, choose())
        vector = predictor(style)  # (1, 100)
    """

    def __init__(self, tensors: Mapping[str, Tensor], path: ComputePath) -> None:
        self.device = path.device
        self._tensors = tensors
        self.first, self.last, self.vector = (self._taken(name) for name in ("first", "last", "vector"))
        self.blocks: list[tuple[int, Sequence[_Convolution]]] = []
        for number, stride in enumerate(STRIDES):
            parts = ("expand", "depthwise", "project") if number else ("depthwise", "project")
            self.blocks.append((stride, [self._taken(f"blocks.{number}.{part}") for part in parts]))

    @torch.inference_mode()
    def __call__(self, picture: Tensor, mask: Tensor | None = None) -> Tensor:
        """Return the vectors (B, K) of pictures.

        Args:
            picture: (B, 3, H, W) in [0, 1], of any size: magenta's program brings the shorter side to 256.
            mask: Which part of it counts, (1, 1, H, W) in [0, 1]; None for all.
        """
        return self.vectors(picture.to(self.device, torch.float32), mask)

    def vectors(self, picture: Tensor, mask: Tensor | None = None) -> Tensor:
        """Return the same outside of inference mode, as exporters need it.

        Args:
            picture: As above, float32, on the device.
            mask: As above.
        """
        x = picture.contiguous(memory_format=torch.channels_last)
        x = self.first(x, 2, relu=True)
        for stride, convolutions in self.blocks:
            y = x
            for convolution in convolutions[:-1]:
                y = convolution(y, stride if convolution is convolutions[-2] else 1, relu=True)
            y = convolutions[-1](y, relu=False)
            x = x + y if stride == 1 and x.shape[1] == y.shape[1] else y
        x = self.last(x, relu=True)
        if mask is None:
            mean = x.mean((2, 3), keepdim=True)
        else:
            weight = functional.adaptive_avg_pool2d(mask.to(x), (x.shape[2], x.shape[3]))
            mean = (x * weight).sum((2, 3), keepdim=True) / weight.sum().clamp_min(1e-12)
        return self.vector(mean, relu=False)[:, :, 0, 0]

    def _taken(self, name: str) -> _Convolution:
        found = [self._tensors.get(f"{name}.{kind}") for kind in ("weight", "bias")]
        weight, bias = (None if tensor is None else tensor.to(self.device, torch.float32) for tensor in found)
        if weight is None or bias is None or weight.dim() != 4:
            raise InvalidRequest(f"the model lacks the weights of {name} that predict a style: it is damaged")
        return _Convolution(weight.contiguous(memory_format=torch.channels_last), bias)


def sized_style(picture: Tensor) -> Tensor:
    """Return a style at the size that vectors are predicted from: its shorter side 256, as in magenta's program.

    Args:
        picture: (B, 3, H, W), of any size.

    Example:
        >>> tuple(sized_style(torch.zeros(1, 3, 512, 1024)).shape)
        (1, 3, 256, 512)
    """
    height, width = picture.shape[2:]
    scale = min(STYLE_SIDE / min(height, width), LONGEST_SIDE / max(height, width))
    size = (max(1, round(height * scale)), max(1, round(width * scale)))
    if size == (height, width):
        return picture
    return functional.interpolate(picture, size, mode="bilinear", antialias=True).clamp(0, 1)


def _padded(x: Tensor, side: int, stride: int) -> Tensor:
    missing = [max(0, (-(-length // stride) - 1) * stride + side - length) for length in (x.shape[3], x.shape[2])]
    if not any(missing):
        return x
    before = [each // 2 for each in missing]
    return functional.pad(x, (before[0], missing[0] - before[0], before[1], missing[1] - before[1]))
