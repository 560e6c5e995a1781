"""Style pictures that are drawn by code: paintings to render from, of any size, and of no one's rights.

python -m examples.plates swirls waves --size 768x512 -o plates
"""

from __future__ import annotations

import zlib
from collections.abc import Callable
from types import MappingProxyType

import numpy as np
from PIL import Image

from examples.plates import dots, glass, ink, swirls, waves
from examples.plates.noise import Canvas

PLATES: MappingProxyType[str, Callable[[Canvas, np.random.Generator], Image.Image]] = MappingProxyType(
    {"swirls": swirls.draw, "waves": waves.draw, "glass": glass.draw, "dots": dots.draw, "ink": ink.draw}
)


def draw(name: str, width: int, height: int, seed: int = 0) -> Image.Image:
    """Draws a plate: the same composition at each size of one aspect ratio, another of each seed."""
    return PLATES[name](Canvas(width, height), np.random.default_rng([zlib.crc32(name.encode()), seed]))
