"""A canvas that measures in its own unit, and smooth noise on it.

The unit is the square root of the canvas' area. Whatever is placed and sized in units, and looked up in fields of the
draft, is the same composition at every size of one aspect ratio.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil, sqrt
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray
from PIL import Image

Floats: TypeAlias = NDArray[np.floating[Any]]

# Pixels of a unit in drafts: enough for directions and colors of strokes, and quick to compute.
DRAFT = 320


@dataclass(frozen=True)
class Canvas:
    """A canvas of so many pixels."""

    columns: int
    rows: int

    @property
    def unit(self) -> float:
        """Pixels of a unit."""
        return sqrt(self.columns * self.rows)

    @property
    def width(self) -> float:
        """Width in units."""
        return self.columns / self.unit

    @property
    def height(self) -> float:
        """Height in units."""
        return self.rows / self.unit

    @property
    def coarseness(self) -> float:
        """How much larger strokes are than on other canvases: on small ones, they would be narrower than pixels."""
        return min(max(160 / self.unit, 1), 3)

    def scaled(self, factor: float) -> Canvas:
        """The canvas with so many times the pixels along each side."""
        return Canvas(max(1, round(self.columns * factor)), max(1, round(self.rows * factor)))

    def draft(self) -> Canvas:
        """The canvas at the resolution of drafts."""
        return self.scaled(DRAFT / self.unit if self.unit > DRAFT / 2 else max(2, ceil(64 / self.unit)))

    def grid(self) -> tuple[Floats, Floats]:
        """x as a row and y as a column, in units, at the centers of the pixels."""
        x = (np.arange(self.columns, dtype=np.float32) + 0.5) * np.float32(self.width / self.columns)
        y = (np.arange(self.rows, dtype=np.float32) + 0.5) * np.float32(self.height / self.rows)
        return x[None, :], y[:, None]

    def look_up(self, field: Floats, x: Floats, y: Floats) -> Floats:
        """Values of a field of this canvas' aspect ratio, at points in units; beyond the edge, those at the edge."""
        rows, columns = field.shape[:2]
        i = np.clip((y / self.height * rows).astype(int), 0, rows - 1)
        j = np.clip((x / self.width * columns).astype(int), 0, columns - 1)
        found: Floats = field[i, j]
        return found


def resized(field: Floats, canvas: Canvas, box: tuple[float, float, float, float] | None = None) -> Floats:
    """A field, or its box, interpolated to the pixels of a canvas."""
    image = Image.fromarray(np.ascontiguousarray(field, dtype=np.float32))
    return np.asarray(image.resize((canvas.columns, canvas.rows), Image.Resampling.BICUBIC, box=box), dtype=np.float32)


def noise(rng: np.random.Generator, canvas: Canvas, frequency: float | tuple[float, float], octaves: int = 1) -> Floats:
    """Smooth noise of mean 0 and deviation of about 1, with so many bumps to the unit (along x and along y)."""
    x, y = frequency if isinstance(frequency, tuple) else (frequency, frequency)
    total = np.zeros((canvas.rows, canvas.columns), dtype=np.float32)
    for octave in range(octaves):
        total += _octave(rng, canvas, x * 2**octave, y * 2**octave) * np.float32(0.5**octave)
    return total / np.float32(sqrt(sum(0.25**octave for octave in range(octaves))))


def _octave(rng: np.random.Generator, canvas: Canvas, x: float, y: float) -> Floats:
    across, down = canvas.width * x, canvas.height * y
    lattice = rng.normal(0, 1.5, (ceil(down) + 4, ceil(across) + 4)).astype(np.float32)
    left, top = rng.uniform(1, 2, 2)
    return resized(lattice, canvas, (left, top, left + across, top + down))


def blurred(field: Floats, radius: float) -> Floats:
    """A field after three box blurs of so many pixels to each side; beyond the edge, it goes on as at the edge."""
    factor = int(radius / 2) if radius > 3 else 1
    canvas = Canvas(field.shape[1], field.shape[0])
    small = resized(field, canvas.scaled(1 / factor)) if factor > 1 else field
    for _ in range(3):
        small = _box(_box(small, radius / factor).T, radius / factor).T
    return resized(small, canvas) if factor > 1 else small


def _box(field: Floats, radius: float) -> Floats:
    size = ceil(radius)
    padded: Floats = np.pad(field, ((size, size), (0, 0)), mode="edge")
    inner = sum(padded[shift : shift + len(field)] for shift in range(1, 2 * size))
    # The outermost rows count in part, so that the blur grows evenly with the radius.
    outer = (padded[: len(field)] + padded[2 * size :]) * np.float32(radius - size + 1)
    mean: Floats = (inner + outer) / np.float32(2 * radius + 1)
    return mean


def smoothstep(field: Floats, low: float, high: float) -> Floats:
    """0 below low, 1 above high, and smooth between."""
    t = np.clip((field - np.float32(low)) / np.float32(high - low), 0, 1)
    step: Floats = t * t * (3 - 2 * t)
    return step


def mixed(a: Floats, b: Floats, share: Floats) -> Floats:
    """Colors a, with so much of colors b."""
    share = share[..., None]
    return a + (b - a) * share


def color(code: str) -> Floats:
    """A color, from its hexadecimal code.

    Example:
        >>> color("ff0000").tolist()
        [1.0, 0.0, 0.0]
    """
    return np.frombuffer(bytes.fromhex(code), dtype=np.uint8).astype(np.float32) / 255


def palette(codes: str) -> Floats:
    """Colors, from their codes: (N, 3)."""
    return np.stack([color(code) for code in codes.split()])


def shade(colors: Floats, place: Floats) -> Floats:
    """Colors between those of a palette, at places from 0 to 1."""
    at = np.clip(place, 0, 1) * np.float32(len(colors) - 1)
    low = np.minimum(at.astype(int), len(colors) - 2)
    return mixed(colors[low], colors[low + 1], at - low)


def picture(colors: Floats) -> Image.Image:
    """The image of colors from 0 to 1: (H, W, 3)."""
    return Image.fromarray((np.clip(colors, 0, 1) * 255 + 0.5).astype(np.uint8))
