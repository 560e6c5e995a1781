"""Pictures going out."""

from __future__ import annotations

import io
import json
import os
import struct
import zlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
import tifffile
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from PIL import Image, ImageCms, PngImagePlugin, features
from PIL.ExifTags import IFD, Base

from stylefarm.shared.errors import InvalidImage, InvalidRequest
from stylefarm.shared.images.decode import decode
from stylefarm.shared.images.encode import Bits, Format, Output, content_type, encode, read_parameters, suffix_format
from stylefarm.shared.images.exif import Exif
from stylefarm.shared.images.tiff import encode_tiff
from tests.unit.outputs import FORMATS, OUTPUTS, PARAMETERS, camera_exif, each_format, each_output, pixels
from tests.unit.pictures import photograph, saved


@each_output
def test_parameters_come_back(output: Output) -> None:
    """Given parameters in many scripts, if I encode and read them, I expect them as they were."""
    data = encode(pixels(), output, PARAMETERS)
    assert read_parameters(data) == PARAMETERS
    assert decode(data, "a").notes == (("16-bit reduced to 8-bit",) if output.bits == 16 else ())


@each_output
def test_the_same_picture_gives_the_same_bytes(output: Output) -> None:
    """Given one picture twice, with its parameters in another order, if I encode it, I expect the same bytes."""
    first = encode(pixels(), output, {"a": 1, "b": 2}, camera_exif())
    assert first == encode(pixels(), output, {"b": 2, "a": 1}, camera_exif())
    assert "2000" in str(ImageCms.getOpenProfile(io.BytesIO(profile_in(first))).profile.creation_date)


def test_avif_does_not_depend_on_the_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    """Given machines of 1 and of 16 cores, if I encode a picture of several tiles, I expect the same bytes."""
    written = set()
    for cores in (1, 16):
        monkeypatch.setattr(os, "sched_getaffinity", lambda _, cores=cores: set(range(cores)))
        written.add(encode(pixels(1100, 600), Output("avif", quality=20), {}))
    assert len(written) == 1


@each_output
def test_it_is_tagged_as_srgb(output: Output) -> None:
    """Given a picture, if I encode it, I expect a profile that says sRGB."""
    profile = profile_in(encode(pixels(), output, {}))
    assert "sRGB" in ImageCms.getProfileDescription(ImageCms.ImageCmsProfile(io.BytesIO(profile)))


@each_format
def test_the_profile_can_be_left_out(kind: Format) -> None:
    """Given an output without a profile, if I encode, I expect none, and a picture that still reads the same."""
    data = encode(pixels(), Output(kind, icc=False), {})
    with Image.open(io.BytesIO(data)) as image:
        assert not image.info.get("icc_profile")
    assert decode(data, "a").notes == ()


@pytest.mark.parametrize("kind", ["png", "tiff"])
def test_eight_bits_are_lossless(kind: Format) -> None:
    """Given a picture of 8 bits, if I encode it without loss and another program opens it, I expect its pixels."""
    with Image.open(io.BytesIO(encode(pixels(), Output(kind), PARAMETERS))) as image:
        assert np.array_equal(np.asarray(image), np.asarray(photograph()))


@each_output
def test_alpha_is_written(output: Output) -> None:
    """Given an opacity for each pixel, I expect it in the file, beside the colors; for JPEG, a sentence."""
    height, width, _ = pixels().shape
    alpha = np.linspace(0, 1, width, dtype=np.float32)[None].repeat(height, axis=0)
    if output.format == "jpeg":
        with pytest.raises(InvalidRequest, match="jpeg holds no transparency"):
            encode(pixels(), output, {}, alpha=alpha)
        return
    picture = decode(encode(pixels(), output, PARAMETERS, camera_exif(), alpha), "a")
    assert picture.alpha is not None
    assert np.abs(np.asarray(picture.alpha) / 255 - alpha).max() < 0.02
    opaque = np.asarray(picture.image)[:, -1].astype(int) - np.asarray(photograph())[:, -1]
    assert np.abs(opaque).max() <= 16


@pytest.mark.parametrize("kind", ["jpeg", "webp", "avif"])
def test_lossy_formats_stay_near(kind: Format) -> None:
    """Given a smooth picture, if I encode it with loss, I expect each pixel within a few levels."""
    decoded = np.asarray(decode(encode(pixels(), Output(kind), {}), "a").image)
    assert np.abs(decoded.astype(int) - np.asarray(photograph())).max() <= 8


@pytest.mark.parametrize("kind", ["png", "tiff"])
def test_large_pictures_in_sixteen_bits(kind: Format) -> None:
    """Given noise of several blocks and strips, if I encode it in 16 bits, I expect exactly its levels."""
    levels = np.random.default_rng(0).integers(0, 2**16, (700, 401, 3), dtype=np.uint16)
    data = encode(levels.astype(np.float32) / np.float32(65535), Output(kind, 16), {})
    assert np.array_equal(sixteen_bits(data, kind), levels)


@pytest.mark.parametrize("kind", ["png", "tiff"])
@settings(deadline=None, max_examples=50)
@given(hnp.arrays(np.uint16, st.tuples(st.integers(1, 9), st.integers(1, 9), st.just(3))))
def test_sixteen_bits_are_exact(kind: Format, levels: npt.NDArray[np.uint16]) -> None:
    """Given any levels of 16 bits as float32, if I encode and read them, I expect each as it was."""
    data = encode(levels.astype(np.float32) / np.float32(65535), Output(kind, 16), {})
    assert np.array_equal(sixteen_bits(data, kind), levels)


@pytest.mark.parametrize(("kind", "bits"), [("png", 16), ("tiff", 16), ("png", 8), ("tiff", 8)])
def test_values_are_clipped_and_rounded(kind: Format, bits: Bits) -> None:
    """Given values outside [0, 1], infinite ones and such between two levels, if I encode, I expect the nearest."""
    white = 2**bits - 1
    row = [-np.inf, -0.5, 0.0, 0.4 / white, 0.6 / white, 100 / white, 1.0, 1.5, np.inf]
    expected = [0, 0, 0, 0, 1, 100, white, white, white]
    for dtype in (np.float64, np.float32):
        image = np.repeat(np.array([row], dtype)[..., None], 3, axis=-1)
        data = encode(image, Output(kind, bits), {})
        read = sixteen_bits(data, kind) if bits == 16 else np.asarray(Image.open(io.BytesIO(data)))
        assert read[0, :, 1].tolist() == expected
    half = encode(np.full((2, 2, 3), 1, np.float16), Output(kind, 16), {})
    assert (sixteen_bits(half, kind) == 65535).all()


@pytest.mark.parametrize("bits", [8, 16])
def test_png_is_whole_and_readable_by_others(bits: Bits) -> None:
    """Given a PNG of ours, if another program checks and opens it, I expect no complaint, and plain text."""
    data = encode(pixels(), Output("png", bits), PARAMETERS, camera_exif())
    PngImagePlugin.PngImageFile(io.BytesIO(data)).verify()
    with Image.open(io.BytesIO(data)) as image:
        assert isinstance(image, PngImagePlugin.PngImageFile)
        image.load()
        assert image.text["Software"] == "stylefarm"
        assert json.loads(image.text["stylefarm"]) == PARAMETERS


@pytest.mark.parametrize("bits", [8, 16])
def test_tiff_is_readable_by_others(bits: Bits) -> None:
    """Given a TIFF of ours, with and without EXIF, if another program opens it, I expect one page of RGB."""
    for exif in (None, camera_exif("<"), camera_exif(">")):
        with tifffile.TiffFile(io.BytesIO(encode(pixels(), Output("tiff", bits), PARAMETERS, exif))) as file:
            (page,) = file.pages
            assert isinstance(page, tifffile.TiffPage)
            assert (page.shape, page.bitspersample, page.photometric) == ((32, 48, 3), bits, tifffile.PHOTOMETRIC.RGB)
            assert page.software == "stylefarm"
            assert np.abs(page.asarray() / (2**bits - 1) - pixels()).max() < 1 / 2**bits


@pytest.mark.parametrize("kind", ["jpeg", "webp", "avif", "tiff"])
def test_the_user_comment_is_standard(kind: Format) -> None:
    """Given a picture of ours, if another program reads its EXIF, I expect text it can show, and our name."""
    with Image.open(io.BytesIO(encode(pixels(), Output(kind), PARAMETERS))) as image:
        exif = image.getexif()
        comment = exif.get_ifd(IFD.Exif)[Base.UserComment]
    assert exif[Base.Software] == "stylefarm"
    assert comment.startswith(b"UNICODE\0")
    assert "神奈川沖浪裏 🌊" in comment[8:].decode("utf-16-be")


def test_jpeg_keeps_the_full_resolution_of_colors() -> None:
    """Given a JPEG of ours, if I look at its sampling, I expect 4:4:4."""
    with Image.open(io.BytesIO(encode(pixels(), Output("jpeg"), {}))) as image:
        assert [component[1:3] for component in image.layer] == [(1, 1)] * 3  # type: ignore[attr-defined]


@pytest.mark.parametrize("kind", ["jpeg", "webp", "avif"])
def test_quality_counts(kind: Format) -> None:
    """Given two qualities, if I encode, I expect the higher to be larger."""
    high, low = (len(encode(pixels(), Output(kind, quality=quality), {})) for quality in (98, 30))
    assert high > low


@pytest.mark.parametrize(
    ("size", "kind", "sentence"),
    [
        ((16_384, 1), "webp", "too large for webp, which holds 16,383 pixels a side: use png"),
        ((1, 65_501), "jpeg", "1 x 65501 is too large for jpeg, which holds 65,500 pixels a side: use png"),
        ((32_769, 1), "avif", "too large for avif, which holds 32,768 pixels a side: use png"),
    ],
)
def test_too_many_pixels_are_told(size: tuple[int, int], kind: Format, sentence: str) -> None:
    """Given a side longer than a format holds, if I encode, I expect a sentence."""
    with pytest.raises(InvalidRequest, match=sentence):
        encode(np.zeros((size[1], size[0], 3), np.float32), Output(kind), {})


def test_a_tiff_beyond_its_offsets_is_told() -> None:
    """Given more than 4 GiB of pixels, if I encode a TIFF, I expect a sentence."""
    vast = np.broadcast_to(np.zeros(1, np.uint16), (30_000, 30_000, 3))
    with pytest.raises(InvalidRequest, match="more than tiff can hold, which is 4 GiB: use png"):
        encode_tiff(vast, Exif())


def test_what_a_format_cannot_hold_is_told() -> None:
    """Given too many words for a JPEG, or no JSON, if I encode, I expect a sentence."""
    with pytest.raises(InvalidRequest, match="use png or webp"):
        encode(pixels(), Output("jpeg"), {"prompt": "x" * 40_000}, camera_exif())
    for value in (object(), float("nan")):
        with pytest.raises(InvalidRequest, match="cannot be written into a picture as JSON"):
            encode(pixels(), Output("png"), {"value": value})


@each_output
def test_what_is_no_picture_is_told(output: Output) -> None:
    """Given a NaN, or an array of another shape, if I encode it, I expect a sentence and no picture."""
    broken = pixels()
    broken[3, 4, 1] = np.nan
    with pytest.raises(InvalidRequest, match="NaN"):
        encode(broken, output, {})
    for shape in ((4, 4), (3, 4, 4), (0, 4, 3)):
        with pytest.raises(InvalidRequest, match=r"is no picture: give \(height, width, 3\)"):
            encode(np.zeros(shape, np.float32), output, {})


def test_impossible_outputs_are_told() -> None:
    """Given 16 bits for a format of 8, or a quality that is none, if I ask for it, I expect a sentence."""
    for kind in ("jpeg", "webp", "avif"):
        with pytest.raises(
            InvalidRequest, match=f"{kind} does not hold 16 bits a channel: use 8, or 16 in png or tiff"
        ):
            Output(kind, 16)
    for quality in (0, 101):
        with pytest.raises(InvalidRequest, match="out of range: give 1 to 100"):
            Output("jpeg", quality=quality)


def test_a_pillow_without_avif_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """Given a Pillow that was built without AVIF, if I encode one, I expect a sentence; other formats are written."""
    monkeypatch.setattr(features, "check", lambda name: name != "avif")
    with pytest.raises(InvalidRequest, match="cannot write AVIF: use another format"):
        encode(pixels(), Output("avif"), {})
    assert encode(pixels(), Output("webp"), {})


def test_half_a_character_survives() -> None:
    """Given a file name that is not Unicode, if it is among the parameters, I expect it back."""
    for output in OUTPUTS:
        assert read_parameters(encode(pixels(), output, {"name": "a\udce9.jpg"})) == {"name": "a\udce9.jpg"}


def test_pictures_from_elsewhere_have_no_parameters() -> None:
    """Given pictures of others, with and without comments, if I read parameters, I expect None."""
    exif = Image.Exif()
    exif[IFD.Exif] = {Base.UserComment: b"ASCII\0\0\0shot on a phone"}
    for data in (
        *(saved(photograph(), kind) for kind in ("PNG", "JPEG", "WEBP", "AVIF", "TIFF", "GIF")),
        saved(photograph(), "JPEG", exif=exif.tobytes()),
        saved(photograph(), "AVIF", exif=camera_exif()),
        saved(photograph(), "TIFF", big_tiff=True),
    ):
        assert read_parameters(data) is None
    with pytest.raises(InvalidImage, match="is not a picture"):
        read_parameters(b"text")


def test_names_of_formats() -> None:
    """Given suffixes, if I ask for their formats and media types, I expect them; unknown ones are told."""
    names = {"a.png": "png", "a.JPG": "jpeg", "b.jpeg": "jpeg", "c.tar.webp": "webp", "d.avif": "avif"}
    names |= {"e.tif": "tiff", "f.TIFF": "tiff"}
    assert {name: suffix_format(Path(name)) for name in names} == names
    assert [content_type(kind) for kind in FORMATS] == [
        *("image/png", "image/jpeg", "image/webp", "image/avif", "image/tiff")
    ]
    for name in ("a.bmp", "a", ".png"):
        with pytest.raises(
            InvalidRequest, match=r"format: end it in \.png, \.jpg, \.jpeg, \.webp, \.avif, \.tif, \.tiff"
        ):
            suffix_format(Path(name))


def profile_in(data: bytes) -> bytes:
    with Image.open(io.BytesIO(data)) as image:
        profile = image.info["icc_profile"]
    assert isinstance(profile, bytes)
    return profile


def sixteen_bits(data: bytes, kind: Format) -> npt.NDArray[np.uint16]:
    """The levels of a picture, which Pillow would halve to 8 bits."""
    if kind == "tiff":
        levels: npt.NDArray[np.uint16] = tifffile.imread(io.BytesIO(data))
        return levels
    return unfiltered_png(data)


def unfiltered_png(data: bytes) -> npt.NDArray[np.uint16]:
    """The levels of an RGB PNG of 16 bits whose rows are all filtered by Paeth, read as PNG's standard puts it."""
    with Image.open(io.BytesIO(data)) as image:
        width, height = image.size
    stream = zlib.decompress(b"".join(chunk for name, chunk in chunks(data) if name == b"IDAT"))
    above, rows = bytes(6 * width), []
    for start in range(0, len(stream), 1 + 6 * width):
        assert stream[start] == 4
        row = bytearray(6) + bytearray(stream[start + 1 : start + 1 + 6 * width])
        for at in range(6, len(row)):
            left, up, upper_left = row[at - 6], above[at - 6], above[at - 12] if at >= 12 else 0
            guess = left + up - upper_left
            row[at] = (row[at] + min((left, up, upper_left), key=lambda value: abs(guess - value))) % 256
        above = bytes(row[6:])
        rows.append(above)
    return np.frombuffer(b"".join(rows), ">u2").reshape(height, width, 3).astype(np.uint16)


def chunks(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Name and content of each chunk of a PNG."""
    at = 8
    while at < len(data):
        length, name = struct.unpack_from(">L4s", data, at)
        yield name, data[at + 8 : at + 8 + length]
        at += 12 + length
