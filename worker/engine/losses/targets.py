"""What images are compared with: the content's features, and each style's moments or samples, read once."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, is_dataclass, replace
from typing import TypeVar

import torch
from torch import Tensor
from torch.nn import functional

from stylefarm.worker.engine.losses.moment_losses import MomentLoss
from stylefarm.worker.engine.losses.moments import MomentKind, Moments, PositionWeights, compute_moments
from stylefarm.worker.engine.losses.options import StyleOptions
from stylefarm.worker.engine.losses.sample_losses import SampleLoss, select_positions
from stylefarm.worker.engine.losses.style import load_loss
from stylefarm.worker.engine.losses.terms import LossTarget, MomentTarget, SampleTarget
from stylefarm.worker.engine.networks.feature_network import ForwardPass

T = TypeVar("T")


@dataclass(frozen=True)
class StyleImage:
    """A style.

    Args:
        image: (1 or B, 3, H, W) in [0, 1], of any size.
        share: Its share of a mixture of styles.
        source_mask: Which part of it counts, (1, 1, H, W) in [0, 1], of its size; None for all of it.
        mask: Where in the result it belongs, (1, 1, H, W) in [0, 1], of the result's size; None for everywhere.
        key: Name of the image and its `source_mask` in a cache; None if it is not cached.

    Example:
        >>> StyleImage(torch.zeros(1, 3, 8, 8)).named("a").key
        'a'
    """

    image: Tensor
    share: float = 1.0
    source_mask: Tensor | None = None
    mask: Tensor | None = None
    key: Hashable = None

    def named(self, key: Hashable) -> StyleImage:
        """Return the same style with a name for a cache."""
        return replace(self, key=key)


@dataclass(frozen=True)
class StyleStatistics:
    """A style at one layer.

    Args:
        moments: The moments that were asked for; None if there were none.
        samples: Its feature vectors, (1 or B, C, N); None if they were not asked for.
    """

    moments: Moments | None
    samples: Tensor | None


@dataclass(frozen=True)
class LayerStyleTarget:
    """One style loss at one layer.

    Args:
        layer: Name of the layer.
        target: What features are compared with.
        share: Its share among the layer's losses.
    """

    layer: str
    target: LossTarget
    share: float


class TargetCache:
    """What was read of images; the least recently used is dropped first.

    The jobs of a sweep share their contents and styles, so that N contents and M styles are read N + M times.

    Args:
        capacity: Bytes of tensors that it holds at most.

    Example:
        >>> cache = TargetCache(capacity=1000)
        >>> cache.get("a", lambda: torch.ones(3)) is cache.get("a", lambda: torch.zeros(3))
        True
    """

    def __init__(self, capacity: int) -> None:
        self.capacity = capacity
        self.held = 0
        self._entries: OrderedDict[Hashable, tuple[object, int]] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, key: Hashable, make: Callable[[], T]) -> T:
        """Return what is cached under `key`, or what `make` returns, which is cached if it fits.

        Args:
            key: What the value depends on.
            make: Computes it.
        """
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
        """Drop everything."""
        with self._lock:
            self._entries.clear()
            self.held = 0


class TargetReader:
    """Reads the targets of images by a feature network.

    Args:
        forward_pass: The network, run in one way.
        cache: Where targets are kept; None to read each time.
        network: Name of the network in the keys of the cache.

    Example:
        >>> from stylefarm.worker.engine.networks.vgg import Vgg, randomize
        >>> from stylefarm.worker.engine.networks.vgg_network import VggNetwork
        >>> vgg = Vgg("vgg19", ["relu1_1"])
        >>> randomize(vgg, seed=0)
        >>> reader = TargetReader(VggNetwork(vgg).forward_pass())
        >>> tuple(reader.content(torch.rand(1, 3, 8, 9), frozenset({"relu1_1"}))["relu1_1"].shape)
        (1, 64, 8, 9)
    """

    def __init__(self, forward_pass: ForwardPass, cache: TargetCache | None = None, network: Hashable = None) -> None:
        self.forward_pass = forward_pass
        self.cache = cache
        self.network = network

    def content(self, image: Tensor, layers: frozenset[str], key: Hashable = None) -> Mapping[str, Tensor]:
        """Return the features of a content.

        Args:
            image: (B, 3, H, W) in [0, 1].
            layers: Names of the layers.
            key: Name of the image in the cache; None if it is not cached.

        Returns:
            (B, C, H', W') by layer.
        """
        return self._kept(("content", key), key, image, layers, lambda: _features(self.forward_pass, image, layers))

    def style(
        self,
        styles: Sequence[StyleImage],
        layers: Sequence[str],
        losses: Mapping[str, float],
        options: StyleOptions,
        size: Sequence[int],
    ) -> list[LayerStyleTarget]:
        """Return the targets of all style losses at all layers.

        There is one for a mixture that applies everywhere, or one for each region of the result.

        Args:
            styles: The styles.
            layers: Names of the layers.
            losses: Weight of each style loss, by name.
            options: Parameters of style losses.
            size: Height and width of the result.

        Raises:
            InvalidSpec: A loss is not provided, or its package cannot be used.
        """
        classes = [load_loss(name) for name in losses]
        kinds = frozenset(kind for cls in classes if issubclass(cls, MomentLoss) for kind in cls.moments)
        sampled = any(issubclass(cls, SampleLoss) for cls in classes)
        described = [self._described(style, frozenset(layers), kinds, sampled) for style in styles]
        return [
            LayerStyleTarget(layer, target, weight * share)
            for layer in layers
            for name, weight in losses.items()
            for target, share in _layer_targets(
                name, layer, styles, described, options, self.forward_pass.layer_size(layer, size)
            )
        ]

    def _described(
        self, style: StyleImage, layers: frozenset[str], kinds: frozenset[MomentKind], sampled: bool
    ) -> Mapping[str, StyleStatistics]:
        return self._kept(
            ("style", style.key, kinds, sampled),
            style.key,
            style.image,
            layers,
            lambda: _described(self.forward_pass, style, layers, kinds, sampled),
        )

    def _kept(self, what: Hashable, key: Hashable, image: Tensor, layers: frozenset[str], make: Callable[[], T]) -> T:
        if self.cache is None or key is None:
            return make()
        return self.cache.get((self.network, what, tuple(image.shape), layers), make)


def _features(forward_pass: ForwardPass, image: Tensor, layers: frozenset[str]) -> dict[str, Tensor]:
    found: dict[str, Tensor] = {}

    def on_features(layer: str, features: Tensor, rows: slice) -> None:
        if layer not in layers:
            return
        if rows == slice(None):
            found[layer] = features
            return
        if layer not in found:
            shape = (*features.shape[:2], *forward_pass.layer_size(layer, image.shape[2:]))
            found[layer] = _empty(shape, features)
        found[layer][:, :, rows] = features

    forward_pass.forward(image, on_features)
    return found


def _empty(shape: Sequence[int], like: Tensor) -> Tensor:
    """Return uninitialized features of that shape, in the memory format of `like`."""
    last = like.is_contiguous(memory_format=torch.channels_last) and not like.is_contiguous()
    layout = torch.channels_last if last else torch.contiguous_format
    return torch.empty(shape, dtype=like.dtype, device=like.device, memory_format=layout)


def _described(
    forward_pass: ForwardPass, style: StyleImage, layers: frozenset[str], kinds: frozenset[MomentKind], sampled: bool
) -> dict[str, StyleStatistics]:
    size = style.image.shape[2:]
    regions = {layer: _shrunk(style.source_mask, forward_pass.layer_size(layer, size)) for layer in layers}
    weights = {layer: PositionWeights.over(*forward_pass.layer_size(layer, size), regions[layer]) for layer in layers}
    moments: dict[str, Moments] = {}
    samples: dict[str, Tensor] = {}

    def on_features(layer: str, features: Tensor, rows: slice) -> None:
        if layer not in layers:
            return
        if kinds:
            part = compute_moments(features, kinds, weights[layer], rows)
            moments[layer] = moments[layer].merged(part) if layer in moments else part
        if sampled:
            samples[layer] = select_positions(features, regions[layer])

    forward_pass.forward(style.image, on_features)
    return {layer: StyleStatistics(moments.get(layer), samples.get(layer)) for layer in layers}


def _layer_targets(
    name: str,
    layer: str,
    styles: Sequence[StyleImage],
    described: Sequence[Mapping[str, StyleStatistics]],
    options: StyleOptions,
    shape: tuple[int, int],
) -> Iterator[tuple[LossTarget, float]]:
    here = [(style.share, found[layer]) for style, found in zip(styles, described, strict=True)]
    if all(style.mask is None for style in styles):
        yield _target(name, here, None, shape, options), 1.0
        return
    for style, (share, found) in zip(styles, here, strict=True):
        yield _target(name, [(1.0, found)], _shrunk(style.mask, shape), shape, options), share


def _target(
    name: str,
    sources: Sequence[tuple[float, StyleStatistics]],
    region: Tensor | None,
    shape: tuple[int, int],
    options: StyleOptions,
) -> LossTarget:
    loss = load_loss(name)
    if issubclass(loss, SampleLoss):
        samples = [(share, found.samples) for share, found in sources if found.samples is not None]
        return SampleTarget(loss.for_styles(samples, options), region)
    moments = [(share, found.moments) for share, found in sources if found.moments is not None]
    return MomentTarget(loss.for_styles(moments, options), PositionWeights.over(*shape, region))


def _shrunk(mask: Tensor | None, shape: tuple[int, int]) -> Tensor | None:
    """Return a mask at a layer's size: each position gets the mean over its own patch."""
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
