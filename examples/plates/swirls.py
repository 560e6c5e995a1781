"""A night sky of whirling strokes over hills and a cypress, in the manner of van Gogh."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from PIL import Image

from examples.plates.noise import Canvas, Floats, color, noise, palette, picture, shade, smoothstep
from examples.plates.strokes import Brush, Easel, Strokes, scattered

NIGHT = palette("0a1433 10235a 173a86 2257a8 3f7fc0 74a9cf a9cbd0 dfe3c0")
LIGHT = palette("5d9aa6 a9c49a e8cc57 f4a823 e9781a f7c534 fde98f fffbdc")
HILLS = palette("0d1f3a 14385a 1c5a6e 3b7f77 7da36a c5b85a")
CYPRESS = palette("0b1414 16281c 24402a 44602f 6b5a2a")
# Where the large whirls are (shares of width and height), their radius in units, and which way they turn.
WHIRLS = ((0.45, 0.36, 0.17, 1), (0.70, 0.52, 0.12, -1), (0.06, 0.60, 0.10, 1))
CYPRESS_AT = 0.17
# Number, length and width of the strokes of each coat, in units.
COATS = ((2000, 0.10, 0.025), (4200, 0.066, 0.0155), (3000, 0.05, 0.0105))


class Star(NamedTuple):
    """A star, or the moon, in units."""

    x: float
    y: float
    radius: float


@dataclass
class Scene:
    """Fields of the draft: which way strokes go, how light they are, and what they show."""

    angle: Floats
    sky: Floats
    glow: Floats
    hills: Floats
    ground: Floats
    cypress: Floats
    stars: list[Star]


def draw(canvas: Canvas, rng: np.random.Generator) -> Image.Image:
    """Draws it."""
    scene = _scene(canvas.draft(), rng)
    easel = Easel(canvas, color("0d1a44"), rng)
    for coat, (number, length, width) in enumerate(COATS):
        coarse = canvas.coarseness
        strokes = _strokes(scene, canvas, rng, round(number / coarse**2), length * coarse, width * coarse)
        easel.paint(strokes, Brush(dryness=0.25 + 0.12 * coat))
    easel.paint(_hearts(scene, rng), Brush(dryness=0.1, thickness=0.5))
    return picture(easel.lit(0.42, 0.12))


def _strokes(
    scene: Scene, canvas: Canvas, rng: np.random.Generator, number: int, length: float, width: float
) -> Strokes:
    x, y = scattered(rng, canvas, number)
    angle = canvas.look_up(scene.angle, x, y) + rng.normal(0, 0.06, x.shape)
    glow = canvas.look_up(scene.glow, x, y)
    reach = (length * rng.uniform(0.6, 1.25, x.shape) * (1 - 0.45 * np.clip(glow, 0, 1))).astype(np.float32)
    ahead, behind = (
        canvas.look_up(scene.angle, x + side * np.cos(angle) * reach / 2, y + side * np.sin(angle) * reach / 2)
        for side in (1, -1)
    )
    # Strokes do not bend from one thing into the next.
    limit = np.where(canvas.look_up(scene.cypress, x, y) + canvas.look_up(scene.ground, x, y) > 0, 0.5, 1.3)
    bend = np.clip(np.angle(np.exp(1j * (ahead - behind))), -limit, limit)
    return Strokes(
        x,
        y,
        angle,
        reach,
        (width * rng.uniform(0.75, 1.3, x.shape)).astype(np.float32),
        bend.astype(np.float32),
        _colors(scene, canvas, rng, x, y),
    )


def _hearts(scene: Scene, rng: np.random.Generator) -> Strokes:
    """Dabs of the lightest paint in the middle of each star."""
    stars = np.repeat(np.array([tuple(star) for star in scene.stars], dtype=np.float32), 7, axis=0)
    angle = rng.uniform(0, 2 * np.pi, len(stars)).astype(np.float32)
    away = stars[:, 2] * 0.2 * np.tile(np.sqrt(np.arange(6, -1, -1) / 7), len(scene.stars)).astype(np.float32)
    x, y = stars[:, 0] + away * np.sin(angle), stars[:, 1] - away * np.cos(angle)
    size = np.sqrt(stars[:, 2] / 0.05)
    paints = shade(LIGHT[-3:], rng.uniform(0.35, 1, len(stars)).astype(np.float32))
    return Strokes(x, y, angle, 0.026 * size, 0.011 * size, np.full_like(angle, 0.9), paints)


def _colors(scene: Scene, canvas: Canvas, rng: np.random.Generator, x: Floats, y: Floats) -> Floats:
    jitter = rng.normal(0, 0.11, x.shape)
    glow = canvas.look_up(scene.glow, x, y)
    paints = shade(NIGHT, canvas.look_up(scene.sky, x, y) + jitter)
    lit = glow + rng.normal(0, 0.09, x.shape) > 0.28
    paints[lit] = shade(LIGHT, glow + jitter)[lit]
    hills = canvas.look_up(scene.ground, x, y) > 0.5
    paints[hills] = shade(HILLS, canvas.look_up(scene.hills, x, y) + 1.2 * jitter)[hills]
    cypress = canvas.look_up(scene.cypress, x, y)
    dark = cypress > 0.5
    paints[dark] = shade(CYPRESS, 0.35 + 2.2 * jitter)[dark]
    return (paints + rng.normal(0, 0.018, paints.shape)).astype(np.float32)


def _scene(draft: Canvas, rng: np.random.Generator) -> Scene:
    _, y = draft.grid()
    horizon = draft.height * (0.78 + 0.035 * noise(rng, draft, (2.2, 0.01), 2)[:1])
    u, v = _wind(draft, rng)
    sky = 0.30 + 0.10 * noise(rng, draft, 4, 2) + 0.10 * np.sin(26 * (y + 0.03 * noise(rng, draft, 2.5)))
    u, v, sky = _whirls(draft, rng, u, v, sky)
    stars = _sky(draft, rng)
    u, v, glow, halo = _stars(draft, stars, u, v)
    ground = smoothstep(y - horizon, -0.004, 0.004)
    hills, slope = _hills(draft, rng, y - horizon)
    strength = np.hypot(u, v) + 1e-6
    u, v = u / strength, v / strength
    u, v = u * (1 - ground) + ground, v * (1 - ground) + ground * slope
    cypress, lean = _cypress(draft, rng)
    u, v = u * (1 - cypress) + 2 * cypress * lean, v * (1 - cypress) - 2 * cypress
    return Scene(np.arctan2(v, u), sky + 0.34 * halo, glow * (1 - ground), hills, ground, cypress, stars)


def _wind(draft: Canvas, rng: np.random.Generator) -> tuple[Floats, Floats]:
    down, right = np.gradient(noise(rng, draft, 2.6, 2))
    scale = 0.55 / (np.hypot(down, right).mean() + 1e-9)
    return 0.8 + down * scale, -right * scale


def _whirls(
    draft: Canvas, rng: np.random.Generator, u: Floats, v: Floats, sky: Floats
) -> tuple[Floats, Floats, Floats]:
    """The large whirls, with light along their spirals."""
    x, y = draft.grid()
    for across, down, radius, sense in WHIRLS:
        dx = x - draft.width * (across + rng.normal(0, 0.03))
        dy = y - draft.height * (down + rng.normal(0, 0.03))
        distance = np.hypot(dx, dy) + 1e-6
        pull = 3.2 * np.exp(-((distance / (1.15 * radius)) ** 2))
        turn = sense * pull / distance
        u, v = u - dy * turn - 0.25 * dx * pull / distance, v + dx * turn - 0.25 * dy * pull / distance
        arms = np.cos(2 * np.arctan2(dy, dx) - sense * 11 * np.sqrt(distance / radius))
        sky = sky + np.exp(-((distance / (1.3 * radius)) ** 4)) * (0.12 + 0.34 * arms)
    return u, v, sky


def _sky(draft: Canvas, rng: np.random.Generator) -> list[Star]:
    """A moon, and stars clear of each other and of the large whirls."""
    stars = [Star(draft.width * 0.87, draft.height * 0.17, 0.095)]
    taken = [(draft.width * across, draft.height * down, 0.75 * radius) for across, down, radius, _ in WHIRLS]
    taken += [(draft.width * CYPRESS_AT, draft.height * (0.1 * step + 0.05), 0.04) for step in range(2, 8)]
    for _ in range(600):
        x, y = draft.width * rng.uniform(0.05, 0.96), draft.height * rng.uniform(0.07, 0.66)
        radius = rng.uniform(0.03, 0.058)
        others = [*taken, *((star.x, star.y, star.radius) for star in stars)]
        if min(np.hypot(x - a, y - b) - 1.6 * r for a, b, r in others) > 1.6 * radius:
            stars.append(Star(x, y, radius))
    return stars[:11]


def _stars(draft: Canvas, stars: list[Star], u: Floats, v: Floats) -> tuple[Floats, Floats, Floats, Floats]:
    """The wind around stars, their light, and the halo around that."""
    x, y = draft.grid()
    glow = np.zeros((draft.rows, draft.columns), dtype=np.float32)
    halo = np.zeros_like(glow)
    for star in stars:
        dx, dy = x - star.x, y - star.y
        distance = np.hypot(dx, dy) / star.radius + 1e-6
        pull = 5 * np.exp(-((distance / 1.25) ** 2)) / (distance * star.radius)
        u, v = u - dy * pull, v + dx * pull
        rings = 1 + 0.3 * np.cos(8.5 * distance)
        glow = np.maximum(glow, rings * np.exp(-1.15 * distance**1.5))
        halo = np.maximum(halo, np.exp(-((distance / 1.75) ** 4)))
    return u, v, glow, halo


def _hills(draft: Canvas, rng: np.random.Generator, depth: Floats) -> tuple[Floats, Floats]:
    """How light the ground is, in bands that roll, and their slope."""
    roll = depth + 0.05 * noise(rng, draft, 2.4, 2)
    down, right = np.gradient(roll)
    bands = 0.42 + 0.26 * np.sin(48 * roll) + 0.1 * noise(rng, draft, 6)
    return bands, -right / np.maximum(down, 0.3 * np.abs(down).mean() + 1e-9)


def _cypress(draft: Canvas, rng: np.random.Generator) -> tuple[Floats, Floats]:
    """Where the cypress stands, and which way its flames lean."""
    x, y = draft.grid()
    height = 1 - y / draft.height
    sway = 0.02 * np.sin(9 * height + rng.uniform(0, 6)) + 0.008 * (1 - height) * noise(rng, draft, (5, 9))
    spread = 0.105 * np.clip(1 - height / 0.86, 0, 1) ** 0.75 * (0.6 + 0.4 * np.clip(height * 5, 0, 1))
    offset = x - draft.width * CYPRESS_AT - sway
    return smoothstep(spread - np.abs(offset), -0.004, 0.004), 0.25 * np.sin(40 * offset + 14 * height)
