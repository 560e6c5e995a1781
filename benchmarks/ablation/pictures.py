"""The pictures: photographs and textures of scikit-image, paintings of a folder, plates drawn by code."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from itertools import product
from pathlib import Path

from PIL import Image
from skimage import data

from examples.plates import PLATES, draw

Pair = tuple[str, str]

CONTENTS = ("astronaut", "chelsea", "camera", "coffee", "rocket", "motorcycle")
PAINTINGS = ("great_wave", "van_gogh_auvers", "kandinsky", "hokusai_poppies", "renoir_moulin", "van_gogh_church")
PLATES_TOO = ("swirls", "glass")
DRAWN = ("swirls", "waves", "glass", "dots", "ink", "gravel", "brick", "immunohistochemistry")

# The pictures of the ablation on random features.
FOUR_CONTENTS = ("astronaut", "chelsea", "coffee", "rocket")
TEXTURES = ("immunohistochemistry", "gravel", "hubble_deep_field", "brick", "retina")

PLATE_SIZE = (640, 480)


@lru_cache(maxsize=64)
def picture(name: str, folder: Path | None) -> Image.Image:
    """The picture of that name, RGB: a file `name`.jpg in the folder, a plate, or one of scikit-image's."""
    file = None if folder is None else folder / f"{name}.jpg"
    if file is not None and file.is_file():
        return Image.open(file).convert("RGB")
    if name in PLATES:
        return draw(name, *PLATE_SIZE)
    if name == "motorcycle":
        return Image.fromarray(data.stereo_motorcycle()[0])
    return Image.fromarray(getattr(data, name)()).convert("RGB")


def default_pictures(features: str, folder: Path | None) -> Mapping[str, Sequence[str]]:
    """The names of the `contents` and the `styles` that are rendered unless others are named."""
    if features == "random":
        return {"contents": FOUR_CONTENTS, "styles": TEXTURES}
    return {"contents": CONTENTS, "styles": (*PAINTINGS, *PLATES_TOO) if folder else DRAWN}


def some_pairs(contents: Sequence[str], styles: Sequence[str], count: int) -> list[Pair]:
    """So many pairs, in which all contents and styles take turns.

    Example:
        >>> some_pairs(["cat", "cup"], ["ink", "dots", "glass"], 4)
        [('cat', 'ink'), ('cup', 'dots'), ('cat', 'glass'), ('cup', 'ink')]
    """
    return [(contents[i % len(contents)], styles[i % len(styles)]) for i in range(count)]


def all_pairs(contents: Sequence[str], styles: Sequence[str]) -> list[Pair]:
    """Each content with each style."""
    return list(product(contents, styles))
