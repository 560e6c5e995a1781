"""Brush strokes with bristles and thickness, and the light that falls on them."""

from __future__ import annotations

from dataclasses import dataclass, fields
from math import cos, sin

import numpy as np
from numpy.typing import NDArray

from examples.plates.noise import Canvas, Floats, resized

BRISTLES = (48, 512)


@dataclass
class Strokes:
    """Strokes to be painted one after the other: an array entry each; lengths in units, angles in radians."""

    x: Floats
    y: Floats
    angle: Floats
    length: Floats
    width: Floats
    bend: Floats  # how far the angle turns from one end to the other
    color: Floats  # (N, 3)

    @staticmethod
    def joined(groups: list[Strokes]) -> Strokes:
        """The strokes of several groups, one group after the other."""
        names = [field.name for field in fields(Strokes)]
        return Strokes(**{name: np.concatenate([getattr(group, name) for group in groups]) for name in names})


@dataclass
class Brush:
    """How strokes are painted."""

    dryness: float = 0.35  # how much of the paint gives out toward the end
    streaks: float = 0.10  # how much the color differs between bristles
    thickness: float = 0.35  # of the paint, relative to the width of the stroke
    taper: float = 0.45  # how much narrower the end is than the beginning


class Easel:
    """Paint on a canvas: its colors and its thickness in pixels."""

    def __init__(self, canvas: Canvas, ground: Floats, rng: np.random.Generator) -> None:
        self.canvas = canvas
        self._colors = np.broadcast_to(ground, (canvas.rows, canvas.columns, 3)).astype(np.float32).reshape(-1, 3)
        self._thickness = np.zeros(canvas.rows * canvas.columns, dtype=np.float32)
        self._centers = np.arange(max(canvas.columns, canvas.rows), dtype=np.float32) + np.float32(0.5)
        self._rng = rng
        self._bristles = _bristles(rng)

    def paint(self, strokes: Strokes, brush: Brush) -> None:
        """Paints strokes, one over the other."""
        unit = self.canvas.unit
        skips = self._rng.integers(0, BRISTLES[1] // 2, len(strokes.x))
        places = (strokes.x * unit, strokes.y * unit, strokes.angle)
        sizes = (strokes.length * unit / 2, strokes.width * unit / 2, strokes.bend, skips)
        columns = [column.tolist() for column in (*places, *sizes)]
        for x, y, angle, reach, half, bend, skip, paint in zip(*columns, strokes.color, strict=True):
            self._touch(x, y, angle, reach, half, bend, skip, paint, brush)

    def _touch(
        self,
        x: float,
        y: float,
        angle: float,
        reach: float,
        half: float,
        bend: float,
        skip: int,
        paint: Floats,
        brush: Brush,
    ) -> None:
        """Paints a stroke: its center, half its length and half its width in pixels."""
        cosine, sine, sag = cos(angle), sin(angle), bend * reach / 4
        span = half + abs(sag) + 1
        right, down = reach * abs(cosine) + span * abs(sine), reach * abs(sine) + span * abs(cosine)
        left, top = max(0, int(x - right)), max(0, int(y - down))
        columns = self._centers[left : min(self.canvas.columns, int(x + right) + 2)] - x
        rows = self._centers[top : min(self.canvas.rows, int(y + down) + 2)] - y
        along = (columns * (cosine / reach))[None, :] + (rows * (sine / reach))[:, None]
        # A parabola, which differs little from an arc where a stroke turns by less than a radian.
        across = (rows * cosine + sag / 3)[:, None] - (columns * sine)[None, :] - along * along * sag
        near = np.flatnonzero((np.abs(across) < half + 0.5) & (np.abs(along) < 1))
        if near.size:
            row, column = np.divmod(near, len(columns))
            at = row * self.canvas.columns + column + (top * self.canvas.columns + left)
            self._lay(at, along.ravel()[near], across.ravel()[near], half, skip, paint, brush)

    def _lay(
        self, at: NDArray[np.intp], along: Floats, across: Floats, half: float, skip: int, paint: Floats, brush: Brush
    ) -> None:
        """Lays paint on pixels, by where they are along the stroke (-1 to 1) and across it (in pixels)."""
        square = along * along
        progress = along * 0.5 + 0.5
        width = np.sqrt(1 - square * square) * (half - brush.taper * half * progress)
        hairs = (across * ((BRISTLES[0] / 2 - 0.1) / (half + 0.5)) + BRISTLES[0] / 2).astype(np.intp)
        hairs *= BRISTLES[1]
        hairs += (progress * (BRISTLES[1] / 2 - 1) + skip).astype(np.intp)
        bristle = self._bristles[hairs]
        # Narrow strokes on small canvases cover a part of their pixels only.
        cover = np.minimum(np.maximum(width - np.abs(across) + 0.5, 0), np.minimum(1, 2 * width))
        wet = 3 * bristle + 4 - 6.6 * brush.dryness * (square + 1) * progress
        cover *= np.minimum(np.maximum(wet, 0), 1)
        colors = self._colors[at]
        self._colors[at] = colors + (paint + brush.streaks * bristle[:, None] - colors) * cover[:, None]
        rim = across / np.maximum(width, np.abs(across) + 0.01)
        height = (1 + 0.45 * bristle + 0.5 * rim * rim) * (half * brush.thickness)
        thickness = self._thickness[at]
        self._thickness[at] = thickness + (height - 0.75 * thickness) * cover

    def colors(self) -> Floats:
        """The colors of the paint: (H, W, 3)."""
        return self._colors.reshape(self.canvas.rows, self.canvas.columns, 3)

    def lit(self, strength: float = 0.5, gloss: float = 0.15) -> Floats:
        """The colors under a light from the upper left, which shows the thickness of the paint."""
        thickness = self._thickness.reshape(self.canvas.rows, self.canvas.columns)
        down, right = np.gradient(np.pad(thickness, 1, mode="edge"))
        light: Floats = np.tanh(0.7 * (down + right))[1:-1, 1:-1, None]
        seen: Floats = self.colors() * (1 + strength * light) + gloss * np.maximum(light, 0) ** 2
        return seen


def _bristles(rng: np.random.Generator) -> Floats:
    """Streaks along the columns, -1 to 1, row after row."""
    fine = rng.normal(0, 1, (BRISTLES[0], 14))
    broad = rng.normal(0, 1, (BRISTLES[0] // 4, 8))
    canvas = Canvas(BRISTLES[1], BRISTLES[0])
    return np.tanh(0.75 * resized(fine, canvas) + 0.6 * resized(broad, canvas)).ravel()


def scattered(rng: np.random.Generator, canvas: Canvas, number: int, margin: float = 0.02) -> tuple[Floats, Floats]:
    """About so many points, in units, evenly spread in random order: a jittered grid."""
    width, height = canvas.width + 2 * margin, canvas.height + 2 * margin
    step = (width * height / number) ** 0.5
    across, down = round(width / step) or 1, round(height / step) or 1
    j, i = np.meshgrid(np.arange(across), np.arange(down))
    order = rng.permutation(j.size)
    x = (j.ravel()[order] + rng.uniform(0, 1, j.size)) * width / across - margin
    y = (i.ravel()[order] + rng.uniform(0, 1, j.size)) * height / down - margin
    return x.astype(np.float32), y.astype(np.float32)
