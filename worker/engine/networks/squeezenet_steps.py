"""The steps of SqueezeNet, prepared for many passes without autograd: each computes its output and its gradient.

Features are held in the channels-last format, in which a 1 x 1 convolution is a product of matrices, and the two halves
of a fire module are written side by side. The tests compare these gradients with autograd's.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

import torch
from torch import Tensor
from torch.nn import functional

from stylefarm.worker.engine.networks.squeezenet import FireModule, FirstConvolution, Pool3x3
from stylefarm.worker.engine.networks.vgg_backbone import relu_grad
from stylefarm.worker.engine.products import add_product, multiply

Grad = Callable[[Tensor], Tensor]
"""Returns the gradient for a step's input of that for its output, which it may change."""

# A convolution of fewer output channels leaves lanes of the processor's vectors empty; the others are zero.
VECTOR_CHANNELS = 16


class Step(Protocol):
    """One step of the network: a convolution with its ReLU, a fire module, or a pooling."""

    def rows_needed(self, start: int, stop: int, height: int) -> tuple[int, int]:
        """Return the rows of an input of that height by which rows `start` to `stop` of the output are exact.

        Args:
            start: First row of the output.
            stop: Last row of the output, exclusive.
            height: Rows of the whole input.
        """
        ...

    def first_row(self, start: int) -> int:
        """Return which row of the output is the first that is computed of an input that begins at row `start`."""
        ...

    def size(self, length: int) -> int:
        """Return the rows of the output for so many of the input, or columns for columns."""
        ...

    def forward(self, x: Tensor) -> tuple[Tensor, Grad]:
        """Return the output (B, K, H', W') of x (B, C, H, W), both channels-last, and its gradient."""
        ...

    def bytes_per_row(self, width: int, itemsize: int) -> int:
        """Return the bytes of what a row of the output leaves until the backward pass, `width` positions wide."""
        ...


class FirstStep:
    """The first convolution and its ReLU.

    Args:
        convolution: The convolution, with its weights.
        keeps_negative: Whether its output before the ReLU is wanted, too, which is then a layer.
    """

    def __init__(self, convolution: FirstConvolution, *, keeps_negative: bool) -> None:
        self.weight = convolution.kernel().contiguous(memory_format=torch.channels_last)
        self.bias = convolution.bias
        self.side: int = self.weight.shape[2]
        self.keeps_negative = keeps_negative
        self.phases = _phase_weight(self.weight)

    def rows_needed(self, start: int, stop: int, height: int) -> tuple[int, int]:
        """Return the rows below the kernel."""
        return 2 * start, 2 * (stop - 1) + self.side

    def first_row(self, start: int) -> int:
        """Return half of it."""
        return start // 2

    def size(self, length: int) -> int:
        """Return the places of a kernel that does not leave the image, at stride 2."""
        return (length - self.side) // 2 + 1

    def forward(self, x: Tensor) -> tuple[Tensor, Grad]:
        """Return the output, before the ReLU if that is wanted, and the gradient for it."""
        y = functional.conv2d(x, self.weight, self.bias, stride=2)
        height, width = x.shape[2:]
        if self.keeps_negative:
            return y, lambda grad: self._grad(grad, height, width)
        y = y.relu_()
        return y, lambda grad: self._grad(relu_grad(grad, y), height, width)

    def bytes_per_row(self, width: int, itemsize: int) -> int:
        """Return the bytes of the output, twice where it is kept before and after the ReLU."""
        return self.weight.shape[0] * width * itemsize * (2 if self.keeps_negative else 1)

    def _grad(self, grad: Tensor, height: int, width: int) -> Tensor:
        # The transposed convolution, at stride 2, is one at stride 1 to the four phases of the pixels.
        phases = functional.conv2d(grad, self.phases, padding=1)[:, :12].unflatten(1, (3, 2, 2))
        rows, columns = 2 * phases.shape[4], 2 * phases.shape[5]
        pixels = grad.new_empty(grad.shape[0], 3, rows, columns)
        pixels.view(-1, 3, rows // 2, 2, columns // 2, 2).copy_(phases.permute(0, 1, 4, 2, 5, 3))
        # What the kernel does not reach has no gradient; of one that is 3 wide, the fourth row may lie outside.
        missing = (0, width - columns, 0, height - rows)
        return functional.pad(pixels, missing) if any(missing) else pixels


def _phase_weight(weight: Tensor) -> Tensor:
    """Return the kernels (16, K, 2, 2) of the gradient for the 12 channels of `pixel_unshuffle`; 4 are zero."""
    outputs, inputs, side, _ = weight.shape
    whole = functional.pad(weight, (0, 4 - side, 0, 4 - side))
    # (K, C, row, phase of the row, column, phase of the column)
    parts = whole.reshape(outputs, inputs, 2, 2, 2, 2).permute(1, 3, 5, 0, 2, 4)
    kernels = parts.reshape(4 * inputs, outputs, 2, 2).flip(2, 3)
    padded = functional.pad(kernels, (0, 0, 0, 0, 0, 0, 0, VECTOR_CHANNELS - 4 * inputs))
    return padded.contiguous(memory_format=torch.channels_last)


class FireStep:
    """A fire module.

    Args:
        fire: The module, with its weights.
    """

    def __init__(self, fire: FireModule) -> None:
        self.squeeze = fire.squeeze.weight[:, :, 0, 0].contiguous()
        self.expand1x1 = fire.expand1x1.weight[:, :, 0, 0].contiguous()
        self.expand3x3 = fire.expand3x3.weight.contiguous(memory_format=torch.channels_last)
        self.turned_squeeze, self.turned1x1 = self.squeeze.T.contiguous(), self.expand1x1.T.contiguous()
        turned = fire.expand3x3.weight.flip(2, 3).transpose(0, 1)
        self.turned3x3 = turned.contiguous(memory_format=torch.channels_last)
        self.biases = tuple(part.bias for part in (fire.squeeze, fire.expand1x1, fire.expand3x3))
        self.half: int = self.expand1x1.shape[0]

    def rows_needed(self, start: int, stop: int, height: int) -> tuple[int, int]:
        """Return one row more on either side."""
        return max(0, start - 1), min(height, stop + 1)

    def first_row(self, start: int) -> int:
        """Return the same row."""
        return start

    def size(self, length: int) -> int:
        """Return the same length."""
        return length

    def forward(self, x: Tensor) -> tuple[Tensor, Grad]:
        """Return the output and its gradient."""
        squeeze, bias1x1, bias3x3 = self.biases
        z = _pointwise(x, self.squeeze, squeeze).relu_()
        shape = (x.shape[0], 2 * self.half, *x.shape[2:])
        y = torch.empty(shape, dtype=x.dtype, device=x.device, memory_format=torch.channels_last)
        left, right = y[:, : self.half], y[:, self.half :]
        torch.clamp_min(_pointwise(z, self.expand1x1, bias1x1), 0, out=left)
        torch.clamp_min(functional.conv2d(z, self.expand3x3, bias3x3, padding=1), 0, out=right)
        return y, lambda grad: self._grad(grad, y, z)

    def bytes_per_row(self, width: int, itemsize: int) -> int:
        """Return the bytes of the output and of the squeezed features."""
        return (2 * self.half + self.squeeze.shape[0]) * width * itemsize

    def _grad(self, grad: Tensor, y: Tensor, z: Tensor) -> Tensor:
        grad = relu_grad(grad, y)
        squeezed = functional.conv2d(grad[:, self.half :], self.turned3x3, padding=1)
        squeezed = squeezed.contiguous(memory_format=torch.channels_last)
        add_product(_positions(squeezed), _positions(grad)[:, : self.half], self.turned1x1)
        return _features(multiply(_positions(relu_grad(squeezed, z)), self.turned_squeeze), z)


class PoolStep:
    """A pooling.

    Args:
        pool: Its kind.
        channels: Channels of its input.
        dtype: The dtype of the features.
        device: Their device.
    """

    def __init__(self, pool: Pool3x3, channels: int, dtype: torch.dtype, device: torch.device) -> None:
        self.pool = pool
        self.channels = channels
        weights = pool.weights(dtype, device)
        # A linear pooling is a convolution of each channel by itself, whose gradient needs nothing of the input.
        self.kernel = None if weights is None else weights.expand(channels, 1, 3, 3).contiguous()

    def rows_needed(self, start: int, stop: int, height: int) -> tuple[int, int]:
        """Return the rows of the windows."""
        return 2 * start, 2 * stop + 1

    def first_row(self, start: int) -> int:
        """Return half of it."""
        return start // 2

    def size(self, length: int) -> int:
        """Return the places of a window that does not leave the image."""
        return (length - 1) // 2

    def forward(self, x: Tensor) -> tuple[Tensor, Grad]:
        """Return the output and its gradient."""
        if self.kernel is not None:
            return self._linear(x, self.kernel)
        with torch.enable_grad():
            leaf = x.detach().requires_grad_()
            y = self.pool(leaf)
        return y.detach(), lambda grad: torch.autograd.grad(y, leaf, grad)[0]

    def bytes_per_row(self, width: int, itemsize: int) -> int:
        """Return the bytes of the output; of a pooling that is not linear also what autograd keeps of its input."""
        return self.channels * width * itemsize * (1 if self.kernel is not None else 8)

    def _linear(self, x: Tensor, kernel: Tensor) -> tuple[Tensor, Grad]:
        height, width = x.shape[2:]

        def grad_of(grad: Tensor) -> Tensor:
            spread = self._spread(grad, kernel)
            rows, columns = height - spread.shape[2], width - spread.shape[3]
            return functional.pad(spread, (0, columns, 0, rows)) if rows or columns else spread

        return functional.conv2d(x, kernel, stride=2, groups=self.channels), grad_of

    def _spread(self, grad: Tensor, kernel: Tensor) -> Tensor:
        # oneDNN has no transposed convolution of single channels in half precision; what stands in for it takes many
        # times as long as that in float32 with both casts.
        wide = torch.float32 if grad.device.type == "cpu" and grad.itemsize < 4 else grad.dtype
        spread = functional.conv_transpose2d(grad.to(wide), kernel.to(wide), stride=2, groups=self.channels)
        return spread.to(grad.dtype)


def _pointwise(x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    """Return the 1 x 1 convolution of x (B, C, H, W), channels-last, with a weight (K, C)."""
    return _features(multiply(_positions(x), weight, bias), x)


def _positions(x: Tensor) -> Tensor:
    """Return the feature vectors of x (B, C, H, W), channels-last, as a view (B H W, C)."""
    return x.permute(0, 2, 3, 1).reshape(-1, x.shape[1])


def _features(positions: Tensor, like: Tensor) -> Tensor:
    """Return feature vectors (B H W, K) as (B, K, H, W), channels-last, with the positions of `like`."""
    return positions.view(like.shape[0], *like.shape[2:], -1).permute(0, 3, 1, 2)
