"""What a trunk network is built from: the numbers that tell one published network from another."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any, Literal

from stylefarm.shared.errors import InvalidRequest

NormKind = Literal["instance", "batch", "plain", "conditional"]
Edge = Literal["reflect", "replicate", "zeros"]
Range = Literal["bytes", "caffe", "unit", "signed"]

# The sides of a picture are made multiples of this: two convolutions have stride 2.
STRIDE = 4
# Pixels on each side that a residual block without padding takes away: two positions at a quarter of the size.
VALID_BLOCK = 2 * STRIDE


@dataclass(frozen=True)
class TrunkShape:
    """A network of strided convolutions, residual blocks at a quarter of the picture's size, and the way back.

    Args:
        channels: Of the first convolution and of the two strided ones.
        up: Of the two convolutions that enlarge.
        blocks: Residual blocks.
        norm: "instance" and "batch" have a scale and a shift for each channel; "plain" is instance normalization
            without; "conditional" is instance normalization with a scale and a shift for each channel and style.
        styles: Of "conditional": how many there are.
        adjustable: Of "conditional": whether scale and shift depend on the weight of the style loss.
        edge: How the first and last convolution, the residual blocks and those after an enlargement by repetition see
            over the edge.
        strided_edge: How the strided ones do, and those that are transposed.
        border: Pixels by which the picture is enlarged by reflection at the start; the residual blocks then have no
            padding, and take it away again.
        upsampling: "nearest" repeats each position, and convolves; "transposed" is a transposed convolution.
        kernel: Side of the first convolution's kernel.
        last_kernel: Side of the last one's.
        down_norm: Whether the first convolution and the strided ones are normalized, too.
        last_norm: Whether the last convolution is.
        range: What goes in and comes out. "bytes": RGB from 0 to 255, as it is. "caffe": BGR minus the mean; 150 tanh
            comes out. "unit": RGB from 0 to 1, by a sigmoid. "signed": RGB from -1 to 1, by tanh.

    Source:
        Johnson, Alahi and Fei-Fei 2016 (arXiv 1603.08155), supplement; pytorch/examples, fast_neural_style, has the
        defaults.

    Example:
        >>> shape = TrunkShape(blocks=3)
        >>> TrunkShape.of(shape.document()) == shape
        True
    """

    channels: tuple[int, int, int] = (32, 64, 128)
    up: tuple[int, int] = (64, 32)
    blocks: int = 5
    norm: NormKind = "instance"
    styles: int = 0
    adjustable: bool = False
    edge: Edge = "reflect"
    strided_edge: Edge = "reflect"
    border: int = 0
    upsampling: Literal["nearest", "transposed"] = "nearest"
    kernel: int = 9
    last_kernel: int = 9
    down_norm: bool = True
    last_norm: bool = False
    range: Range = "bytes"

    def __post_init__(self) -> None:
        """Refuse what is no network."""
        if self.border not in (0, VALID_BLOCK * self.blocks):
            raise InvalidRequest(f"a border of {self.border} pixels does not fit {self.blocks} residual blocks")
        if (self.norm == "conditional") != (self.styles > 0):
            raise InvalidRequest("a network of several styles needs conditional normalization, and the other way round")

    @classmethod
    def of(cls, document: Mapping[str, Any]) -> TrunkShape:
        """Return the shape that a model's architecture describes.

        Args:
            document: Its fields by name; those that it lacks have their defaults.

        Raises:
            InvalidRequest: It has others, or values that are no such shape.
        """
        known = {each.name for each in fields(cls)}
        unknown = next((name for name in document if name not in known), None)
        if unknown is not None:
            raise InvalidRequest(f"the model's architecture has {unknown!r}, which no network here is built from")
        for name, value in document.items():
            if not _fits(name, value, getattr(cls, name)):
                raise InvalidRequest(f"the model's architecture has {value!r} for {name}: the file is damaged")
        values: dict[str, Any] = {
            name: tuple(value) if isinstance(value, list) else value for name, value in document.items()
        }
        return cls(**values)

    def document(self) -> dict[str, Any]:
        """Return its fields as plain JSON values."""
        return {name: list(value) if isinstance(value, tuple) else value for name, value in asdict(self).items()}


def johnson_shape(channels: int = 32, blocks: int = 5) -> TrunkShape:
    """Return the network that jcjohnson/fast-neural-style trains.

    Args:
        channels: Of the first convolution.
        blocks: Residual blocks.

    Source:
        fast_neural_style/models.lua with padding_type = reflect-start, and train.lua's defaults.

    Example:
        >>> johnson_shape().border
        40
    """
    return TrunkShape(
        channels=(channels, 2 * channels, 4 * channels),
        up=(2 * channels, channels),
        blocks=blocks,
        norm="batch",
        edge="zeros",
        strided_edge="zeros",
        border=VALID_BLOCK * blocks,
        upsampling="transposed",
        range="caffe",
    )


def ulyanov_shape(channels: int = 32, blocks: int = 5) -> TrunkShape:
    """Return the network that DmitryUlyanov/texture_nets trains.

    Args:
        channels: Of the first convolution.
        blocks: Residual blocks.

    Source:
        texture_nets/models/johnson.lua with instance normalization.

    Example:
        >>> ulyanov_shape().last_kernel
        3
    """
    return TrunkShape(
        channels=(channels, 2 * channels, 4 * channels),
        up=(2 * channels, channels),
        blocks=blocks,
        edge="replicate",
        strided_edge="replicate",
        upsampling="transposed",
        last_kernel=3,
    )


def cyclegan_shape(channels: int = 64, blocks: int = 9) -> TrunkShape:
    """Return the generator of junyanz/pytorch-CycleGAN-and-pix2pix.

    Args:
        channels: Of the first convolution.
        blocks: Residual blocks.

    Source:
        Zhu, Park, Isola and Efros 2017 (arXiv 1703.10593), appendix 7.2.

    Example:
        >>> cyclegan_shape().channels
        (64, 128, 256)
    """
    return TrunkShape(
        channels=(channels, 2 * channels, 4 * channels),
        up=(2 * channels, channels),
        blocks=blocks,
        norm="plain",
        strided_edge="zeros",
        upsampling="transposed",
        kernel=7,
        last_kernel=7,
        range="signed",
    )


_CHOICES: Mapping[str, tuple[str, ...]] = {
    "norm": ("instance", "batch", "plain", "conditional"),
    "edge": ("reflect", "replicate", "zeros"),
    "strided_edge": ("reflect", "replicate", "zeros"),
    "upsampling": ("nearest", "transposed"),
    "range": ("bytes", "caffe", "unit", "signed"),
}

# More than any network has; a damaged file must not ask for all memory.
_MOST = 4096


def _fits(name: str, value: object, default: object) -> bool:
    if isinstance(default, bool):
        return isinstance(value, bool)
    if isinstance(default, str):
        return value in _CHOICES[name]
    if isinstance(default, tuple):
        counts = list(value) if isinstance(value, (list, tuple)) else []
        return len(counts) == len(default) and all(_is_count(count) and count for count in counts)
    odd = name not in ("kernel", "last_kernel") or (_is_count(value) and isinstance(value, int) and value % 2 == 1)
    return _is_count(value) and odd


def _is_count(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= _MOST
