"""What both sides know of the VGG networks: the names of their layers, and where torchvision keeps their weights."""

from __future__ import annotations

import os
from functools import cache
from pathlib import Path
from typing import Literal

Architecture = Literal["vgg19", "vgg16"]

CONVOLUTIONS: dict[Architecture, tuple[int, ...]] = {"vgg19": (2, 2, 4, 4, 4), "vgg16": (2, 2, 3, 3, 3)}
CHANNELS = (64, 128, 256, 512, 512)

# torchvision's weights enum (VGG19_Weights.IMAGENET1K_V1, ...) keeps its download under this name; the digits are the
# first of the file's SHA-256. Written down here because a producer has no torchvision; a test compares.
PRETRAINED_FILES: dict[Architecture, str] = {"vgg19": "vgg19-dcbb9e9d.pth", "vgg16": "vgg16-397923af.pth"}


@cache
def layer_names(architecture: Architecture) -> tuple[str, ...]:
    """Every layer that a loss can name: "conv1_1", "relu1_1", ... "relu5_4"."""
    return tuple(
        f"{kind}{block}_{index}"
        for block, count in enumerate(CONVOLUTIONS[architecture], start=1)
        for index in range(1, count + 1)
        for kind in ("conv", "relu")
    )


def smallest_side(layer: str) -> int:
    """The shortest side, in pixels, of a picture that still has a feature at `layer`: each pooling halves it."""
    block = int(layer[4])
    return 1 << (block - 1)


def cached_weights(architecture: Architecture) -> Path | None:
    """The pretrained weights in torchvision's own download cache on this machine, if they are there."""
    try:
        cache = Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser()
    except RuntimeError:  # a user without a home has no cache either
        return None
    hub = Path(os.environ.get("TORCH_HOME") or cache / "torch") / "hub" / "checkpoints"
    path = hub / PRETRAINED_FILES[architecture]
    return path if path.is_file() else None
