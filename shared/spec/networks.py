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

VggArchitecture = Literal["vgg19", "vgg16"]
Architecture = Literal[VggArchitecture, "squeezenet"]
FirstLayer = Literal["strided", "dense"]

# Convolutions and their channels in each of VGG's five blocks, between which there is a pooling.
CONVOLUTIONS: dict[VggArchitecture, tuple[int, ...]] = {"vgg19": (2, 2, 4, 4, 4), "vgg16": (2, 2, 3, 3, 3)}
CHANNELS = (64, 128, 256, 512, 512)


@dataclass(frozen=True)
class Fire:
    """A fire module of SqueezeNet: a 1 x 1 convolution, then a 1 x 1 and a 3 x 3 one of its output, side by side.

    Args:
        squeeze: Channels of the first.
        expand: Channels of each of the other two; the module returns twice as many.
        pooled: Whether a pooling stands before it.
    """

    squeeze: int
    expand: int
    pooled: bool = False


# SqueezeNet 1.1 after its first convolution, which has 64 channels (Iandola et al. 2016, arXiv 1602.07360).
FIRES: Mapping[str, Fire] = {
    "fire2": Fire(16, 64, pooled=True),
    "fire3": Fire(16, 64),
    "fire4": Fire(32, 128, pooled=True),
    "fire5": Fire(32, 128),
    "fire6": Fire(48, 192, pooled=True),
    "fire7": Fire(48, 192),
    "fire8": Fire(64, 256),
    "fire9": Fire(64, 256),
}
SQUEEZENET_FIRST_CHANNELS = 64
# The side of the first convolution's kernel: what follows a dense one, a mean of 2 x 2, reaches one pixel further.
FIRST_FIELDS: Mapping[FirstLayer, int] = {"strided": 3, "dense": 4}

# How messages call a network.
TITLES: dict[Architecture, str] = {"vgg19": "VGG-19", "vgg16": "VGG-16", "squeezenet": "SqueezeNet"}

# torchvision's weights enum (VGG19_Weights.IMAGENET1K_V1, ...) keeps its download under this name; the digits are the
# first of the file's SHA-256. Written down here because a producer has no torchvision; a test compares.
PRETRAINED_FILES: dict[Architecture, str] = {
    "vgg19": "vgg19-dcbb9e9d.pth",
    "vgg16": "vgg16-397923af.pth",
    "squeezenet": "squeezenet1_1-b8a52dc0.pth",
}


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
def network_layers(architecture: Architecture, first_layer: FirstLayer = "strided") -> Mapping[str, Layer]:
    """Return the layers of a network by their names, from the image inwards.

    Args:
        architecture: The network.
        first_layer: How SqueezeNet's first convolution is computed; VGG's is always dense.

    Example:
        >>> network_layers("vgg19")["relu2_1"]
        Layer(name='relu2_1', channels=128, stride=2, receptive_field=10, smallest_side=2)
    """
    if architecture == "squeezenet":
        return {layer.name: layer for layer in _squeezenet_layers(FIRST_FIELDS[first_layer])}
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


def _squeezenet_layers(first_field: int) -> list[Layer]:
    # The first convolution and the poolings do not pad, so that the smallest side grows with them as the field does.
    stride, field, smallest = 2, first_field, first_field
    layers = [Layer(name, SQUEEZENET_FIRST_CHANNELS, stride, field, smallest) for name in ("conv1", "relu1")]
    for name, fire in FIRES.items():
        if fire.pooled:
            field, smallest, stride = field + 2 * stride, smallest + 2 * stride, 2 * stride
        field += 2 * stride
        layers.append(Layer(name, 2 * fire.expand, stride, field, smallest))
    return layers


def default_network(features: str) -> Architecture:
    """Return the network that a spec's `features` means: "auto" and "random" are VGG-19."""
    return features if features in TITLES else "vgg19"


@cache
def layer_names(architecture: Architecture) -> tuple[str, ...]:
    """Return the name of every layer that a loss can name: of VGG "conv1_1", "relu1_1", ... "relu5_4"."""
    return tuple(network_layers(architecture))


@cache
def known_layers() -> Mapping[str, Layer]:
    """Return the layers of all networks by name; a name that two networks share has the same numbers in both."""
    return {name: layer for architecture in TITLES for name, layer in network_layers(architecture).items()}


def smallest_side(layer: str, first_layer: FirstLayer = "strided") -> int:
    """Return the shortest side, in pixels, of an image that still has a feature at `layer`.

    Args:
        layer: Its name.
        first_layer: How SqueezeNet's first convolution is computed.

    Example:
        >>> smallest_side("relu4_1"), smallest_side("fire4")
        (8, 15)
    """
    known = {**known_layers(), **network_layers("squeezenet", first_layer)}
    return known[layer].smallest_side


def cached_weights(architecture: Architecture) -> Path | None:
    """Return the pretrained weights in torchvision's own download cache on this machine, if they are there."""
    try:
        folder = Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser()
    except RuntimeError:  # a user without a home has no cache either
        return None
    hub = Path(os.environ.get("TORCH_HOME") or folder / "torch") / "hub" / "checkpoints"
    path = hub / PRETRAINED_FILES[architecture]
    return path if path.is_file() else None
