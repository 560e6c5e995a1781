"""The steps of a chain: layers with their tensors, ready to run, what they read and what they hold."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal, Protocol

import torch
from torch import Tensor
from torch.nn import functional

from stylefarm.worker.engine.networks.conv3x3 import choose_algorithm


class Step(Protocol):
    """A layer, or two that are computed as one, with its tensors."""

    def forward(self, x: Tensor) -> Tensor:
        """Return the output of x (B, C, H, W)."""
        ...

    def rows_needed(self, start: int, stop: int) -> tuple[int, int]:
        """Return the rows of the input that rows `start` to `stop` of the output depend on, also beyond its ends."""
        ...

    def shape(self, shape: tuple[int, int, int]) -> tuple[int, int, int]:
        """Return channels, height and width of the output for those of the input."""
        ...

    def work(self, shape: tuple[int, int, int]) -> int:
        """Return how many numbers it holds at once, for one picture: input, output, and what lies between."""
        ...


def reflected(x: Tensor, width: int) -> Tensor:
    """Return x with that many rows and columns more on each side, mirrored at the outermost ones.

    Rows that are fewer than that cannot be mirrored, and are repeated.

    Args:
        x: (B, C, H, W).
        width: At least 0.

    Example:
        >>> reflected(torch.tensor([[[[1.0, 2.0]]]]), 1)[0, 0, 0].tolist()
        [2.0, 1.0, 2.0, 1.0]
    """
    if width == 0:
        return x
    if min(x.shape[2:]) > width:
        return functional.pad(x, (width, width, width, width), "reflect")
    rows = "reflect" if x.shape[2] > width else "replicate"
    columns = "reflect" if x.shape[3] > width else "replicate"
    return functional.pad(functional.pad(x, (0, 0, width, width), rows), (width, width, 0, 0), columns)


class Convolve:
    """A convolution with its padding, and a ReLU.

    Args:
        weight: (K, C, side, side).
        bias: (K,).
        relu: Whether there is a ReLU.
        stride: Positions from one place of the kernel to the next.
    """

    def __init__(self, weight: Tensor, bias: Tensor, relu: bool, stride: int = 1) -> None:
        self.weight = weight.contiguous(memory_format=torch.channels_last)
        self.bias, self.relu, self.stride = bias, relu, stride
        self.margin = weight.shape[2] // 2

    def forward(self, x: Tensor) -> Tensor:
        """Return the convolution."""
        y = functional.conv2d(reflected(x, self.margin), self.weight, self.bias, self.stride)
        return y.relu_() if self.relu else y

    def rows_needed(self, start: int, stop: int) -> tuple[int, int]:
        """Return the rows below the kernels."""
        return start * self.stride - self.margin, (stop - 1) * self.stride + self.margin + 1

    def shape(self, shape: tuple[int, int, int]) -> tuple[int, int, int]:
        """Return the shape; a last odd row has a place of its own."""
        return self.weight.shape[0], -(-shape[1] // self.stride), -(-shape[2] // self.stride)

    def work(self, shape: tuple[int, int, int]) -> int:
        """Return input, padded input and output."""
        around = _padded(shape, self.margin) if self.margin else 0
        return _size(shape) + around + _size(self.shape(shape))


class PackedConvolve(Convolve):
    """A convolution by oneDNN's kernels for channels-last features, with packed weights, and the ReLU in the same pass.

    Of large features no padded copy is made: the kernel pads with zeros, and what that changes, the outermost rows and
    columns, is computed anew from the few around them.

    Args:
        convolution: The convolution, of stride 1.
    """

    # Numbers of an input from which on its padded copy takes longer than the borders.
    LARGE = 1 << 21

    def __init__(self, convolution: Convolve) -> None:
        super().__init__(convolution.weight, convolution.bias, convolution.relu, convolution.stride)
        self.unpadded = packed(self.weight, 0)
        self.zero_padded = packed(self.weight, self.margin) if self.margin else self.unpadded

    @classmethod
    def suits(cls, convolution: Convolve) -> bool:
        """Return whether the kernels exist for this device and precision."""
        weight = convolution.weight
        if weight.device.type != "cpu" or convolution.stride != 1 or not torch.backends.mkldnn.is_available():
            return False
        half = weight.dtype == torch.bfloat16 and bool(torch.ops.mkldnn._is_mkldnn_bf16_supported())
        return weight.dtype == torch.float32 or half

    def forward(self, x: Tensor) -> Tensor:
        """Return the convolution."""
        x = x.contiguous(memory_format=torch.channels_last)
        if self.margin != 1 or x[0].numel() < self.LARGE:
            return self._run(reflected(x, self.margin), self.unpadded, 0)
        y = self._run(x, self.zero_padded, self.margin)
        batch, _, height, width = x.shape
        rows = torch.cat([x[:, :, [1, 0, 1]], x[:, :, [height - 2, height - 1, height - 2]]])
        columns = torch.cat([x[..., [1, 0, 1]], x[..., [width - 2, width - 1, width - 2]]])
        rows = self._run(functional.pad(rows, (1, 1, 0, 0), "reflect"), self.unpadded, 0)
        columns = self._run(functional.pad(columns, (0, 0, 1, 1), "reflect"), self.unpadded, 0)
        y[:, :, 0], y[:, :, -1] = rows[:batch, :, 0], rows[batch:, :, 0]
        y[..., 0], y[..., -1] = columns[:batch, ..., 0], columns[batch:, ..., 0]
        return y

    def _run(self, x: Tensor, weight: Tensor, padding: int) -> Tensor:
        return packed_convolution(x, weight, self.bias, padding, relu=self.relu)


def packed(weight: Tensor, padding: int) -> Tensor:
    """Return a weight (K, C, side, side) as oneDNN's kernels have it.

    Args:
        weight: The weight, on the CPU.
        padding: Zeros around the input.
    """
    # The size of the input is a hint for the choice of a layout; any will do.
    shape = [1, weight.shape[1], 256, 256]
    nn: Any = torch._C._nn  # torch's own stubs do not know the last argument
    reordered: Tensor = nn.mkldnn_reorder_conv2d_weight(
        weight.detach().to_mkldnn(), [padding] * 2, [1, 1], [1, 1], 1, shape
    )
    return reordered


def packed_convolution(x: Tensor, weight: Tensor, bias: Tensor, padding: int, *, relu: bool) -> Tensor:
    """Return the convolution with a packed weight, after a ReLU if `relu`.

    Args:
        x: (B, C, H, W), channels-last.
        weight: What `packed` returned for that padding.
        bias: (K,).
        padding: Zeros around the input.
        relu: Whether there is a ReLU.
    """
    after = "relu" if relu else "none"
    x = x.contiguous(memory_format=torch.channels_last)
    found: Tensor = torch.ops.mkldnn._convolution_pointwise(
        x, weight, bias, [padding] * 2, [1, 1], [1, 1], 1, after, [], ""
    )
    return found


class WideConvolve(Convolve):
    """A convolution of many channels by NNPACK's F(6 x 6, 3 x 3), a fifth of the multiplications.

    Args:
        convolution: The convolution.

    Source:
        Lavin and Gray 2016 (arXiv 1509.09308).
    """

    # Of fewer channels, or positions, oneDNN's convolution is as fast.
    CHANNELS = 128
    POSITIONS = 2048

    def __init__(self, convolution: Convolve) -> None:
        super().__init__(convolution.weight, convolution.bias, convolution.relu)
        self.rows = convolution.weight.contiguous()

    @classmethod
    def suits(cls, convolution: Convolve) -> bool:
        """Return whether it is faster than the convolution itself, on this device in this precision."""
        weight = convolution.weight
        fits = weight.shape[2] == 3 and convolution.stride == 1 and weight.shape[1] >= cls.CHANNELS
        return fits and choose_algorithm(weight.device, weight.dtype) == "winograd"

    def forward(self, x: Tensor) -> Tensor:
        """Return the convolution."""
        if x.shape[2] * x.shape[3] < self.POSITIONS:
            return super().forward(x)
        padded = reflected(x.contiguous(), 1)
        # Picture by picture: for several NNPACK uses another algorithm, whose last bits differ.
        each = [torch._nnpack_spatial_convolution(one, self.rows, self.bias, [0, 0]) for one in padded.split(1)]
        y = each[0] if len(each) == 1 else torch.cat(each)
        return y.relu_() if self.relu else y

    def work(self, shape: tuple[int, int, int]) -> int:
        """Return what a convolution holds, and as much again for the transformed tiles."""
        return 2 * super().work(shape)


class UpConvolve:
    """Each position twice in both directions, then a 3 x 3 convolution, as one of 2 x 2 to four phases.

    A kernel of 3 meets two rows of the smaller picture at any phase. With weights that are summed beforehand there are
    16 multiplications per position of the smaller picture in place of 36. The enlarged picture's reflection repeats
    the outermost rows of the smaller one.

    Args:
        convolution: The convolution.
    """

    def __init__(self, convolution: Convolve) -> None:
        weight = convolution.weight
        # Which of two rows each row of the kernel meets: at the first phase the row above, and its own twice.
        meets = torch.tensor([[[1, 0, 0], [0, 1, 1]], [[1, 1, 0], [0, 0, 1]]], dtype=weight.dtype, device=weight.device)
        phases = torch.einsum("ayi,bxj,ocij->abocyx", meets, meets, weight)
        self.weight = phases.flatten(0, 2).contiguous(memory_format=torch.channels_last)
        self.bias = convolution.bias.repeat(4)
        self.relu, self.channels = convolution.relu, weight.shape[0]
        self.packed = packed(self.weight, 0) if PackedConvolve.suits(convolution) else None

    def forward(self, x: Tensor) -> Tensor:
        """Return the convolution of the enlarged picture."""
        batch, _, height, width = x.shape
        around = functional.pad(x, (1, 1, 1, 1), "replicate")
        if self.packed is not None:
            phases = packed_convolution(around, self.packed, self.bias, 0, relu=self.relu)
        else:
            phases = functional.conv2d(around, self.weight, self.bias)
            phases = phases.relu_() if self.relu else phases
        y = torch.empty(
            (batch, self.channels, 2 * height, 2 * width),
            dtype=x.dtype,
            device=x.device,
            memory_format=torch.channels_last,
        )
        for number, phase in enumerate(phases.split(self.channels, 1)):
            a, b = divmod(number, 2)
            y[:, :, a::2, b::2] = phase[:, :, a : a + height, b : b + width]
        return y

    def rows_needed(self, start: int, stop: int) -> tuple[int, int]:
        """Return the rows below the kernels."""
        return (start - 1) // 2, stop // 2 + 1

    def shape(self, shape: tuple[int, int, int]) -> tuple[int, int, int]:
        """Return twice the height and width."""
        return self.channels, 2 * shape[1], 2 * shape[2]

    def work(self, shape: tuple[int, int, int]) -> int:
        """Return input, padded input, phases and output."""
        return _size(shape) + _padded(shape, 1) + _padded((4 * self.channels, *shape[1:]), 1) + _size(self.shape(shape))


class FireModule:
    """A fire module of SqueezeNet.

    Args:
        squeeze: Its first convolution, 1 x 1.
        expand: The two convolutions of that, 1 x 1 and 3 x 3, side by side.
    """

    def __init__(self, squeeze: Convolve, expand: Sequence[Convolve]) -> None:
        self.squeeze, self.expand = squeeze, tuple(expand)

    def forward(self, x: Tensor) -> Tensor:
        """Return the outputs of both, one after the other."""
        x = self.squeeze.forward(x)
        return torch.cat([part.forward(x) for part in self.expand], 1)

    def rows_needed(self, start: int, stop: int) -> tuple[int, int]:
        """Return one row more on either side."""
        return start - 1, stop + 1

    def shape(self, shape: tuple[int, int, int]) -> tuple[int, int, int]:
        """Return the channels of both."""
        return sum(part.weight.shape[0] for part in self.expand), shape[1], shape[2]

    def work(self, shape: tuple[int, int, int]) -> int:
        """Return input, squeezed input, and the outputs twice."""
        return _size(shape) + _padded(self.squeeze.shape(shape), 1) * 2 + 2 * _size(self.shape(shape))


class Shrink:
    """Pooling by two.

    A last odd row has a window of its own, as with ceil_mode: half of an even size is what a decoder enlarges again.
    Departure from SqueezeNet, which leaves incomplete windows of 3 out.

    Args:
        side: Side of the window.
        pooling: "max" or "average".
    """

    def __init__(self, side: int, pooling: Literal["max", "average"]) -> None:
        self.side, self.pooling = side, pooling

    def forward(self, x: Tensor) -> Tensor:
        """Return the pooled features."""
        rows, columns = (2 * (-(-length // 2) - 1) + self.side - length for length in x.shape[2:])
        if rows > 0 or columns > 0:
            x = functional.pad(x, (0, max(0, columns), 0, max(0, rows)), "replicate")
        return (
            functional.max_pool2d(x, self.side, 2) if self.pooling == "max" else functional.avg_pool2d(x, self.side, 2)
        )

    def rows_needed(self, start: int, stop: int) -> tuple[int, int]:
        """Return the rows of the windows."""
        return 2 * start, 2 * (stop - 1) + self.side

    def shape(self, shape: tuple[int, int, int]) -> tuple[int, int, int]:
        """Return half the size, rounded up."""
        return shape[0], -(-shape[1] // 2), -(-shape[2] // 2)

    def work(self, shape: tuple[int, int, int]) -> int:
        """Return input, padded input and output."""
        return 2 * _size(shape) + _size(self.shape(shape))


class Enlarge:
    """Each position twice in both directions."""

    def forward(self, x: Tensor) -> Tensor:
        """Return the enlarged features."""
        return functional.interpolate(x, scale_factor=2.0, mode="nearest")

    def rows_needed(self, start: int, stop: int) -> tuple[int, int]:
        """Return the rows that they repeat."""
        return start // 2, -(-stop // 2)

    def shape(self, shape: tuple[int, int, int]) -> tuple[int, int, int]:
        """Return twice the height and width."""
        return shape[0], 2 * shape[1], 2 * shape[2]

    def work(self, shape: tuple[int, int, int]) -> int:
        """Return input and output."""
        return 5 * _size(shape)


def _size(shape: tuple[int, int, int]) -> int:
    return shape[0] * shape[1] * shape[2]


def _padded(shape: tuple[int, int, int], width: int) -> int:
    return shape[0] * (shape[1] + 2 * width) * (shape[2] + 2 * width)
