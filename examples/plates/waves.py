"""Breaking waves as a woodcut, in the manner of Hokusai."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from PIL import Image

from examples.plates.carving import Block, curve, hook, ribbon, tapered
from examples.plates.noise import Canvas, Floats, color, mixed, noise, palette, picture, shade, smoothstep

LINE, INDIGO, PRUSSIAN, BLUE, PALE, CREAM = palette("14193a 1a2c5c 24508c 5b8fb4 a9c6c6 f1e8d0")
SKY = palette("5f7c96 9db0a8 d9cfa8 ecdcb4 ebc78c e2a274")
SUN = color("cf4a2e")

# Both sides of a breaker of height 1 that runs to the right, from its foot to its tip; y is up.
FRONT = [(1.25, -0.12), (0.78, 0.0), (0.42, 0.2), (0.24, 0.47), (0.27, 0.72), (0.44, 0.86), (0.62, 0.84), (0.76, 0.72)]
BACK = [(-1.35, -0.12), (-0.85, 0.2), (-0.5, 0.52), (-0.16, 0.86), (0.2, 1.06), (0.5, 1.05), (0.69, 0.92), (0.78, 0.71)]
POINTS = 90
# Widths along a claw, relative to its length.
CLAW = 0.36 * (1 - np.linspace(0, 1, 10)) ** 0.7
INKS = {"i": INDIGO, "p": PRUSSIAN, "b": BLUE, "l": PALE, "c": CREAM}
# Inks of the bands of a breaker, from its hollow to its back, and those of the lines that are carved in them.
BANDS = "ipibipbipiblipbcpiblcpbclblc"
OVER = {"i": "b", "p": "l", "b": "c", "l": "p", "c": "b"}


@dataclass
class Place:
    """Where a wave stands, and how large it is; it may run to the left."""

    x: float
    y: float
    size: float
    sense: int

    def __call__(self, points: Floats) -> Floats:
        """Points on the canvas."""
        return np.stack([self.x + self.sense * self.size * points[:, 0], self.y - self.size * points[:, 1]], axis=1)


def draw(canvas: Canvas, rng: np.random.Generator) -> Image.Image:
    """Draws it."""
    block = Block(canvas, _sky(canvas, rng))
    width, height = canvas.width, canvas.height
    _sun(block, width * rng.uniform(0.8, 0.87), height * rng.uniform(0.18, 0.26), 0.09)
    _mountain(block, width * rng.uniform(0.66, 0.8), height * 0.66, 0.17)
    for step, down in enumerate((0.63, 0.68, 0.73)):
        _swell(block, canvas, rng, height * down, 0.012 + 0.01 * step)
    for place in _places(canvas, rng):
        _breaker(block, rng, place)
        _swell(block, canvas, rng, place.y - 0.03, 0.03 + 0.07 * place.size)
    _swell(block, canvas, rng, height * 0.95, 0.045)
    return picture(_printed(canvas, rng, block.colors()))


def _places(canvas: Canvas, rng: np.random.Generator) -> list[Place]:
    """Breakers from the farthest to the nearest: the largest stands at the left."""
    width, height = canvas.width, canvas.height
    low = min(height, 1.1)
    places = [Place(width * 0.9, height * 0.77, 0.2 * low, -1), Place(width * 0.55, height * 0.76, 0.17 * low, 1)]
    if width > 1.2:
        places.append(Place(width * 0.74, height * 0.84, 0.38 * low, -1))
    places += [Place(width * 0.24, height * 0.86, 0.66 * low, 1), Place(width * 0.8, height * 0.97, 0.27 * low, -1)]
    for place in places:
        place.x += rng.normal(0, 0.02)
        place.size *= rng.uniform(0.93, 1.07)
    return places


def _sky(canvas: Canvas, rng: np.random.Generator) -> Floats:
    """A sky that is wiped darker at the top and warmer at the horizon, with bands of cloud and carved lines."""
    _, y = canvas.grid()
    place = 1.4 * y / canvas.height + 0.05 * noise(rng, canvas, (1.5, 5), 2)
    colors = shade(SKY, place)
    cloud = noise(rng, canvas, (1.5, 6.5), 2)
    lines = 2.2 * noise(rng, canvas, (0.8, 3), 2) + 24 * y
    ink = shade(palette("3f5878 8a6a4e"), place)
    width = 0.0013 * (1.2 + 0.6 * noise(rng, canvas, 6, 2))
    levels = (0.25, 0.6, 1.15)
    for level, paint in zip(levels, (SKY[3], CREAM, SKY[3]), strict=True):
        colors = mixed(colors, paint, 0.85 * smoothstep(cloud, level, level + 0.02))
    colors = mixed(colors, ink, 0.6 * _carved(canvas, np.abs(lines % 1 - 0.5), lines, width))
    for level in levels:
        colors = mixed(colors, ink, 0.9 * _carved(canvas, np.abs(cloud - level), cloud, width * 1.4))
    return colors


def _carved(canvas: Canvas, height: Floats, field: Floats, width: Floats) -> Floats:
    """Lines of even width where a height above a field's contours is 0."""
    down, right = np.gradient(field)
    away = height / (np.hypot(down, right) + 1e-4)
    half = width * canvas.unit
    line: Floats = np.clip(half + 0.5 - away, 0, 1) * np.minimum(1, 2 * half)
    return line


def _sun(block: Block, x: float, y: float, radius: float) -> None:
    block.disc(x, y, radius * 1.05, LINE)
    block.disc(x, y, radius, SUN)
    for level in np.linspace(-0.8, 0.9, 9):
        half = radius * np.sqrt(1 - level**2)
        at = np.linspace(-0.96 * half, 0.7 * half, 20)
        points = np.stack([x + at, y + level * radius + 0 * at], axis=1)
        block.line(points, tapered(20, 0.006 * (1 + level)), color("e59a5c"))


def _mountain(block: Block, x: float, y: float, size: float) -> None:
    side = curve([(-1.9, 0), (-1.0, 0.3), (-0.45, 0.66), (-0.12, 1), (0.1, 1), (0.42, 0.66), (1.0, 0.3), (1.9, 0)], 60)
    place = Place(x, y, size, 1)
    block.fill(place(side), BLUE)
    snow = [
        (-0.5, 0.62),
        (-0.35, 0.7),
        (-0.3, 0.52),
        (-0.14, 0.68),
        (-0.05, 0.45),
        (0.08, 0.66),
        (0.22, 0.5),
        (0.3, 0.72),
        (0.47, 0.61),
        (0.1, 1),
        (-0.12, 1),
    ]
    block.fill(place(np.array(snow)), CREAM)
    block.line(place(side), 0.005, LINE)


def _breaker(block: Block, rng: np.random.Generator, place: Place) -> None:
    front, back = curve(FRONT, POINTS), curve(BACK, POINTS)
    block.fill(place(np.concatenate([front, back[::-1]])), PALE)
    _bands(block, rng, place, front, back)
    for side in (front, back):
        block.line(place(side), 0.006 + 0.004 * place.size, LINE)
    crest = np.concatenate([back[int(0.40 * POINTS) :], front[: int(0.50 * POINTS) : -1]])
    _foam(block, rng, place, crest)
    _spray(block, rng, place)


def _bands(block: Block, rng: np.random.Generator, place: Place, front: Floats, back: Floats) -> None:
    """Bands of blue from the foot to the tip, between the hollow of the wave and its back."""
    t = np.linspace(0, 1, POINTS)[:, None]
    edges = np.linspace(0, 1, len(BANDS) + 1) ** 0.9
    edges[1:-1] += rng.normal(0, 0.2 / len(BANDS), len(BANDS) - 1)
    lines = [front + (back - front) * (edge + 0.014 * np.sin(7 * t + 9 * edge)) for edge in edges]
    for ink, line, other in zip(BANDS, lines[:-1], lines[1:], strict=True):
        block.fill(place(np.concatenate([line, other[::-1]])), INKS[ink])
    for index, line in enumerate(lines[1:-1]):
        ink = LINE if index > 0.6 * len(BANDS) else (CREAM, LINE, PALE, INDIGO)[index % 4]
        block.line(place(line), place.size * 0.010 * (0.3 + np.sin(np.pi * t[:, 0]) ** 2), ink)
    for ink, line, other in zip(BANDS * 4, lines[:-1] * 4, lines[1:] * 4, strict=True):
        first, last = sorted(rng.integers(0, POINTS - 12, 2))
        middle = (line + (other - line) * rng.uniform(0.3, 0.7))[first : last + 10]
        block.line(place(middle), tapered(len(middle), place.size * rng.uniform(0.004, 0.013), 0.4), INKS[OVER[ink]])


def _foam(block: Block, rng: np.random.Generator, place: Place, crest: Floats) -> None:
    """The foam along a crest: lumps, and claws that reach out of it and over the bands."""
    ahead = np.gradient(crest, axis=0)
    headings = np.unwrap(np.arctan2(ahead[:, 1], ahead[:, 0]))
    share = np.linspace(0, 1, len(crest))
    depth = 0.045 + 0.10 * np.sin(np.pi * share**0.8) ** 1.2
    inward = np.stack([np.sin(headings), -np.cos(headings)], axis=1)
    block.fill(place(ribbon(crest + inward * depth[:, None] * 0.4, depth)), CREAM)
    for row, out in ((1.0, -2.2), (0.55, -1.6), (0.1, 0.2), (-0.1, 0.95)):
        for at in rng.permutation(np.arange(0, len(crest), 2)):
            start = crest[at] + inward[at] * depth[at] * (row + rng.normal(0, 0.12))
            heading = headings[at] + out + rng.normal(0, 0.3)
            length = rng.uniform(0.07, 0.15) * (0.55 + depth[at] * 6)
            _claw(block, place, start, heading, length, rng.uniform(-3.6, -2.3) if out > -1 else rng.uniform(1.8, 3.2))


def _claw(block: Block, place: Place, start: Floats, heading: float, length: float, curl: float) -> None:
    middle = place(hook(start, heading, length, curl))
    width = length * place.size * CLAW
    block.line(middle, width + 0.0022 + 0.004 * place.size, LINE)
    block.line(middle, width, CREAM)
    block.line(middle[1:7] + 0.02 * length * place.size, width[1:7] * 0.22, BLUE)


def _spray(block: Block, rng: np.random.Generator, place: Place) -> None:
    for _ in range(90):
        at = np.array([[rng.normal(0.72, 0.28), rng.normal(0.8, 0.24)]])
        x, y = place(at)[0]
        block.disc(x, y, place.size * rng.uniform(0.002, 0.009), CREAM)


def _swell(block: Block, canvas: Canvas, rng: np.random.Generator, level: float, size: float) -> None:
    """A swell across the sheet, with lines below its edge, and foam on its crests."""
    x = np.linspace(-0.05, canvas.width + 0.05, 260)
    lengths = size * np.array([9.0, 5.2, 3.1])
    phases = rng.uniform(0, 2 * np.pi, 3)
    heights = np.cos(2 * np.pi * x[:, None] / lengths + phases)
    lift = (heights / np.array([1.5, 2.5, 3.5])).sum(1)
    crest = np.stack([x, level - size * (np.exp(0.8 * lift) - 1)], axis=1)
    block.fill(np.concatenate([crest, [[x[-1], canvas.height + 0.1], [x[0], canvas.height + 0.1]]]), INDIGO)
    inks = (CREAM, BLUE, PALE, PRUSSIAN, BLUE, PRUSSIAN, PALE, PRUSSIAN)
    for step in range(16):
        down = size * (0.10 + 0.27 * step)
        flat = level + down + (crest[:, 1] - level) * 0.93**step
        ink = inks[step % len(inks)]
        for begin in range(int(rng.integers(-30, 0)), 260, 46):
            first, last = max(0, begin), min(260, begin + int(rng.integers(32, 52)))
            if last - first > 6:
                part = np.stack([x, flat], axis=1)[first:last]
                block.line(part, tapered(last - first, size * rng.uniform(0.10, 0.22), 0.3), ink)
    block.line(crest, 0.004 + 0.03 * size, LINE)
    place = Place(0, 0, size, 1)
    for at in np.flatnonzero(lift > 0.55).tolist():
        if rng.uniform() < 0.8:
            start = np.array([x[at] / size, -crest[at, 1] / size - rng.uniform(0, 0.5)])
            _claw(block, place, start, rng.uniform(0.2, 1.9), rng.uniform(0.35, 0.8), rng.uniform(-3.4, -2.2))


def _printed(canvas: Canvas, rng: np.random.Generator, colors: Floats) -> Floats:
    """The print, with the grain of wood and paper in its ink."""
    grain = np.sin(16 * noise(rng, canvas, (0.7, 9), 2) + noise(rng, canvas, (4, 90)))
    fibers = noise(rng, canvas, (50, 170)) + noise(rng, canvas, (170, 60)) + noise(rng, canvas, 260)
    mottle = noise(rng, canvas, 14, 4)
    light = 1 + 0.022 * grain + 0.024 * fibers + 0.022 * mottle
    worn = 0.2 * smoothstep(0.7 * fibers + 0.5 * grain + 0.5 * mottle, 1.5, 3.5)
    return mixed(colors * light[..., None], CREAM, worn)
