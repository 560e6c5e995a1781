"""A window of stained glass: a blossom like a rose window, over streams of panes, and flowers below."""

from __future__ import annotations

from itertools import pairwise
from math import ceil, pi, sqrt

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from examples.plates.carving import curve, ribbon
from examples.plates.noise import (
    Canvas,
    Floats,
    blurred,
    color,
    mixed,
    noise,
    palette,
    picture,
    resized,
    shade,
    smoothstep,
)

SKY = palette("35187a 1c2c98 1850b4 2184bc 48b0b8 a2d4b4 e4dca0 5cae74 1b7f56 0e5c58 14346e")
RUBY = palette("6a0a2a a81430 d6362a f0803c")
GOLD = palette("b8561a e08a1e f4b434 fde28c")
ROSE = palette("9c2a78 d8508c f5a0b4")
VIOLET = palette("3f1f8c 7240c4 b48ae8")
LEAF = palette("0b5a3c 1f9454 8fce5c")
OPAL = palette("8fc4c8 e4ecc8 fff6dc")
LEAD = color("15141a")


class Window:
    """Panes on a canvas: the number of the pane at each pixel, and the two colors between which each pane runs."""

    def __init__(self, canvas: Canvas, labels: NDArray[np.int32], paints: list[Floats]) -> None:
        self.canvas = canvas
        self.paints = paints
        self._image = Image.fromarray(labels)
        self._draw = ImageDraw.Draw(self._image)

    def pane(self, points: Floats, paint: Floats) -> None:
        """Sets a pane in front of those that are there."""
        self._draw.polygon((points * self.canvas.unit).ravel().tolist(), fill=len(self.paints))
        self.paints.append(paint)

    def labels(self) -> NDArray[np.int32]:
        """The number of the pane at each pixel."""
        return np.asarray(self._image, dtype=np.int32)


def draw(canvas: Canvas, rng: np.random.Generator) -> Image.Image:
    """Draws it."""
    large = canvas.scaled(1 if canvas.unit > 800 else max(2, ceil(400 / canvas.unit)))
    window = _streams(large, rng)
    middle = np.array([large.width * (0.5 + rng.normal(0, 0.02)), large.height * 0.42])
    size = min(0.43 * large.height, 0.46 * large.width)
    _blossom(window, rng, middle, size)
    for across in np.arange(0.1, large.width, 0.22):
        _flower(window, rng, across + rng.normal(0, 0.02), large.height * rng.uniform(0.78, 0.9))
    colors = _lit(window, rng, middle)
    small = [resized(colors[..., channel], canvas) for channel in range(3)]
    return picture(np.stack(small, axis=2))


def _streams(canvas: Canvas, rng: np.random.Generator) -> Window:
    """Bands that flow around the middle, cut into panes."""
    x, y = canvas.grid()
    dx, dy = x - canvas.width / 2, y - canvas.height * 0.42
    distance, turn = np.hypot(dx, dy), np.arctan2(dy, dx) / (2 * np.pi)
    bend = 0.045 * noise(rng, canvas, 2.2, 2)
    band = np.floor((distance + 0.16 * np.sin(6 * np.pi * turn + 9 * distance) * distance + bend) * 19).astype(int)
    steps = rng.uniform(0, 1, 64)[band % 64]
    cuts = 9 + band // 2 * 4
    part = np.floor((turn + 0.5 + 0.5 * bend + 0.22 * distance) * cuts + steps).astype(int) % cuts
    numbers, labels = np.unique(band * 1024 + part, return_inverse=True)
    down = np.bincount(labels.ravel(), np.broadcast_to(y, band.shape).ravel())
    place = down / np.bincount(labels.ravel()) / canvas.height
    place = place + rng.normal(0, 0.09, len(numbers)) + 0.05 * (numbers // 1024 % 2)
    paints = [np.stack(pair) for pair in zip(shade(SKY, place - 0.09), shade(SKY, place + 0.09), strict=True)]
    return Window(canvas, labels.reshape(band.shape).astype(np.int32), paints)


def _blossom(window: Window, rng: np.random.Generator, middle: Floats, size: float) -> None:
    """Rings of petals, each over the ones outside of it."""
    rings = (
        (14, 0.5, 1.0, VIOLET, 0.6),
        (14, 0.4, 0.84, RUBY, 0.58),
        (11, 0.25, 0.64, GOLD, 0.6),
        (9, 0.1, 0.44, ROSE, 0.62),
        (8, 0.05, 0.26, RUBY[1:], 0.62),
    )
    for ring, (number, inner, outer, paints, width) in enumerate(rings):
        shift = rng.uniform(0, 1) if ring == 0 else ring / 2
        for step in range(number):
            angle = 2 * np.pi * (step + shift + rng.normal(0, 0.05)) / number
            reach = outer * rng.uniform(0.93, 1.05)
            _petal(window, rng, middle, size * np.array([inner, reach]), angle, 2 * np.pi / number * width, paints)
    window.pane(_circle(middle, 0.115 * size), RUBY[2:])
    window.pane(_circle(middle, 0.07 * size), OPAL[1:])


def _petal(
    window: Window, rng: np.random.Generator, middle: Floats, radii: Floats, angle: float, spread: float, paints: Floats
) -> None:
    """A petal of two halves, which leans to one side."""
    t = np.linspace(0, 1, 24)
    radius = radii[0] + (radii[1] - radii[0]) * t
    lean = angle + 0.28 * t**1.5
    belly = spread * np.sin(np.pi * t**1.25) ** 0.8
    for side, deep in ((1, 0.0), (-1, 0.22)):
        tint = deep + rng.uniform(0, 0.2)
        cuts = [int(rng.integers(9, 12)), int(rng.integers(16, 19))][: int((radii[1] > 0.18) + (radii[1] > 0.33))]
        for first, last in pairwise([0, *cuts, 24]):
            # Cuts between the pieces slant toward the tip.
            near, far = slice(first, last + 1), slice(max(0, first - 3 * (first > 0)), last + 1 - 3 * (last < 24))
            angles = np.concatenate([lean[near], (lean + side * belly)[far][::-1]])
            both = np.concatenate([radius[near], radius[far][::-1]])
            points = middle + both[:, None] * np.stack([np.cos(angles), np.sin(angles)], axis=1)
            place = tint + 0.5 * (first / 24) + rng.normal(0, 0.06)
            window.pane(points, shade(paints, np.array([place, place + 0.3])))


def _circle(middle: Floats, radius: float) -> Floats:
    angles = np.linspace(0, 2 * np.pi, 40)
    return middle + radius * np.stack([np.cos(angles), np.sin(angles)], axis=1)


def _flower(window: Window, rng: np.random.Generator, x: float, top: float) -> None:
    """A tulip on its stem, between two leaves."""
    foot = window.canvas.height + 0.03
    lean = rng.normal(0, 0.03)
    stem = curve([(x, foot), (x + lean, (foot + top) / 2), (x, top)], 30)
    for side in (1, -1):
        reach = rng.uniform(0.06, 0.1)
        blade = curve([(x, foot), (x + side * reach * 0.5, foot - 0.09), (x + side * reach, foot - 0.06 - reach)], 24)
        widths = 0.055 * np.sin(np.pi * np.linspace(0.12, 1, 24))
        half = ribbon(blade, widths)
        window.pane(half, LEAF[:2] if side > 0 else LEAF[1:])
    window.pane(ribbon(stem, np.full(30, 0.02)), LEAF[1:])
    paints = (RUBY[1:], GOLD[1:], ROSE, VIOLET)[int(rng.integers(0, 4))]
    for angle, reach in ((-2.25, 0.105), (-0.89, 0.105), (-1.57, 0.12)):
        _petal(window, rng, np.array([x, top]), np.array([0.0, reach]), angle - 0.14, 0.44, paints)


def _lit(window: Window, rng: np.random.Generator, middle: Floats) -> Floats:
    """The window with light behind it: the colors of its glass, and the lead between."""
    canvas = window.canvas
    x, y = canvas.grid()
    labels = window.labels()
    glass = _glass(window, rng, labels)
    edges = np.zeros(labels.shape, dtype=np.float32)
    edges[:, 1:] = labels[:, 1:] != labels[:, :-1]
    edges[1:] = np.maximum(edges[1:], labels[1:] != labels[:-1])
    unit = canvas.unit
    shadow = _softened(edges, 0.013 * unit)
    sun = np.exp(-((np.hypot(x - middle[0], y - middle[1]) / 0.5) ** 2))
    glass = glass * (1.06 + 0.26 * sun - 0.30 * np.clip(shadow, 0, 1.4))[..., None]
    halo = np.stack([blurred(glass[..., channel], 0.02 * unit) for channel in range(3)], axis=2)
    glass = glass + 0.16 * halo * halo
    # Softened edges are broader where several meet, as solder is.
    ridge = _softened(edges, 0.0025 * unit)
    level = np.clip(0.46 + 0.13 * noise(rng, canvas, 14, 2), 0.25, 0.7)
    lead = smoothstep((ridge - level) * max(1, 0.0025 * unit), -0.45, 0.45)
    down, right = np.gradient(np.minimum(ridge, 1.2) + 0.05 * noise(rng, canvas, 110, 2))
    light = -(down + right) * 0.0025 * unit
    metal = LEAD * (1 + 0.9 * light[..., None]) + 0.55 * np.clip(light - 0.22, 0, 0.7)[..., None] * color("c8d0dc")
    return mixed(glass, metal, lead)


def _softened(edges: Floats, radius: float) -> Floats:
    """Blurred edges; a straight one is 1 at its middle."""
    size = max(1.0, radius)
    return blurred(edges, size) * np.float32(sqrt(2 * pi * size * (size + 1)))


def _glass(window: Window, rng: np.random.Generator, labels: NDArray[np.int32]) -> Floats:
    """The glass of each pane: streaks between its two colors, ripples and seeds."""
    canvas = window.canvas
    x, y = canvas.grid()
    paints = np.stack(window.paints).astype(np.float32)
    count = np.bincount(labels.ravel(), minlength=len(paints)).clip(1)
    away = [
        np.broadcast_to(at, labels.shape)
        - (np.bincount(labels.ravel(), np.broadcast_to(at, labels.shape).ravel(), len(paints)) / count)[labels]
        for at in (x, y)
    ]
    distance = np.hypot(*away) / np.sqrt(count / canvas.unit**2)[labels]
    wisps = noise(rng, canvas, (9, 26), 3)
    other = noise(rng, canvas, (26, 9), 3)
    streak = np.where(labels % 2 == 0, wisps, other)
    share = smoothstep(0.85 - distance + 0.38 * streak, 0, 1)
    glass = mixed(paints[:, 0][labels], paints[:, 1][labels], share)
    ripple = noise(rng, canvas, 34, 2) + 0.5 * streak
    down, right = np.gradient(ripple)
    light = np.tanh((down + right) * canvas.unit / 90)
    seeds = smoothstep(noise(rng, canvas, 130), 2.5, 3.1)
    seen: Floats = glass * (1 + 0.17 * light + 0.06 * streak)[..., None] + 0.2 * seeds[..., None]
    return seen
