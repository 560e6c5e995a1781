"""The trunk: the network of johnson, ulyanov and cin, and the generator of cyclegan, as it is trained."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional

from stylefarm.shared.errors import InvalidRequest
from stylefarm.shared.spec.space import CAFFE
from stylefarm.worker.engine.feedforward.edges import padded
from stylefarm.worker.engine.feedforward.mixture import Mixture
from stylefarm.worker.engine.feedforward.normalization import Norm
from stylefarm.worker.engine.feedforward.rewrites import FEW_CHANNELS, convolved_by_fours, enlarged_and_convolved
from stylefarm.worker.engine.feedforward.trained_convolution import convolved
from stylefarm.worker.engine.feedforward.trunk_shape import Edge, Range, TrunkShape
from stylefarm.worker.engine.space import to_input, to_pixels

# What jcjohnson/fast-neural-style multiplies tanh with.
TANH_FACTOR = 150.0


class ConvLayer(nn.Module):
    """A convolution with its padding before it, and its normalization and ReLU after it.

    Args:
        inputs: Channels of its input.
        outputs: Channels of its output.
        kernel: Side of its kernel.
        stride: 1 or 2.
        enlarges: "nearest" and "transposed" double the size; None does not.
        edge: How it sees over the edge; None: not at all, so that its output is smaller.
        norm: Its normalization; None for none.
        relu: Whether a ReLU follows.

    Example:
        >>> layer = ConvLayer(3, 8, 3, stride=2, edge="reflect", norm=Norm(8, "instance"))
        >>> tuple(layer(torch.zeros(1, 3, 8, 8)).shape)
        (1, 8, 4, 4)
    """

    def __init__(
        self,
        inputs: int,
        outputs: int,
        kernel: int,
        *,
        stride: int = 1,
        enlarges: str | None = None,
        edge: Edge | None = "reflect",
        norm: Norm | None = None,
        relu: bool = True,
    ) -> None:
        super().__init__()
        self.edge = edge
        self.pad = 0 if edge is None else kernel // 2
        self.enlarges = enlarges
        self.relu = relu
        self.conv: nn.Conv2d | nn.ConvTranspose2d
        if enlarges == "transposed":
            self.conv = nn.ConvTranspose2d(inputs, outputs, kernel, 2, padding=kernel // 2, output_padding=1)
        else:
            self.conv = nn.Conv2d(inputs, outputs, kernel, stride)
        self.norm = norm

    def forward(self, x: Tensor, mixture: Mixture | None = None) -> Tensor:
        """Return the features (B, K, H', W') of x (B, C, H, W)."""
        x = self._convolved(x)
        if self.norm is not None:
            x = self.norm(x, mixture)
        return functional.relu(x) if self.relu else x

    def _convolved(self, x: Tensor) -> Tensor:
        if self.enlarges == "transposed":
            return self.conv(x)  # type: ignore[no-any-return]
        if self.enlarges == "nearest":
            # Over an edge that reflects stands what the outermost repeats.
            edge: Edge = "zeros" if self.edge == "zeros" else "replicate"
            x = padded(x, 1, 1, 1, 1, edge)
            way = convolved if self.training else functional.conv2d
            return enlarged_and_convolved(x, self.conv.weight, self.conv.bias, way)
        if self.edge is not None:
            x = padded(x, self.pad, self.pad, self.pad, self.pad, self.edge)
        if self.conv.out_channels <= FEW_CHANNELS and self.conv.stride == (1, 1):
            return convolved_by_fours(x, self.conv.weight, self.conv.bias)
        if self.training and self.conv.stride == (1, 1):
            return convolved(x, self.conv.weight, self.conv.bias)
        return self.conv(x)  # type: ignore[no-any-return]


class ResidualBlock(nn.Module):
    """Two convolutions, whose output is added to their input; without padding, to the middle of it.

    Args:
        first: The first, with a ReLU.
        second: The second, without.
    """

    def __init__(self, first: ConvLayer, second: ConvLayer) -> None:
        super().__init__()
        self.first = first
        self.second = second

    def forward(self, x: Tensor, mixture: Mixture | None = None) -> Tensor:
        """Return the features (B, C, H', W') of x (B, C, H, W)."""
        added: Tensor = self.second(self.first(x, mixture), mixture)
        return self.skipped(x) + added

    def skipped(self, x: Tensor) -> Tensor:
        """Return what is added of the block's input."""
        return x if self.first.edge is not None else x[:, :, 2:-2, 2:-2]


class Trunk(nn.Module):
    """A network that renders a style, or several, in one pass.

    Args:
        shape: What it is built from.

    Example:
        >>> network = Trunk(TrunkShape((4, 8, 16), (8, 4), blocks=1))
        >>> tuple(network(torch.rand(2, 3, 16, 20)).shape)
        (2, 3, 16, 20)
    """

    def __init__(self, shape: TrunkShape) -> None:
        super().__init__()
        self.shape = shape
        first, second, third = shape.channels
        is_transposed = shape.upsampling == "transposed"
        up_edge = shape.strided_edge if is_transposed else shape.edge
        norms = [self._norm(channels) if shape.down_norm else None for channels in shape.channels]
        self.down = nn.ModuleList(
            [
                ConvLayer(3, first, shape.kernel, edge=shape.edge, norm=norms[0]),
                ConvLayer(first, second, 3, stride=2, edge=shape.strided_edge, norm=norms[1]),
                ConvLayer(second, third, 3, stride=2, edge=shape.strided_edge, norm=norms[2]),
            ]
        )
        self.blocks = nn.ModuleList([self._block(third) for _ in range(shape.blocks)])
        up = (third, *shape.up)
        self.up = nn.ModuleList(
            [ConvLayer(a, b, 3, enlarges=shape.upsampling, edge=up_edge, norm=self._norm(b)) for a, b in pairwise(up)]
        )
        norm = self._norm(3) if shape.last_norm else None
        self.up.append(ConvLayer(up[2], 3, shape.last_kernel, edge=shape.edge, norm=norm, relu=False))

    def _norm(self, channels: int) -> Norm:
        return Norm(channels, self.shape.norm, self.shape.styles, adjustable=self.shape.adjustable)

    def _block(self, channels: int) -> ResidualBlock:
        edge = None if self.shape.border else self.shape.edge
        layers = (
            ConvLayer(channels, channels, 3, edge=edge, norm=self._norm(channels), relu=relu) for relu in (True, False)
        )
        return ResidualBlock(*layers)

    def forward(self, pixels: Tensor, mixture: Mixture | None = None) -> Tensor:
        """Return the rendered pictures, in [0, 1] but for overshoot.

        Args:
            pixels: (B, 3, H, W) in [0, 1]; H and W multiples of 4.
            mixture: The styles, of a network that has several.
        """
        border = self.shape.border
        x = to_range(self.shape.range, padded(pixels, border, border, border, border, "reflect"))
        for layer in (*self.down, *self.blocks, *self.up):
            x = layer(x, mixture)
        return from_range(self.shape.range, x)


def to_range(range_: Range, pixels: Tensor) -> Tensor:
    """Return the network's input of pixels in [0, 1].

    Args:
        range_: What the network takes.
        pixels: (B, 3, H, W).

    Example:
        >>> to_range("signed", torch.zeros(1, 3, 1, 1)).flatten().tolist()
        [-1.0, -1.0, -1.0]
    """
    if range_ == "caffe":
        return to_input(CAFFE, pixels)
    if range_ == "signed":
        return pixels * 2 - 1
    return pixels * 255 if range_ == "bytes" else pixels


def from_range(range_: Range, y: Tensor) -> Tensor:
    """Return pixels, in [0, 1] but for overshoot, of what the network's last convolution returned.

    Args:
        range_: What the network gives.
        y: (B, 3, H, W).

    Example:
        >>> from_range("unit", torch.zeros(1, 3, 1, 1)).flatten().tolist()
        [0.5, 0.5, 0.5]
    """
    if range_ == "caffe":
        return to_pixels(CAFFE, y.tanh() * TANH_FACTOR)
    if range_ == "signed":
        return y.tanh() / 2 + 0.5
    return y / 255 if range_ == "bytes" else y.sigmoid()


def load_trunk(shape: TrunkShape, tensors: Mapping[str, Tensor]) -> Trunk:
    """Return a network with these weights.

    Args:
        shape: What it is built from.
        tensors: Its weights by name.

    Raises:
        InvalidRequest: One is missing, or has another shape, or there is one too many.

    Example:
        >>> shape = TrunkShape((4, 8, 16), (8, 4), blocks=1)
        >>> load_trunk(shape, Trunk(shape).state_dict()).shape.blocks
        1
    """
    with torch.device("meta"):
        trunk = Trunk(shape)
    expected = trunk.state_dict()
    for name in (*expected, *tensors):
        if name not in tensors or name not in expected or tensors[name].shape != expected[name].shape:
            raise InvalidRequest(f"the model's weights do not fit its architecture: see {name}")
    trunk.load_state_dict({name: tensor.float() for name, tensor in tensors.items()}, assign=True)
    return trunk.requires_grad_(requires_grad=False).eval()
