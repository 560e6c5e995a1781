"""Laws that hold for any picture, and for anything that claims to be one."""

from __future__ import annotations

import functools
import warnings
from typing import Any, get_args

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from PIL import ExifTags, Image

from stylefarm.shared.errors import FarmError
from stylefarm.shared.images.decode import decode, from_array, resize, to_array
from stylefarm.shared.images.encode import Format, Output, encode, read_parameters
from tests.unit.pictures import photograph, red_is_green_profile, saved

OUTPUTS = [*(Output(kind) for kind in get_args(Format)), Output("png", 16), Output("tiff", 16)]
# How long a decoder takes on a busy machine is no law.
law = settings(deadline=None, max_examples=50)
SIGNATURES = [b"", b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff\xe0", b"GIF89a", b"BM", b"II*\0", b"MM\0+", b"P6 20 20 255\n"]
SIGNATURES += [b"RIFF\xff\0\0\0WEBPVP8 ", b"RIFF\xff\0\0\0WEBPVP8X", b"\0\0\0\x20ftypavif"]

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


def noise(width: int, height: int, seed: int) -> Image.Image:
    """Any picture of that size."""
    return Image.fromarray(np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8))


images = st.builds(noise, st.integers(16, 40), st.integers(16, 40), st.integers(0, 2**32))


@functools.cache
def valid_files() -> list[bytes]:
    """One small file of each format, some with a profile, EXIF, transparency or compression."""
    image = photograph(24, 20)
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = 6
    extras: dict[str, Any] = {"exif": exif.tobytes(), "icc_profile": red_is_green_profile()}
    files = [saved(image, kind) for kind in ("GIF", "BMP", "TIFF", "PPM")]
    files += [saved(image, kind, **extras) for kind in ("PNG", "JPEG", "WEBP", "AVIF")]
    files += [saved(image, "TIFF", compression=compression) for compression in ("tiff_lzw", "jpeg", "packbits")]
    files += [saved(image.convert(mode), "TIFF") for mode in ("F", "I;16", "LAB", "CMYK")]
    files += [saved(image.convert("P"), "PNG", transparency=b"\x80"), saved(image, "JPEG", progressive=True)]
    return files


def decodes_or_refuses(data: bytes) -> None:
    # Of a damaged file Pillow warns for the part it leaves out; whether that is an error is the caller's business.
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        for ask in (functools.partial(decode, name="a", max_pixels=1_000_000), read_parameters):
            try:
                ask(data)
            except FarmError as error:
                assert "\n" not in str(error)


@law
@given(st.sampled_from(SIGNATURES), st.binary(max_size=300))
def test_arbitrary_bytes(signature: bytes, rest: bytes) -> None:
    """Given any bytes behind any signature, if I decode them, I expect a picture or a FarmError."""
    decodes_or_refuses(signature + rest)


@settings(law, max_examples=300)
@given(st.data())
def test_damaged_files(draw: st.DataObject) -> None:
    """Given a picture with bytes changed and its end cut off, if I decode it, I expect a picture or a FarmError."""
    data = bytearray(draw.draw(st.sampled_from(valid_files())))
    places = st.tuples(st.integers(0, len(data) - 1), st.integers(0, 255))
    for place, value in draw.draw(st.lists(places, max_size=5)):
        data[place] = value
    decodes_or_refuses(bytes(data[: draw.draw(st.integers(0, len(data)) | st.just(len(data)))]))


def test_whole_files_decode() -> None:
    """Given the files that the damaged ones are made of, if I decode them whole, I expect pictures."""
    for data in valid_files():
        assert sorted(decode(data, "a").image.size) == [20, 24]


@law
@given(images, st.dictionaries(st.text(), json_values, max_size=4))
def test_png_is_lossless(image: Image.Image, parameters: dict[str, object]) -> None:
    """Given any picture, if I encode it as PNG and decode it, I expect each pixel as it was."""
    picture = decode(encode(to_array(image), Output("png"), parameters), "a")
    assert picture.notes == ()
    assert np.array_equal(np.asarray(picture.image), np.asarray(image))


@pytest.mark.parametrize("output", OUTPUTS, ids=lambda output: f"{output.format}-{output.bits}")
@law
@given(parameters=st.dictionaries(st.text(), json_values, max_size=4))
def test_parameters_come_back(output: Output, parameters: dict[str, object]) -> None:
    """Given any JSON, if I write it into a picture, I expect to read the same."""
    assert read_parameters(encode(to_array(photograph(16, 16)), output, parameters)) == parameters


@law
@given(images, st.integers(1, 8))
def test_exif_orientation(image: Image.Image, orientation: int) -> None:
    """Given any picture and orientation, if I decode it, I expect it as the standard wants it seen."""
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = orientation
    shown = np.asarray(decode(saved(image, "PNG", exif=exif.tobytes()), "a").image)
    stored = np.asarray(image)
    # EXIF 3.0, tag 0x0112: where the stored first row and first column are in the picture as it should be seen.
    expected = {
        1: stored,  # top, left
        2: stored[:, ::-1],  # top, right
        3: stored[::-1, ::-1],  # bottom, right
        4: stored[::-1],  # bottom, left
        5: stored.swapaxes(0, 1),  # left, top
        6: stored[::-1].swapaxes(0, 1),  # right, top
        7: stored[::-1, ::-1].swapaxes(0, 1),  # right, bottom
        8: stored[:, ::-1].swapaxes(0, 1),  # left, bottom
    }[orientation]
    assert np.array_equal(shown, expected)


@law
@given(st.integers(1, 300), st.integers(1, 300), st.integers(1, 100))
def test_resizing_keeps_the_aspect(width: int, height: int, edge: int) -> None:
    """Given any size, if I resize it, I expect the long edge as asked and the other within a pixel of the aspect."""
    new_width, new_height = resize(Image.new("RGB", (width, height)), edge).size
    assert max(new_width, new_height) == edge
    scale = edge / max(width, height)
    assert abs(new_width - width * scale) < 1
    assert abs(new_height - height * scale) < 1


@law
@given(hnp.arrays(np.float32, (2, 3, 3), elements=st.floats(-2, 3, width=32)))
def test_images_hold_the_nearest_level(array: npt.NDArray[np.float32]) -> None:
    """Given any numbers, if I make an image of them and numbers of that, I expect the nearest of the 256 levels."""
    assert np.abs(to_array(from_array(array)) - array.clip(0, 1)).max() <= 0.5 / 255 + 1e-6
