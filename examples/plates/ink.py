"""Mountains in mist behind bamboo, in ink and wash on warm paper, with a red sun and a seal."""

from __future__ import annotations

import numpy as np
from PIL import Image

from examples.plates.noise import Canvas, Floats, blurred, color, noise, picture, smoothstep
from examples.plates.strokes import Brush, Easel, Strokes, scattered

PAPER = color("f3e7cf")
# How much of red, green and blue each pigment absorbs.
INK = np.array([1.0, 0.97, 0.88], dtype=np.float32)
INDIGO = np.array([1.15, 0.82, 0.5], dtype=np.float32)
OCHRE = np.array([0.16, 0.5, 1.0], dtype=np.float32)
VERMILION = np.array([0.14, 1.35, 1.6], dtype=np.float32)


class Sheet:
    """Paper that takes up ink: what it absorbs at each pixel."""

    def __init__(self, canvas: Canvas, rng: np.random.Generator) -> None:
        self.canvas = canvas
        self.density = np.zeros((canvas.rows, canvas.columns, 3), dtype=np.float32)
        self.rough = noise(rng, canvas, 26, 4)
        self._tooth = noise(rng, canvas, 230, 2)
        blooms = noise(rng, canvas, 5, 3)
        self._blooms = 0.5 * blooms + 0.9 * smoothstep(-np.abs(blooms - 0.4), -0.14, 0)

    def wash(self, mask: Floats, pigment: Floats, strength: float | Floats, rim: float = 1.4) -> None:
        """Lays a wash, whose pigment gathers at its edge and in the hollows of the paper."""
        edge = np.clip(mask - blurred(mask, 0.008 * self.canvas.unit), 0, 1)
        grain = np.maximum(1 + 0.13 * self._tooth + 0.2 * self._blooms + 0.1 * self.rough, 0.1)
        self.density += (mask * (0.8 + rim * edge) * grain * strength)[..., None] * pigment

    def lift(self, mask: Floats, share: float) -> None:
        """Takes a share of the pigment off again."""
        self.density *= 1 - share * mask[..., None]

    def brush(self, strokes: Strokes, rng: np.random.Generator, brush: Brush, pigment: Floats = INK) -> None:
        """Lays strokes; their color is how dense they are."""
        easel = Easel(self.canvas, np.zeros(3, dtype=np.float32), rng)
        easel.paint(strokes, brush)
        dense = np.maximum(easel.colors()[..., 0], 0)
        worn = np.clip(1.05 + 0.16 * self._tooth + 0.1 * self._blooms, 0, 2)
        bled = blurred(dense, 0.0035 * self.canvas.unit)
        self.density += ((0.85 * dense + 0.2 * bled) * worn)[..., None] * pigment

    def colors(self) -> Floats:
        """What is seen."""
        fibers = 0.02 * self._tooth + 0.012 * self.rough
        seen: Floats = PAPER * (1 + fibers[..., None]) * np.exp(-self.density)
        return seen


def draw(canvas: Canvas, rng: np.random.Generator) -> Image.Image:
    """Draws it."""
    sheet = Sheet(canvas, rng)
    _sky(sheet, rng)
    sun = (canvas.width * rng.uniform(0.5, 0.62), canvas.height * rng.uniform(0.2, 0.27))
    _sun(sheet, *sun)
    for level in range(5):
        _range(sheet, rng, level)
    _water(sheet, rng)
    _birds(sheet, rng, *sun)
    _plum(sheet, rng)
    _bamboo(sheet, rng)
    _seal(sheet, rng, canvas.width - 0.08, canvas.height - 0.09)
    return picture(sheet.colors())


def _sky(sheet: Sheet, rng: np.random.Generator) -> None:
    """Broad, pale strokes, and a warm tone toward the bottom."""
    canvas = sheet.canvas
    _, y = canvas.grid()
    cloud = noise(rng, canvas, (1.6, 4.5), 3) + 0.15 * sheet.rough
    sheet.wash(smoothstep(cloud, 0.3, 0.5), INDIGO, 0.16)
    sheet.wash(smoothstep(-cloud, 0.2, 0.45), OCHRE, 0.2)
    sheet.wash(np.exp(-(((y / canvas.height - 0.45) / 0.22) ** 2)) + 0 * cloud, OCHRE, 0.22, 0)
    sheet.wash(smoothstep(0.25 - y / canvas.height + 0.10 * cloud, -0.2, 0.3), INDIGO, 0.2, 0)
    x, y = scattered(rng, canvas, 90)
    size = rng.uniform(0.7, 1.3, x.shape)
    angle = rng.normal(-0.12, 0.16, x.shape)
    dense = rng.uniform(0.015, 0.09, x.shape)
    sheet.brush(
        _strokes(x, y, angle, 0.34 * size, 0.075 * size, rng.normal(0, 0.4, x.shape), dense),
        rng,
        Brush(dryness=0.75, streaks=0.05, taper=0.1),
        INDIGO,
    )


def _strokes(*parts: Floats | float) -> Strokes:
    """Strokes of these x, y, angles, lengths, widths, bends and densities; what is one number is so for all."""
    x, y, angle, length, width, bend, dense = (
        np.ravel(part).astype(np.float32) for part in np.broadcast_arrays(*parts)
    )
    return Strokes(x, y, angle, length, width, bend, np.repeat(dense[:, None], 3, axis=1))


def _sun(sheet: Sheet, x: float, y: float) -> None:
    across, down = sheet.canvas.grid()
    mask = smoothstep(0.088 - np.hypot(across - x, down - y) + 0.0022 * sheet.rough, -0.004, 0.004)
    sheet.wash(mask, VERMILION, 0.72, 1.0)


def _range(sheet: Sheet, rng: np.random.Generator, level: int) -> None:
    """A range of steep mountains whose feet are lost in mist; a higher level is nearer."""
    canvas = sheet.canvas
    x, y = canvas.grid()
    foot = canvas.height * (0.50 + 0.085 * level)
    ridge = foot + 0 * x
    for center in np.arange(rng.uniform(-0.1, 0.1), canvas.width + 0.2, 0.27 - 0.02 * level):
        center, half = center + rng.normal(0, 0.05), rng.uniform(0.09, 0.2)
        height = rng.uniform(0.08, 0.34 - 0.035 * level) * min(1.0, canvas.height)
        lean = (x - center) / half
        ridge = np.minimum(ridge, foot - height * (1 - np.abs(lean + 0.2 * lean**2) ** 1.5))
    ridge = ridge + 0.011 * noise(rng, canvas, (9, 0.01), 5)[:1]
    depth = y - ridge + 0.003 * sheet.rough
    mist = np.exp(-np.maximum(depth, 0) / (0.075 + 0.035 * noise(rng, canvas, 3, 2).clip(-1, 1)))
    strength = (0.36 + 0.25 * level) * (mist + 0.02)
    mask = smoothstep(depth, -0.003, 0.003)
    sheet.lift(mask, 0.82)
    sheet.wash(mask, (INDIGO, INDIGO, INK, INDIGO, INK)[level], strength, 1.1)
    if level:
        # Their number differs between sizes; what follows shall not.
        _creases(sheet, rng.spawn(1)[0], ridge[0], 0.12 + 0.15 * level)


def _creases(sheet: Sheet, rng: np.random.Generator, ridge: Floats, dense: float) -> None:
    """Dry strokes down the slopes, and along the ridge."""
    canvas = sheet.canvas
    coarse = canvas.coarseness
    number = round(800 * canvas.width / coarse**2)
    x = rng.uniform(0, canvas.width, number)
    below = np.where(np.arange(number) % 3 == 0, 0.002, rng.gamma(1.4, 0.045, number))
    at = np.clip((x / canvas.width * canvas.columns).astype(int), 0, canvas.columns - 1)
    wide = max(1, round(0.012 * canvas.unit))
    high = np.pad(ridge, wide, mode="edge")
    slope = ((high[2 * wide :] - high[: -2 * wide]) / (2 * wide / canvas.unit))[at]
    angle = np.arctan(slope) + np.where(below < 0.003, 0, np.sign(slope) * rng.uniform(0.05, 0.5, number))
    angle = np.where(slope < 0, angle + np.pi, angle)
    size = rng.uniform(0.5, 1.4, number)
    # Where the ridge is level, strokes along it would stand out of the mountain.
    ink = dense * rng.uniform(0.3, 1.1, number) * np.exp(-below / 0.12) * np.clip(3 * np.abs(slope) - 0.6, 0, 1)
    sheet.brush(
        _strokes(x, ridge[at] + below, angle, 0.066 * size, 0.0066 * coarse * size, 0.3 * np.sign(slope), ink),
        rng,
        Brush(dryness=0.85, streaks=0.06, taper=0.7),
    )


def _water(sheet: Sheet, rng: np.random.Generator) -> None:
    canvas = sheet.canvas
    number = round(190 * canvas.width)
    x = rng.uniform(0, canvas.width, number)
    y = canvas.height * (1.0 - 0.19 * rng.uniform(0, 1, number) ** 1.2)
    near = (y / canvas.height - 0.8) * 5
    size = rng.uniform(0.5, 1.5, number)
    sheet.brush(
        _strokes(
            x,
            y,
            rng.normal(0, 0.05, number),
            0.17 * size,
            0.005 + 0.012 * near * size,
            rng.normal(0, 0.25, number),
            rng.uniform(0.05, 0.42, number),
        ),
        rng,
        Brush(dryness=0.95, streaks=0.08, taper=0.4),
        INDIGO,
    )


def _birds(sheet: Sheet, rng: np.random.Generator, x: float, y: float) -> None:
    number = 7
    across, down = x + rng.normal(0.02, 0.11, number), y + rng.normal(0.03, 0.05, number)
    size = rng.uniform(0.012, 0.024, number)
    for side in (1, -1):
        angle = -np.pi / 2 + side * rng.uniform(0.75, 1.15, number)
        wing = _strokes(across + side * 0.42 * size, down - 0.25 * size, angle, size, 0.2 * size, side * 1.1, 1.3)
        sheet.brush(wing, rng, Brush(dryness=0.2, streaks=0, taper=0.85))


def _plum(sheet: Sheet, rng: np.random.Generator) -> None:
    """A branch of plum from the right, with red blossoms."""
    wood, blossoms = [], []
    limbs = [(sheet.canvas.width + 0.02, 0.13 * sheet.canvas.height, np.pi - 0.5, 0.024)]
    while limbs:
        x, y, angle, width = limbs.pop()
        while width > 0.0035:
            length = rng.uniform(0.05, 0.08) * (0.5 + width / 0.024)
            bend = rng.normal(0, 0.3)
            wood.append(
                (x + np.cos(angle) * length / 2, y + np.sin(angle) * length / 2, angle, 1.15 * length, width, bend)
            )
            x, y = x + np.cos(angle) * length, y + np.sin(angle) * length
            if rng.uniform() < 0.55:
                limbs.append((x, y, angle + rng.choice([-1, 1]) * rng.uniform(0.5, 1.0), 0.62 * width))
            angle = np.pi + 0.9 * (angle - np.pi) + rng.normal(0.03, 0.3)
            width *= 0.84
            blossoms += [(x + rng.normal(0, 0.012), y + rng.normal(0, 0.012)) for _ in range(int(width < 0.012) + 1)]
    dense = rng.uniform(0.8, 1.5, len(wood))
    sheet.brush(_strokes(*np.array(wood).T, dense), rng, Brush(dryness=0.62, streaks=0.25, taper=0.15))
    _blossoms(sheet, rng, np.array(blossoms))


def _blossoms(sheet: Sheet, rng: np.random.Generator, middles: Floats) -> None:
    x, y = np.repeat(middles, 5, axis=0).T
    angle = 2 * np.pi * np.arange(len(x)) / 5 + np.repeat(rng.uniform(0, 6, len(middles)), 5)
    size = np.repeat(rng.uniform(0.006, 0.0115, len(middles)), 5)
    dense = rng.uniform(0.5, 1.2, len(x))
    petals = _strokes(x + size * np.cos(angle), y + size * np.sin(angle), angle, 1.5 * size, 1.3 * size, 0, dense)
    sheet.brush(petals, rng, Brush(dryness=0.15, streaks=0.15, taper=0), VERMILION)


def _bamboo(sheet: Sheet, rng: np.random.Generator) -> None:
    """Stalks from below the sheet to above it, their joints, twigs and leaves: the palest behind."""
    for across, dense in ((0.21, 0.45), (0.06, 0.7), (0.13, 1.7)):
        stalk, twigs, leaves = _stalk(sheet.canvas, rng, sheet.canvas.width * (across + rng.normal(0, 0.01)), dense)
        sheet.brush(stalk, rng, Brush(dryness=0.5, streaks=0.3, taper=0.04))
        sheet.brush(twigs, rng, Brush(dryness=0.35, taper=0.4))
        sheet.brush(leaves, rng, Brush(dryness=0.3, streaks=0.2, taper=0.97))


def _stalk(canvas: Canvas, rng: np.random.Generator, root: float, dense: float) -> tuple[Strokes, Strokes, Strokes]:
    lean, width = rng.normal(0.03, 0.05), 0.024 * rng.uniform(0.8, 1.2)
    joints = np.arange(canvas.height + 0.08, -0.15, -0.135) + rng.normal(0, 0.02)
    at = root + lean * (canvas.height - joints)
    shades = dense * rng.uniform(0.5, 0.8, len(joints) - 1)
    middle = [(ends[1:] + ends[:-1]) / 2 for ends in (at, joints)]
    stalk = _strokes(*middle, -np.pi / 2 + lean, 0.131, width, 0.05, shades)
    twigs = [_strokes(at, joints, lean, 1.4 * width, 0.26 * width, 0.6, 1.2 * dense)]
    leaves = []
    for start, joint in zip(at, joints, strict=True):
        for side in rng.choice([-1, 1, 1], int(rng.integers(1, 3))):
            length, angle = rng.uniform(0.05, 0.13), -np.pi / 2 + side * rng.uniform(0.6, 1.1)
            x, y = start + length * np.cos(angle), joint + length * np.sin(angle)
            twigs.append(
                _strokes((start + x) / 2, (joint + y) / 2, angle, 1.05 * length, 0.005, side * 0.3, 0.9 * dense)
            )
            leaves.append(_leaves(rng, x, y, dense))
    return stalk, Strokes.joined(twigs), Strokes.joined(leaves)


def _leaves(rng: np.random.Generator, x: float, y: float, dense: float) -> Strokes:
    number = int(rng.integers(4, 8))
    angle = np.pi / 2 + rng.normal(0, 0.75, number)
    length = rng.uniform(0.06, 0.13, number)
    across = x + rng.normal(0, 0.012, number) + np.cos(angle) * length / 2
    down = y + rng.normal(0, 0.012, number) + np.sin(angle) * length / 2
    bend, shades = rng.normal(0, 0.5, number), dense * rng.uniform(0.7, 1.25, number)
    return _strokes(across, down, angle, length, 0.2 * length, bend, shades)


def _seal(sheet: Sheet, rng: np.random.Generator, x: float, y: float) -> None:
    """A seal of a few strokes that are left white."""
    across, down = sheet.canvas.grid()
    a, b = (across - x) / 0.034, (down - y) / 0.04
    block = smoothstep(1 - np.maximum(np.abs(a), np.abs(b)) + 0.05 * sheet.rough, -0.05, 0.05)
    for _ in range(4):
        upright, place, end = rng.uniform() < 0.5, rng.uniform(-0.65, 0.65), rng.uniform(-0.3, 0.8)
        along, aside = (b, a) if upright else (a, b)
        cut = np.minimum(0.09 - np.abs(aside - place), np.minimum(along + 0.75, end - along) + 0 * aside)
        block = block * (1 - smoothstep(cut + 0.02 * sheet.rough, -0.03, 0.05))
    sheet.wash(block, VERMILION, 1.0, 0.6)
