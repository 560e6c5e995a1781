"""What a worker keeps from one job to the next: the last networks, and the features of contents and styles."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import TypeVar

from stylefarm.shared.spec.spec import JobSpec
from stylefarm.worker.engine.feedforward.applier import Applier
from stylefarm.worker.engine.hardware.device import ComputePath
from stylefarm.worker.engine.losses.targets import TargetCache
from stylefarm.worker.engine.networks.feature_network import FeatureNetwork

T = TypeVar("T")

# A network of VGG-19 takes about 100 MB; those of a grid over one content and one style are one and the same.
NETWORKS = 2

# Random features are scaled on pictures of this long edge at most: a larger one says no more of a layer's deviation.
CALIBRATION_EDGE = 512


class ModelCache:
    """Networks and targets of earlier jobs; `cache_bytes` limits the targets."""

    def __init__(self, cache_bytes: int) -> None:
        self.targets = TargetCache(cache_bytes)
        self._networks: OrderedDict[Hashable, FeatureNetwork] = OrderedDict()
        self._appliers: OrderedDict[Hashable, Applier] = OrderedDict()

    def network(self, key: Hashable, make: Callable[[], FeatureNetwork]) -> FeatureNetwork:
        """Return the network of that key, kept or made."""
        return _kept(self._networks, key, make)

    def applier(self, key: Hashable, make: Callable[[], Applier]) -> Applier:
        """Return the trained model of that key, kept or made."""
        return _kept(self._appliers, key, make)


def _kept(kept: OrderedDict[Hashable, T], key: Hashable, make: Callable[[], T]) -> T:
    if key not in kept:
        kept[key] = make()
        if len(kept) > NETWORKS:
            kept.popitem(last=False)
    kept.move_to_end(key)
    return kept[key]


def network_key(spec: JobSpec, path: ComputePath) -> Hashable:
    """Return what a network depends on; with random weights, or rescaled filters, the pictures too."""
    first = (spec.first_layer, spec.padding)
    own = (str(path), spec.features, spec.weights, spec.layers, first, spec.pooling, spec.rescale_pooling)
    if not spec.is_calibrated:
        return own
    pictures = (content_key(spec), *(style_key(spec, index) for index in range(len(spec.style))))
    calibrated = (spec.features_seed, spec.features_deviation, spec.rescale_filters, spec.input_space, spec.sizes[-1])
    return (*own, *calibrated, *pictures)


def content_key(spec: JobSpec) -> Hashable:
    """Return what the content's features depend on, besides its size and the network."""
    if spec.color in ("recolor", "gray"):
        styles = tuple(style_key(spec, index) for index in range(len(spec.style)))
        return spec.content, styles, spec.style_weights, spec.content_masks
    return spec.content, spec.color == "luminance"


def style_key(spec: JobSpec, index: int) -> Hashable:
    """Return what a style's features depend on, besides its size and the network."""
    mask = spec.style_masks[index] if spec.style_masks else None
    of_the_content = (spec.color, spec.content) if spec.color in ("luminance", "match") else None
    recolored = "gray" if spec.color == "gray" else of_the_content
    return spec.style[index], spec.style_aspect, spec.style_scale, mask, recolored
