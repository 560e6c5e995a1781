"""A convolution of a trunk prepared for many passes without autograd, over all rows of its output or some of them."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from stylefarm.worker.engine.feedforward.edges import copied_with_edges, edge_indices
from stylefarm.worker.engine.feedforward.normalization import EPSILON, Norm
from stylefarm.worker.engine.feedforward.rewrites import FEW_CHANNELS, fours, phases
from stylefarm.worker.engine.feedforward.trunk import ConvLayer
from stylefarm.worker.engine.feedforward.trunk_shape import Edge
from stylefarm.worker.engine.hardware.device import ComputePath
from stylefarm.worker.engine.networks.conv3x3 import WINOGRAD_POSITIONS

# Of fewer channels of input, as of a picture's three, NNPACK is not faster than oneDNN.
NNPACK_CHANNELS = 16


class PreparedLayer:
    """A `ConvLayer` in a precision, on a device; batch normalization is a part of its weights.

    Three rewrites leave the result as it is. A convolution of 3 x 3 after a repetition of each position is four of 2 x
    2, one for each of the four, with sums of its weights. One of few channels gives four positions at once, as one of
    stride 2 with four times the channels. In float32 on a CPU those of 3 x 3 and stride 1 are computed by NNPACK.

    Args:
        layer: The convolution.
        path: The device and the precision.

    Example:
        >>> from stylefarm.worker.engine.hardware.device import ComputePath
        >>> path = ComputePath(torch.device("cpu"), "fp32")
        >>> layer = PreparedLayer(ConvLayer(3, 4, 3, enlarges="nearest"), path)
        >>> tuple(layer.whole(torch.rand(1, 3, 8, 8)).shape)
        (1, 4, 16, 16)
    """

    def __init__(self, layer: ConvLayer, path: ComputePath) -> None:
        norm = layer.norm
        weight, bias = _folded(layer, norm)
        self.norm: Norm | None = None if norm is None or norm.kind == "batch" else norm
        self.relu = layer.relu
        self.enlarges = layer.enlarges
        self.stride = 1 if layer.enlarges else layer.conv.stride[0]
        self.kernel = layer.conv.kernel_size[0]
        self.pad = layer.pad
        self.outputs = layer.conv.out_channels
        self.edge: Edge = layer.edge or "zeros"
        on_cpu = path.device.type == "cpu"
        plain = self.stride == 1 and layer.enlarges is None
        self.by_nnpack = (
            path.algorithm == "winograd" and plain and self.kernel == 3 and layer.conv.in_channels >= NNPACK_CHANNELS
        )
        self.by_fours = on_cpu and plain and self.outputs <= FEW_CHANNELS and not self.by_nnpack
        if layer.enlarges == "nearest":
            # Over an edge that reflects stands what the outermost repeats.
            self.edge = "zeros" if self.edge == "zeros" else "replicate"
        self.format = torch.contiguous_format if self.by_nnpack else torch.channels_last
        weights = phases(weight) if layer.enlarges == "nearest" else [fours(weight) if self.by_fours else weight]
        self.weights = [each.to(path.device, path.dtype).contiguous(memory_format=self.format) for each in weights]
        bias = bias.repeat_interleave(4) if self.by_fours and bias is not None else bias
        self.bias = None if bias is None else bias.to(path.device, path.dtype)

    def height(self, height: int) -> int:
        """Return the rows of the output of so many."""
        if self.enlarges is not None:
            return 2 * height
        return (height + 2 * self.pad - self.kernel) // self.stride + 1

    def whole(self, x: Tensor) -> Tensor:
        """Return the convolution (B, K, H', W') of x (B, C, H, W)."""
        pad = self._pad_of_source
        height = self.height(x.shape[2])
        return self._convolved(copied_with_edges(x, pad, pad, self.edge, self.format), 0, height)

    def needed(self, start: int, stop: int, height: int) -> Tensor:
        """Return which rows of the input, one after the other, are needed for rows of the output; -1 for one of zeros.

        Args:
            start: First row of the output; even, where four positions are computed at once.
            stop: After its last row; even as well.
            height: Rows of the whole input.
        """
        if self.enlarges == "nearest":
            return edge_indices(start // 2 - 1, (stop + 1) // 2 + 1, height, self.edge)
        if self.enlarges == "transposed":
            first, last = -((self.kernel - 1 - start - self.pad) // 2), (stop - 1 + self.pad) // 2
            return torch.arange(max(0, first), min(height, last + 1))
        begin = start * self.stride - self.pad
        return edge_indices(begin, begin + (stop - start - 1) * self.stride + self.kernel, height, self.edge)

    def rows(self, x: Tensor, start: int, stop: int, height: int) -> Tensor:
        """Return rows of the convolution.

        Args:
            x: The rows of the input that `needed` names, (B, C, N, W).
            start: First row of the output.
            stop: After its last row.
            height: Rows of the whole input.
        """
        pad = self._pad_of_source
        first = int(self.needed(start, stop, height)[0]) if self.enlarges == "transposed" else 0
        x = copied_with_edges(x, pad, 0, self.edge, self.format)
        return self._convolved(x, start - 2 * first, stop - 2 * first)

    @property
    def _pad_of_source(self) -> int:
        if self.enlarges == "transposed":
            return 0
        return 1 if self.enlarges == "nearest" else self.pad

    def _convolved(self, x: Tensor, start: int, stop: int) -> Tensor:
        """Return the convolution of what is padded; of a transposed one, rows from `start` to `stop` of it."""
        if self.enlarges == "transposed":
            y = functional.conv_transpose2d(x, self.weights[0], self.bias, 2, (0, self.pad), (0, 1))
            return y[:, :, start + self.pad : stop + self.pad]
        if self.enlarges == "nearest":
            return self._by_phases(x)[:, :, : stop - start]
        if self.by_fours:
            y = functional.conv2d(x, self.weights[0], self.bias, stride=2)
            return functional.pixel_shuffle(y, 2)
        if self.by_nnpack and x.shape[2] * x.shape[3] >= WINOGRAD_POSITIONS:
            # Picture by picture: for several NNPACK uses another algorithm, whose last bits differ.
            nnpack = torch._nnpack_spatial_convolution
            each = [nnpack(picture, self.weights[0], self.bias, [0, 0]) for picture in x.split(1)]
            return each[0] if len(each) == 1 else torch.cat(each)
        return functional.conv2d(x, self.weights[0], self.bias, stride=self.stride)

    def _by_phases(self, x: Tensor) -> Tensor:
        rows, columns = x.shape[2] - 2, x.shape[3] - 2
        shape = (x.shape[0], self.outputs, 2 * rows, 2 * columns)
        y = torch.empty(shape, dtype=x.dtype, device=x.device, memory_format=self.format)
        for index, weight in enumerate(self.weights):
            a, b = divmod(index, 2)
            part = x[:, :, a : a + rows + 1, b : b + columns + 1]
            y[:, :, a::2, b::2] = functional.conv2d(part, weight, self.bias)
        return y


def _folded(layer: ConvLayer, norm: Norm | None) -> tuple[Tensor, Tensor | None]:
    """Return weight and bias, with batch normalization in them, and without a bias that normalization takes away."""
    weight, bias = layer.conv.weight.detach().float(), layer.conv.bias
    bias = None if bias is None else bias.detach().float()
    if norm is None:
        return weight, bias
    if norm.kind != "batch":
        return weight, None
    factor = norm.weight * (norm.running_var + EPSILON).rsqrt()
    shift = norm.bias + ((0 if bias is None else bias) - norm.running_mean) * factor
    where = (1, -1, 1, 1) if layer.enlarges == "transposed" else (-1, 1, 1, 1)
    return weight * factor.view(where), shift
