"""Tables of the feature networks that a spec can name: their layers, and where torchvision keeps their weights.

Everything that depends on a layer's name is looked up here; nothing parses the name. There is no torch here, since
both sides read these tables.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Literal

Architecture = Literal["vgg19", "vgg16"]

# Convolutions and their channels in each of VGG's five blocks, between which there is a pooling.
CONVOLUTIONS: dict[Architecture, tuple[int, ...]] = {"vgg19": (2, 2, 4, 4, 4), "vgg16": (2, 2, 3, 3, 3)}
CHANNELS = (64, 128, 256, 512, 512)

# How messages call a network.
TITLES: dict[Architecture, str] = {"vgg19": "VGG-19", "vgg16": "VGG-16"}

# torchvision's weights enum (VGG19_Weights.IMAGENET1K_V1, ...) keeps its download under this name; the digits are the
# first of the file's SHA-256. Written down here because a producer has no torchvision; a test compares.
PRETRAINED_FILES: dict[Architecture, str] = {"vgg19": "vgg19-dcbb9e9d.pth", "vgg16": "vgg16-397923af.pth"}


@dataclass(frozen=True)
class Layer:
    """A layer of a feature network that a loss can name.

    Args:
        name: The name, unique within its network: "relu4_1".
        channels: The number of channels of its features.
        stride: Pixels of the input from one feature to the next, the same in both directions.
        receptive_field: Side, in pixels, of the square that one feature depends on.
        smallest_side: The shortest side, in pixels, of an image that still has a feature here.
    """

    name: str
    channels: int
    stride: int
    receptive_field: int
    smallest_side: int


@cache
def network_layers(architecture: Architecture) -> Mapping[str, Layer]:
    """Return the layers of a network by their names, from the image inwards.

    Example:
        >>> network_layers("vgg19")["relu2_1"]
        Layer(name='relu2_1', channels=128, stride=2, receptive_field=10, smallest_side=2)
    """
    return {layer.name: layer for layer in _vgg_layers(CONVOLUTIONS[architecture])}


def _vgg_layers(counts: tuple[int, ...]) -> list[Layer]:
    layers, stride, field = [], 1, 1
    for block, (count, channels) in enumerate(zip(counts, CHANNELS, strict=True), start=1):
        if block > 1:
            # A 2 x 2 pooling sees one position more, at the stride before it.
            field, stride = field + stride, 2 * stride
        for index in range(1, count + 1):
            field += 2 * stride
            layers += [Layer(f"{kind}{block}_{index}", channels, stride, field, stride) for kind in ("conv", "relu")]
    return layers


def default_network(features: str) -> Architecture:
    """Return the network that a spec's `features` means: "auto" and "random" are VGG-19."""
    return features if features in CONVOLUTIONS else "vgg19"


@cache
def layer_names(architecture: Architecture) -> tuple[str, ...]:
    """Return the name of every layer that a loss can name: "conv1_1", "relu1_1", ... "relu5_4"."""
    return tuple(network_layers(architecture))


@cache
def known_layers() -> Mapping[str, Layer]:
    """Return the layers of all networks by name; a name that two networks share has the same numbers in both."""
    return {name: layer for architecture in CONVOLUTIONS for name, layer in network_layers(architecture).items()}


def smallest_side(layer: str) -> int:
    """Return the shortest side, in pixels, of an image that still has a feature at `layer`."""
    return known_layers()[layer].smallest_side


def cached_weights(architecture: Architecture) -> Path | None:
    """Return the pretrained weights in torchvision's own download cache on this machine, if they are there."""
    try:
        folder = Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser()
    except RuntimeError:  # a user without a home has no cache either
        return None
    hub = Path(os.environ.get("TORCH_HOME") or folder / "torch") / "hub" / "checkpoints"
    path = hub / PRETRAINED_FILES[architecture]
    return path if path.is_file() else None
