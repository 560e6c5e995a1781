"""A trunk prepared for many passes: over whole pictures, or in strips with the statistics of the whole picture."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from stylefarm.worker.engine.feedforward.edges import padded
from stylefarm.worker.engine.feedforward.mixture import Mixture
from stylefarm.worker.engine.feedforward.normalization import EPSILON, Affine, Norm
from stylefarm.worker.engine.feedforward.prepared_layer import PreparedLayer
from stylefarm.worker.engine.feedforward.trunk import ConvLayer, ResidualBlock, Trunk, from_range, to_range
from stylefarm.worker.engine.hardware.device import ComputePath
from stylefarm.worker.engine.losses.moment_losses import require
from stylefarm.worker.engine.losses.moments import MomentKind, Moments, PositionWeights, compute_moments

_STATISTICS: frozenset[MomentKind] = frozenset({"mean", "variance"})


class PreparedTrunk:
    """Runs a `Trunk` without autograd.

    Args:
        trunk: The network, with its weights.
        path: The device and the precision.

    Example:
        >>> from stylefarm.worker.engine.feedforward.trunk_shape import TrunkShape
        >>> network = Trunk(TrunkShape((4, 8, 16), (8, 4), blocks=1)).eval()
        >>> prepared = PreparedTrunk(network, ComputePath(torch.device("cpu"), "fp32"))
        >>> pixels = torch.rand(1, 3, 16, 16)
        >>> bool(torch.allclose(prepared(pixels), network(pixels), atol=1e-4))
        True
    """

    def __init__(self, trunk: Trunk, path: ComputePath) -> None:
        self.shape = trunk.shape
        self.path = path
        self.down, self.up = (
            [PreparedLayer(layer, path) for layer in part if isinstance(layer, ConvLayer)]
            for part in (trunk.down, trunk.up)
        )
        self.blocks = [
            (block, PreparedLayer(block.first, path), PreparedLayer(block.second, path))
            for block in trunk.blocks
            if isinstance(block, ResidualBlock)
        ]

    @torch.no_grad()
    def __call__(self, pixels: Tensor, mixture: Mixture | None = None, strip_rows: int | None = None) -> Tensor:
        """Return the rendered pictures, (B, 3, H, W) float32, in [0, 1] but for overshoot.

        Args:
            pixels: (B, 3, H, W) in [0, 1]; H and W multiples of 4.
            mixture: The styles, of a network that has several.
            strip_rows: Rows of the picture, a multiple of 4, that are computed at a time; None: all.
        """
        border = self.shape.border
        x = to_range(self.shape.range, padded(pixels, border, border, border, border, "reflect"))
        x = x.to(self.path.dtype).contiguous(memory_format=torch.channels_last)
        x = _stream(self.down, x, mixture, None if strip_rows is None else max(1, strip_rows // 4))
        for block, first, second in self.blocks:
            skipped = block.skipped(x)
            x = _finished(second, second.whole(_finished(first, first.whole(x), mixture)), mixture).add_(skipped)
        x = _stream(self.up, x, mixture, strip_rows)
        return from_range(self.shape.range, x.float())


def _stream(layers: Sequence[PreparedLayer], x: Tensor, mixture: Mixture | None, rows: int | None) -> Tensor:
    """Return what the layers make of x, all at once or so many rows of the last one's output at a time."""
    if rows is None:
        for layer in layers:
            x = _finished(layer, layer.whole(x), mixture)
        return x
    return _Strips(layers, x, mixture, rows).run()


def _finished(layer: PreparedLayer, y: Tensor, mixture: Mixture | None) -> Tensor:
    """Return y, which may be changed, after the layer's normalization and ReLU."""
    if layer.norm is not None:
        scale, shift = _affine(layer.norm, mixture, y)
        y = _standardized(y, scale, shift)
    return y.relu_() if layer.relu else y


def _affine(norm: Norm, mixture: Mixture | None, y: Tensor, rows: slice | None = None, height: int = 0) -> Affine:
    """Return the scale and the shift of features y, which are some rows of a layer of that height."""
    if norm.kind == "plain":
        return y.new_ones(1, 1, 1, 1, dtype=torch.float32), y.new_zeros(1, 1, 1, 1, dtype=torch.float32)
    if mixture is None or mixture.maps is None:
        return norm.affine(mixture)
    maps = mixture.maps
    if rows is not None:
        # The sides of the picture are multiples of what the layers shrink it by.
        factor = maps.shape[2] // height
        maps = maps[:, :, rows.start * factor : rows.stop * factor]
    return norm.affine_maps(functional.adaptive_avg_pool2d(maps, (y.shape[2], y.shape[3])), mixture.strength)


def _standardized(y: Tensor, scale: Tensor, shift: Tensor) -> Tensor:
    """Return y, which may be changed, standardized picture by picture, times `scale`, plus `shift`."""
    if y.dtype != torch.float32:
        parts = [_batch_norm(each, *one) for each, *one in _by_picture(y, scale, shift)]
        return parts[0] if len(parts) == 1 else torch.cat(parts)
    # In place, since new memory takes more time than the sums.
    if y.is_contiguous() or y.device.type != "cpu":
        y.sub_(y.mean((2, 3), keepdim=True))
        squares = torch.linalg.vector_norm(y, dim=(2, 3), keepdim=True).square()
        deviation = (squares / (y.shape[2] * y.shape[3]) + EPSILON).sqrt()
        return torch.addcmul(shift, y, scale / deviation, out=y)
    for each, factor, offset in _by_picture(y, scale, shift):
        mean, variance = (x[:, None, None] for x in torch.batch_norm_update_stats(each, None, None, 0.0))
        factor = factor / (variance + EPSILON).sqrt()
        each.mul_(factor).add_(offset - mean * factor)
    return y


def _by_picture(y: Tensor, scale: Tensor, shift: Tensor) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
    """Yield each picture of y, (1, C, H, W), with its scale and its shift."""
    affine = [x.expand(y.shape[0], -1, -1, -1).split(1) for x in (scale, shift)]
    yield from zip(y.split(1), *affine, strict=True)


def _batch_norm(y: Tensor, scale: Tensor, shift: Tensor) -> Tensor:
    """Return one picture, (1, C, H, W), standardized, times `scale`, plus `shift`; of half precision."""
    channels = y.shape[1]
    # With weights of float32 its statistics are float32, too.
    if scale.shape[2:] == shift.shape[2:] == (1, 1):
        affine = [x.expand(1, channels, 1, 1).flatten() for x in (scale, shift)]
        return torch.native_batch_norm(y, affine[0], affine[1], None, None, True, 0.0, EPSILON)[0]
    ones, zeros = scale.new_ones(channels), scale.new_zeros(channels)
    plain = torch.native_batch_norm(y, ones, zeros, None, None, True, 0.0, EPSILON)[0]
    return torch.addcmul(shift.to(y.dtype), plain, scale.to(y.dtype))


@dataclass
class _Statistics:
    mean: Tensor
    deviation: Tensor


class _Strips:
    """A chain of layers, run in strips: first the statistics of each layer, which need those of the ones before it."""

    def __init__(self, layers: Sequence[PreparedLayer], x: Tensor, mixture: Mixture | None, rows: int) -> None:
        self.layers = layers
        self.x = x
        self.mixture = mixture
        self.heights = [x.shape[2]]
        for layer in layers:
            self.heights.append(layer.height(self.heights[-1]))
        self.rows = rows
        self.statistics: list[_Statistics | None] = [None] * len(layers)

    def run(self) -> Tensor:
        last = len(self.layers) - 1
        for index in range(last):
            if self.layers[index].norm is not None:
                self._measure(index)
        output: Tensor | None = None
        moments: Moments | None = None
        normalized = self.layers[last].norm is not None
        for start, stop in self._parts(last):
            part = self._raw(last, start, stop) if normalized else self._value(last, start, stop)
            if normalized:
                moments = self._merged(moments, part, last, start, stop)
            if output is None:
                shape = (*part.shape[:2], self.heights[-1], part.shape[3])
                output = torch.empty(shape, dtype=part.dtype, device=part.device, memory_format=torch.channels_last)
            output[:, :, start:stop] = part
        if output is None:
            raise TypeError("there are no rows")
        if moments is None:
            return output
        self.statistics[last] = _statistics(moments)
        for start, stop in self._parts(last):
            output[:, :, start:stop] = self._normalized(last, output[:, :, start:stop], start, stop)
        return output

    def _parts(self, index: int) -> list[tuple[int, int]]:
        """Return the strips of a layer's output, as many as the last one has, or more."""
        height = self.heights[index + 1]
        each = max(2, self.rows * height // self.heights[-1] // 2 * 2)
        return [(start, min(start + each, height)) for start in range(0, height, each)]

    def _measure(self, index: int) -> None:
        moments: Moments | None = None
        for start, stop in self._parts(index):
            moments = self._merged(moments, self._raw(index, start, stop), index, start, stop)
        if moments is not None:
            self.statistics[index] = _statistics(moments)

    def _merged(self, moments: Moments | None, part: Tensor, index: int, start: int, stop: int) -> Moments:
        weights = PositionWeights(self.heights[index + 1] * part.shape[3])
        found = compute_moments(part, _STATISTICS, weights, slice(start, stop))
        return found if moments is None else moments.merged(found)

    def _raw(self, index: int, start: int, stop: int) -> Tensor:
        """Return rows of a layer's convolution."""
        layer, height = self.layers[index], self.heights[index]
        needed = layer.needed(start, stop, height)
        inside = needed[needed >= 0]
        first, after = int(inside.min()), int(inside.max()) + 1
        x = self.x[:, :, first:after] if index == 0 else self._value(index - 1, first, after)
        return layer.rows(_selected(x, needed, first), start, stop, height)

    def _value(self, index: int, start: int, stop: int) -> Tensor:
        """Return rows of a layer's output."""
        # Where a layer gives two rows at once, its strips begin and end between two pairs.
        first, after = start // 2 * 2, min(-(-stop // 2) * 2, self.heights[index + 1])
        y = self._normalized(index, self._raw(index, first, after), first, after)
        return y[:, :, start - first : stop - first]

    def _normalized(self, index: int, y: Tensor, start: int, stop: int) -> Tensor:
        layer, found = self.layers[index], self.statistics[index]
        if layer.norm is not None and found is not None:
            scale, shift = _affine(layer.norm, self.mixture, y, slice(start, stop), self.heights[index + 1])
            y = torch.addcmul(shift, y.float() - found.mean, scale / found.deviation).to(y.dtype)
        return y.relu_() if layer.relu else y


def _statistics(moments: Moments) -> _Statistics:
    mean, variance = require(moments.mean), require(moments.variance)
    return _Statistics(mean[:, :, None, None], (variance + EPSILON).sqrt()[:, :, None, None])


def _selected(x: Tensor, needed: Tensor, first: int) -> Tensor:
    """Return the rows that are needed of those from `first` on."""
    if torch.equal(needed, torch.arange(first, first + x.shape[2])):
        return x
    found = x.index_select(2, (needed - first).clamp_min(0).to(x.device))
    found[:, :, (needed < 0).to(x.device)] = 0
    return found
