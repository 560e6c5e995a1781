"""A sunset over water in dots of divided color, in the manner of Seurat and Signac."""

from __future__ import annotations

import numpy as np
from PIL import Image

from examples.plates.noise import Canvas, Floats, color, mixed, noise, palette, picture, shade, smoothstep
from examples.plates.strokes import Brush, Easel, Strokes, scattered

SKY = palette("4a6cb8 6f92cf 8fb9d6 b7d3c4 f0dfa0 f9c878 f5a070 e58c8c")
HILLS = palette("4b4a93 6a62ad 8f78b4 c78fa6")
LEAVES = palette("14284f 1c4a5c 2b7350 5b9c4a a8bf45 e6d65c")
SHORE = palette("5a3f7a 8a4f78 b8685a d99a4e ead07a")
PIGMENTS = palette(
    "1f2f86 2c59b3 3f8fd0 7cc0e0 1f7a6a 3fa35c 9cc44a f3e04e f7b52c f07f2a de4a36 d55a8c 9a4fa3 5b3f9c f6efd8 f4c9b8"
)
# Number of the dots of each coat, and their width in units.
COATS = ((2900, 0.0225), (4200, 0.016), (3200, 0.011))


def draw(canvas: Canvas, rng: np.random.Generator) -> Image.Image:
    """Draws it."""
    colors, angle = _view(canvas.draft(), rng)
    easel = Easel(canvas, color("e9dcc4"), rng)
    for coat, (number, width) in enumerate(COATS):
        coarse = canvas.coarseness
        dots = _dots(colors, angle, canvas, rng, round(number / coarse**2), width * coarse)
        dots.color = _divided(dots.color, rng, 0.3 + 0.12 * coat)
        easel.paint(dots, Brush(dryness=0.12, streaks=0.04, thickness=0.32, taper=0.12))
    return picture(easel.lit(0.34, 0.08))


def _dots(
    colors: Floats, angle: Floats, canvas: Canvas, rng: np.random.Generator, number: int, width: float
) -> Strokes:
    x, y = scattered(rng, canvas, number)
    widths = (width * rng.uniform(0.7, 1.3, x.shape)).astype(np.float32)
    return Strokes(
        x,
        y,
        canvas.look_up(angle, x, y) + rng.normal(0, 0.22, x.shape),
        widths * rng.uniform(1.15, 1.9, x.shape),
        widths,
        rng.normal(0, 0.35, x.shape),
        canvas.look_up(colors, x, y),
    )


def _divided(targets: Floats, rng: np.random.Generator, share: float) -> Floats:
    """Colors with a share of a pigment each: often one that is near, now and then the complement."""
    far = np.square(targets[:, None] - PIGMENTS[None]).sum(2)
    chance = np.exp(-far / 0.085)
    complement = np.square(2 * targets.mean(1)[:, None, None] - targets[:, None] - PIGMENTS[None]).sum(2)
    chance /= chance.sum(1, keepdims=True)
    other = np.exp(-complement / 0.06)
    chance += 0.15 * other / other.sum(1, keepdims=True)
    chance /= chance.sum(1, keepdims=True)
    chosen = (chance.cumsum(1) < rng.uniform(0, 1, (len(targets), 1))).sum(1).clip(0, len(PIGMENTS) - 1)
    light = rng.normal(0, 0.045, (len(targets), 1))
    divided: Floats = targets + share * (PIGMENTS[chosen] - targets) + light
    return divided


def _view(draft: Canvas, rng: np.random.Generator) -> tuple[Floats, Floats]:
    """The colors of the view, and which way its dots lie."""
    _, y = draft.grid()
    horizon = draft.height * 0.56
    sun = (draft.width * rng.uniform(0.5, 0.66), horizon - 0.18)
    sky, angle = _sky(draft, rng, horizon, sun)
    colors = _water(draft, rng, _hills(draft, rng, sky, horizon), horizon, sun)
    wet = np.broadcast_to(y > horizon, angle.shape)
    angle = np.where(wet, 0.12 * noise(rng, draft, (3, 12)), angle)
    for across, down, size in ((0.40, 0.10, 0.24), (0.52, 0.03, 0.11), (0.86, 0.05, 0.15), (0.75, 0.015, 0.07)):
        colors = _boat(draft, colors, draft.width * (across + rng.normal(0, 0.02)), horizon + down, size)
    colors, angle = _shore(draft, rng, colors, angle)
    return _tree(draft, rng, colors, angle)


def _sky(draft: Canvas, rng: np.random.Generator, horizon: float, sun: tuple[float, float]) -> tuple[Floats, Floats]:
    x, y = draft.grid()
    distance = np.hypot(x - sun[0], y - sun[1])
    clouds = noise(rng, draft, (2.2, 6.5), 3)
    place = 0.97 * (y / horizon) ** 0.85 + 0.055 * clouds
    colors = shade(SKY, place)
    colors = mixed(colors, color("f6d9c4"), 0.75 * smoothstep(clouds, 0.35, 1.5))
    colors = mixed(colors, color("8d83bd"), 0.6 * smoothstep(-clouds, 0.5, 1.6))
    colors = mixed(colors, color("fbd65e"), 0.85 * np.exp(-((distance / 0.16) ** 1.5)))
    colors = mixed(colors, color("fffbe0"), smoothstep(-distance, -0.052, -0.043))
    # Dots lie along circles about the sun.
    return colors, np.arctan2(y - sun[1], x - sun[0]) + np.pi / 2 + 0.3 * noise(rng, draft, 4)


def _hills(draft: Canvas, rng: np.random.Generator, colors: Floats, horizon: float) -> Floats:
    _, y = draft.grid()
    for level, height in enumerate((0.11, 0.055)):
        ridge = horizon - height * (0.8 + 0.24 * noise(rng, draft, (2.2 + 2 * level, 0.01), 3)[:1])
        place = 0.75 - 0.3 * level + 0.25 * noise(rng, draft, 7, 2)
        colors = mixed(colors, shade(HILLS, place), smoothstep(y - ridge, -0.003, 0.003))
    return colors


def _water(draft: Canvas, rng: np.random.Generator, colors: Floats, horizon: float, sun: tuple[float, float]) -> Floats:
    """The view with its lower part under water, which mirrors the upper in waves."""
    x, y = draft.grid()
    depth = y - horizon
    ripple = noise(rng, draft, (5, 34), 2)
    mirrored = draft.look_up(
        colors, x + 0.008 * ripple, horizon - 0.003 - 0.9 * np.abs(depth) * (1 + 0.22 * ripple) + 0 * x
    )
    water = mixed(0.86 * mirrored, color("2f6fae"), 0.28 + 0.5 * smoothstep(ripple, -0.2, 1.2) * (0.5 + depth))
    glitter = np.exp(-(((x - sun[0]) / (0.035 + 0.22 * np.abs(depth))) ** 2)) * smoothstep(ripple, -0.5, 0.7)
    water = mixed(water, color("ffdc6a"), 0.85 * glitter)
    return mixed(colors, water, smoothstep(depth + 0 * x, -0.002, 0.002))


def _boat(draft: Canvas, colors: Floats, at: float, foot: float, size: float) -> Floats:
    """A boat with two sails, and what the water mirrors of it."""
    x, y = draft.grid()
    for down, share in ((1.0, 0.55), (-1.0, 1.0)):
        height = down * (y - foot) / size
        across = (x - at) / size
        for side, paint in ((1, "f7ead0"), (-1, "f09a4a")):
            sail = np.minimum(0.34 * (1 - height) - side * across, side * across + 0.015)
            colors = mixed(colors, color(paint), share * smoothstep(np.minimum(sail, height - 0.1), -0.015, 0.015))
        hull = np.minimum(0.1 - np.abs(height - 0.02), 0.4 - np.abs(across) + 0.6 * height)
        colors = mixed(colors, color("4a2f6e"), share * smoothstep(hull, -0.015, 0.015))
    return colors


def _shore(draft: Canvas, rng: np.random.Generator, colors: Floats, angle: Floats) -> tuple[Floats, Floats]:
    x, y = draft.grid()
    edge = draft.height * (0.93 - 0.16 * np.exp(-((x / draft.width / 0.5) ** 2)))
    edge = edge + 0.02 * noise(rng, draft, (3, 0.01), 2)[:1]
    land = smoothstep(y - edge, -0.004, 0.004)
    tufts = noise(rng, draft, (9, 14), 2)
    ground = mixed(shade(SHORE, 0.55 + 0.3 * tufts), shade(LEAVES, 0.55 + 0.2 * tufts), smoothstep(tufts, -0.4, 0.6))
    return mixed(colors, ground, land), np.where(land > 0.5, -1.2 + 0.5 * noise(rng, draft, 6), angle)


def _tree(draft: Canvas, rng: np.random.Generator, colors: Floats, angle: Floats) -> tuple[Floats, Floats]:
    """A pine at the left, whose crowns are lit from the right."""
    x, y = draft.grid()
    root, top = draft.width * 0.13, draft.height * 0.2
    bow = root + 0.05 * np.sin(3.2 * (y / draft.height - 0.2)) + 0.012 * noise(rng, draft, (0.01, 4))[:, :1]
    trunk = smoothstep(0.013 + 0.012 * y / draft.height - np.abs(x - bow), -0.003, 0.003)
    trunk = trunk * ((y > top) & (y < draft.height * 0.86))
    colors = mixed(colors, shade(palette("3a2a66 7a3f6a c8683f"), 0.5 + (x - bow) / 0.04), trunk)
    crown, lit = np.zeros_like(trunk), np.zeros_like(trunk)
    edge = 0.28 * noise(rng, draft, 16)
    for _ in range(17):
        h, k = root + rng.uniform(-0.13, 0.19), top + rng.uniform(-0.1, 0.15)
        wide, tall = rng.uniform(0.05, 0.10), rng.uniform(0.03, 0.055)
        blob = 1 - np.hypot((x - h) / wide, (y - k) / tall) + edge
        inside = smoothstep(blob, -0.03, 0.06)
        light = 0.42 + 0.3 * (x - h) / wide - 0.28 * (y - k) / tall + 0.06 * rng.normal()
        lit = lit + (light - lit) * inside
        crown = np.maximum(crown, inside)
    colors = mixed(colors, shade(LEAVES, lit + 0.06 * noise(rng, draft, 20)), crown)
    return colors, np.where(crown > 0.5, 0.8 * noise(rng, draft, 7), np.where(trunk > 0.5, 1.45, angle))
