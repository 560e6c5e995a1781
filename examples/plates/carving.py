"""Shapes with crisp edges: curves, tapered lines and polygons, drawn larger than wanted and scaled down."""

from __future__ import annotations

import numpy as np
from PIL import Image, ImageDraw

from examples.plates.noise import Canvas, Floats, picture


class Block:
    """A sheet to print on, in units; colors are (R, G, B) from 0 to 1."""

    def __init__(self, canvas: Canvas, ground: Floats) -> None:
        self._factor = 2 if canvas.unit > 700 else 3
        self._scale = canvas.unit * self._factor
        large = canvas.scaled(self._factor)
        self._image = picture(ground).resize((large.columns, large.rows), Image.Resampling.NEAREST)
        self._draw = ImageDraw.Draw(self._image)

    def fill(self, points: Floats, color: Floats) -> None:
        """Fills a polygon of (N, 2) points."""
        self._draw.polygon((points * self._scale).ravel().tolist(), fill=_bytes(color))

    def line(self, points: Floats, width: float | Floats, color: Floats) -> None:
        """Carves a line along (N, 2) points, of one width or of one for each point."""
        self.fill(ribbon(points, np.broadcast_to(width, len(points))), color)

    def disc(self, x: float, y: float, radius: float, color: Floats) -> None:
        """Fills a disc."""
        box = np.array([x - radius, y - radius, x + radius, y + radius]) * self._scale
        self._draw.ellipse(box.tolist(), fill=_bytes(color))

    def colors(self) -> Floats:
        """What is printed, (H, W, 3), at the canvas' own size."""
        return np.asarray(self._image.reduce(self._factor), dtype=np.float32) / 255


def ribbon(points: Floats, widths: Floats) -> Floats:
    """The outline of a line along points."""
    around = np.concatenate([points[:1], points, points[-1:]])
    ahead = around[2:] - around[:-2]
    half = widths / (2 * np.hypot(ahead[:, 0], ahead[:, 1]) + 1e-9)
    side = ahead[:, ::-1] * half[:, None] * np.array([-1, 1])
    return np.concatenate([points + side, (points - side)[::-1]])


def tapered(number: int, width: float, start: float = 0.15) -> Floats:
    """Widths along a line that swells to its widest near the start, and runs out."""
    t = np.linspace(0, 1, number)
    return width * np.minimum(t / start, 1) ** 0.6 * (1 - t**2.2)


def curve(points: list[tuple[float, float]], number: int) -> Floats:
    """A smooth curve through points (Catmull-Rom): (number, 2)."""
    knots = np.array([points[0], *points, points[-1]], dtype=np.float64)
    t = np.linspace(0, len(points) - 1 - 1e-6, number)
    index, t = t.astype(int), (t % 1)[:, None]
    a, b, c, d = (knots[index + offset] for offset in range(4))
    between: Floats = 0.5 * (2 * b + (c - a) * t + (2 * a - 5 * b + 4 * c - d) * t**2 + (3 * b - a - 3 * c + d) * t**3)
    return between


def hook(start: Floats, heading: float, length: float, curl: float, number: int = 10) -> Floats:
    """The middle of a claw: a curve that starts straight, and curls by so many radians in all."""
    t = np.linspace(0, 1, number)
    angle = heading + curl * t**1.5
    steps = np.stack([np.cos(angle), np.sin(angle)], axis=1) * length / number
    return start + np.cumsum(steps, axis=0)


def _bytes(color: Floats) -> tuple[int, int, int]:
    red, green, blue = (int(255 * min(max(float(part), 0), 1) + 0.5) for part in color)
    return red, green, blue
