"""Pictures that are not as they should be, but can be made so: they are converted, rendered, and it is told."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from PIL import ExifTags, Image

from stylefarm import Farm
from stylefarm.shared.settings import Settings
from tests.unit.pictures import photograph, png_of, saved

# One small step from the content in a shallow network: the result has its colors, and is there at once.
BARELY = {
    "size": 32,
    "iterations": 1,
    "optimizer": "adam",
    "content_layers": ("relu2_1",),
    "style_layers": ("relu1_1", "relu2_1"),
}
WITHIN = 12.0  # levels of 255, for a quarter's mean: a step of Adam is 5 of them, JPEG and the inks do the rest


@pytest.fixture(scope="module")
def farm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Farm]:
    """An embedded farm for all tests of this module."""
    with Farm(Settings(home=tmp_path_factory.mktemp("home"), threads=1)) as opened:
        yield opened
    opened.services.engine.dispose()


def turned() -> bytes:
    """A photograph as a camera held upright keeps it: lying on its side, with a note on how to turn it."""
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = 6
    return saved(photograph().transpose(Image.Transpose.ROTATE_90), "JPEG", quality=95, exif=exif)


def sixteen_bits() -> bytes:
    values = np.asarray(photograph()).astype(">u2") * 257
    return png_of(values, 16, 2)


def half_clear() -> Image.Image:
    """The photograph, its left half clear."""
    image = photograph().convert("RGBA")
    image.paste((0, 0, 0, 0), (0, 0, image.width // 2, image.height))
    return image


def half_clear_in_a_palette() -> bytes:
    """The same in 200 colors, and one that is none."""
    indices = photograph().quantize(200)
    palette = indices.getpalette() or []
    clear = len(palette) // 3
    indices.putpalette([*palette, 0, 0, 0])
    indices.paste(clear, (0, 0, indices.width // 2, indices.height))
    return saved(indices, "PNG", transparency=clear)


def half_white() -> Image.Image:
    """What both of them look like on white paper."""
    image = photograph()
    image.paste("white", (0, 0, image.width // 2, image.height))
    return image


ODD = {
    "cmyk.jpg": (saved(photograph().convert("CMYK"), "JPEG", quality=95), photograph(), "CMYK converted to sRGB"),
    "deep.png": (sixteen_bits(), photograph(), "16-bit reduced to 8-bit"),
    "palette.png": (half_clear_in_a_palette(), half_white(), "alpha laid over white"),
    "clear.png": (saved(half_clear(), "PNG"), half_white(), "alpha laid over white"),
    "turned.jpg": (turned(), photograph(), "turned upright by EXIF"),
}


def quarters(image: Image.Image) -> npt.NDArray[np.float64]:
    """The mean colors of the four quarters."""
    whole = np.asarray(image.convert("RGB"), dtype=np.float64)
    return np.stack([half.mean((0, 1)) for rows in np.array_split(whole, 2) for half in np.array_split(rows, 2, 1)])


@pytest.mark.parametrize(("name", "data", "expected", "note"), [(name, *odd) for name, odd in ODD.items()], ids=ODD)
def test_an_odd_content_is_converted(
    farm: Farm, pictures: Path, name: str, data: bytes, expected: Image.Image, note: str
) -> None:
    """Given a content of an odd kind, if it is barely rendered, I expect it upright, in its colors, and a note."""
    (pictures / name).write_bytes(data)
    job = farm.submit(content=str(pictures / name), style=str(pictures / "s.png"), **BARELY)
    rendered = job.result(timeout=60).image
    assert rendered.size == (32, 21)
    assert np.abs(quarters(rendered) - quarters(expected)).max() < WITHIN
    assert f"{name}: {note}" in job.status().notes


def test_an_odd_style_is_told_too(farm: Farm, pictures: Path) -> None:
    """Given an odd style and a plain content, if it is rendered, I expect the style's note and none of the content."""
    (pictures / "clear.png").write_bytes(ODD["clear.png"][0])
    job = farm.submit(content=str(pictures / "a.png"), style=str(pictures / "clear.png"), **BARELY)
    assert job.result(timeout=60).image.size == (32, 24)
    assert "clear.png: alpha laid over white" in job.status().notes
    assert not any(note.startswith("a.png") for note in job.status().notes)
