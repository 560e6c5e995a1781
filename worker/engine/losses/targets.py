"""What pictures are compared with: the content's features, and each style's moments or samples, read once."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, is_dataclass, replace
from typing import TypeVar

import torch
from torch import Tensor
from torch.nn import functional

from stylefarm.worker.engine.losses.moments import Kind, Moments, Weights, moments_of
from stylefarm.worker.engine.losses.sample_losses import selected
from stylefarm.worker.engine.losses.style import MOMENT_LOSSES, SAMPLE_LOSSES, StyleLossName, StyleOptions
from stylefarm.worker.engine.losses.terms import Measure, MomentMeasure, SampleMeasure
from stylefarm.worker.engine.networks.explicit_pass import Pass

T = TypeVar("T")


@dataclass(frozen=True)
class Style:
    """A style's picture (1 or B, 3, H, W) in [0, 1], the part of it that counts, and where in the result it belongs.

    `source_mask` and `mask` are (1, 1, H, W) in [0, 1], of the size of the style and of the result; None: all of it.
    `share` is its part of a mixture. `key` names the picture and its `source_mask` in a cache; None: it is not kept.
    """

    image: Tensor
    share: float = 1.0
    source_mask: Tensor | None = None
    mask: Tensor | None = None
    key: Hashable = None

    def named(self, key: Hashable) -> Style:
        """The same with a name for a cache."""
        return replace(self, key=key)


@dataclass(frozen=True)
class Described:
    """A style at one layer: the moments that were asked for, and its feature vectors (1 or B, C, N)."""

    moments: Moments | None
    samples: Tensor | None


@dataclass(frozen=True)
class StyleMeasure:
    """One style loss at one layer, and its share among the layer's."""

    layer: str
    measure: Measure
    share: float


class TargetCache:
    """What was read of pictures, the least recently used forgotten first; `capacity` in bytes of tensors.

    The jobs of a sweep share their contents and styles, so N contents and M styles are read N + M times.
    """

    def __init__(self, capacity: int) -> None:
        self.capacity = capacity
        self.held = 0
        self._entries: OrderedDict[Hashable, tuple[object, int]] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, key: Hashable, make: Callable[[], T]) -> T:
        """What is kept under `key`, or what `make` makes, which is kept if it fits."""
        with self._lock:
            if key in self._entries:
                self._entries.move_to_end(key)
                return self._entries[key][0]  # type: ignore[return-value]
        made = make()
        size = sum(tensor.numel() * tensor.itemsize for tensor in _tensors(made))
        with self._lock:
            if size <= self.capacity and key not in self._entries:
                self._entries[key] = (made, size)
                self.held += size
            while self.held > self.capacity:
                self.held -= self._entries.popitem(last=False)[1][1]
        return made

    def clear(self) -> None:
        """Forgets everything."""
        with self._lock:
            self._entries.clear()
            self.held = 0


class Targets:
    """Reads pictures through `passage`, once if there is a cache; `network` names the network in the cache's keys."""

    def __init__(self, passage: Pass, cache: TargetCache | None = None, network: Hashable = None) -> None:
        self.passage = passage
        self.cache = cache
        self.network = network

    def content(self, image: Tensor, layers: frozenset[str], key: Hashable = None) -> Mapping[str, Tensor]:
        """The features of those layers of pictures (B, 3, H, W)."""
        return self._kept(("content", key), key, image, layers, lambda: _features(self.passage, image, layers))

    def style(
        self,
        styles: Sequence[Style],
        layers: Sequence[str],
        losses: Mapping[StyleLossName, float],
        options: StyleOptions,
        size: Sequence[int],
    ) -> list[StyleMeasure]:
        """Each loss at each layer, for a result of height and width `size`.

        There is one for a mixture that is painted everywhere, and one for each region of the result.
        """
        kinds = frozenset(kind for name in losses if name in MOMENT_LOSSES for kind in MOMENT_LOSSES[name].kinds)
        sampled = any(name in SAMPLE_LOSSES for name in losses)
        described = [self._described(style, frozenset(layers), kinds, sampled) for style in styles]
        return [
            StyleMeasure(layer, measure, weight * share)
            for layer in layers
            for name, weight in losses.items()
            for measure, share in _measures(name, layer, styles, described, options, size)
        ]

    def _described(
        self, style: Style, layers: frozenset[str], kinds: frozenset[Kind], sampled: bool
    ) -> Mapping[str, Described]:
        return self._kept(
            ("style", style.key, kinds, sampled),
            style.key,
            style.image,
            layers,
            lambda: _described(self.passage, style, layers, kinds, sampled),
        )

    def _kept(self, what: Hashable, key: Hashable, image: Tensor, layers: frozenset[str], make: Callable[[], T]) -> T:
        if self.cache is None or key is None:
            return make()
        return self.cache.get((self.network, what, tuple(image.shape), layers), make)


def layer_size(layer: str, size: Sequence[int]) -> tuple[int, int]:
    """Height and width of a layer's features, of a picture of that height and width."""
    block = int(layer[4])
    return size[0] >> (block - 1), size[1] >> (block - 1)


def _features(passage: Pass, image: Tensor, layers: frozenset[str]) -> dict[str, Tensor]:
    found: dict[str, Tensor] = {}

    def visit(layer: str, features: Tensor, rows: slice) -> None:
        if layer not in layers:
            return
        if rows == slice(None):
            found[layer] = features
            return
        if layer not in found:
            shape = (*features.shape[:2], *layer_size(layer, image.shape[2:]))
            found[layer] = _empty(shape, features)
        found[layer][:, :, rows] = features

    passage.read(image, visit)
    return found


def _empty(shape: Sequence[int], like: Tensor) -> Tensor:
    """Room for features of that shape that lie in memory as those do."""
    last = like.is_contiguous(memory_format=torch.channels_last) and not like.is_contiguous()
    layout = torch.channels_last if last else torch.contiguous_format
    return torch.empty(shape, dtype=like.dtype, device=like.device, memory_format=layout)


def _described(
    passage: Pass, style: Style, layers: frozenset[str], kinds: frozenset[Kind], sampled: bool
) -> dict[str, Described]:
    size = style.image.shape[2:]
    regions = {layer: _shrunk(style.source_mask, layer_size(layer, size)) for layer in layers}
    weights = {layer: Weights.over(*layer_size(layer, size), regions[layer]) for layer in layers}
    moments: dict[str, Moments] = {}
    samples: dict[str, Tensor] = {}

    def visit(layer: str, features: Tensor, rows: slice) -> None:
        if layer not in layers:
            return
        if kinds:
            part = moments_of(features, kinds, weights[layer], rows)
            moments[layer] = moments[layer].joined(part) if layer in moments else part
        if sampled:
            samples[layer] = selected(features, regions[layer])

    passage.read(style.image, visit)
    return {layer: Described(moments.get(layer), samples.get(layer)) for layer in layers}


def _measures(
    name: StyleLossName,
    layer: str,
    styles: Sequence[Style],
    described: Sequence[Mapping[str, Described]],
    options: StyleOptions,
    size: Sequence[int],
) -> Iterator[tuple[Measure, float]]:
    shape = layer_size(layer, size)
    here = [(style.share, found[layer]) for style, found in zip(styles, described, strict=True)]
    if all(style.mask is None for style in styles):
        yield _measure(name, here, None, shape, options), 1.0
        return
    for style, (share, found) in zip(styles, here, strict=True):
        yield _measure(name, [(1.0, found)], _shrunk(style.mask, shape), shape, options), share


def _measure(
    name: StyleLossName,
    sources: Sequence[tuple[float, Described]],
    region: Tensor | None,
    shape: tuple[int, int],
    options: StyleOptions,
) -> Measure:
    if name in SAMPLE_LOSSES:
        samples = [(share, found.samples) for share, found in sources if found.samples is not None]
        return SampleMeasure(SAMPLE_LOSSES[name](samples, options.projections), region)
    moments = [(share, found.moments) for share, found in sources if found.moments is not None]
    return MomentMeasure(MOMENT_LOSSES[name].of(moments, options.offset), Weights.over(*shape, region))


def _shrunk(mask: Tensor | None, shape: tuple[int, int]) -> Tensor | None:
    """A mask at a layer's size: each position takes the share of its own patch."""
    return None if mask is None else functional.adaptive_avg_pool2d(mask, shape)


def _tensors(value: object) -> Iterator[Tensor]:
    if isinstance(value, torch.Tensor):
        yield value
    elif isinstance(value, Mapping):
        for part in value.values():
            yield from _tensors(part)
    elif is_dataclass(value):
        for field in fields(value):
            yield from _tensors(getattr(value, field.name))
