"""Pictures going out."""

from __future__ import annotations

import io
import itertools
import json
import os
import struct
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import tifffile
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from PIL import ExifTags, Image, ImageCms, PngImagePlugin, TiffImagePlugin, features
from PIL.ExifTags import IFD, Base

from shared.encoding import Bits, Format, Output, content_type, encode, read_parameters, suffix_format
from shared.errors import InvalidImage, InvalidRequest
from shared.exif import Exif, kept_exif
from shared.images import decode, to_array
from shared.tiff import encode_tiff
from tests.unit.pictures import photograph, png_chunk, saved

FORMATS: tuple[Format, ...] = ("png", "jpeg", "webp", "avif", "tiff")
OUTPUTS = [*(Output(kind) for kind in FORMATS), Output("png", 16), Output("tiff", 16)]
PARAMETERS: dict[str, object] = {
    "style": "Hokusai – 神奈川沖浪裏 🌊",
    "style_weight": 1e5,
    "layers": ["relu1_1"],
    "seed": None,
}

each_format = pytest.mark.parametrize("kind", FORMATS)
each_output = pytest.mark.parametrize("output", OUTPUTS, ids=lambda output: f"{output.format}-{output.bits}")


def pixels(width: int = 48, height: int = 32) -> npt.NDArray[np.float32]:
    """A photograph as `encode` takes it."""
    return to_array(photograph(width, height))


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


def test_jpeg_keeps_the_full_resolution_of_colours() -> None:
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


class TestKeptExif:
    """EXIF of the content picture, in the painted one."""

    @each_output
    @pytest.mark.parametrize("order", ["<", ">"])
    def test_the_photograph_stays_known(self, output: Output, order: str) -> None:
        """Given EXIF of a camera, if I encode with it, I expect camera, lens, author and place, each of its type."""
        image, taking, gps = exif_of(encode(pixels(), output, PARAMETERS, camera_exif(order)))
        assert (image[Base.Make], image[Base.Copyright]) == ("Canon", "© Ada".encode().decode("latin-1"))
        assert (taking[Base.LensModel], taking[Base.ExposureTime]) == ("EF50mm f/1.4 USM", (1, 125))
        assert taking[Base.ISOSpeedRatings] == 400
        assert (gps[ExifTags.GPS.GPSLatitudeRef], gps[ExifTags.GPS.GPSLatitude]) == ("N", (52, 31, 12))

    @each_output
    def test_what_it_says_of_the_pixels_is_ours(self, output: Output) -> None:
        """Given EXIF of a turned Adobe RGB picture with a thumbnail, if I encode, I expect what holds for ours."""
        data = encode(pixels(), output, PARAMETERS, camera_exif())
        image, taking, _ = exif_of(data)
        assert image.get(Base.Orientation, 1) == 1
        assert image[Base.Software] == "stylefarm"
        assert (taking[Base.ColorSpace], taking[Base.ExifImageWidth], taking[Base.ExifImageHeight]) == (1, 48, 32)
        assert not {Base.SubjectLocation, Base.FocalPlaneXResolution, Base.ExifInteroperabilityOffset} & set(taking)
        assert b"THUMBNAIL" not in data
        assert (image.get(Base.ImageWidth, 48), image.get(Base.ImageLength, 32)) == (48, 32)
        assert decode(data, "a").notes == (("16-bit reduced to 8-bit",) if output.bits == 16 else ())

    @each_output
    def test_parameters_take_the_place_of_the_comment(self, output: Output) -> None:
        """Given a picture that we painted as content, if I encode, I expect the new parameters, and no old ones."""
        content = encode(pixels(), Output("jpeg"), {"old": "of before"}, camera_exif())
        data = encode(pixels(), output, PARAMETERS, kept_exif(content))
        assert read_parameters(data) == PARAMETERS
        assert not any("of before".encode(encoding) in data for encoding in ("utf-16-be", "utf-16-le", "utf-8"))

    @each_output
    def test_the_makers_note_stays_in_its_place(self, output: Output) -> None:
        """Given a maker's note, whose offsets count from the block's beginning, if I encode, I expect it there."""
        before = camera_exif().removeprefix(b"Exif\0\0")
        data = encode(pixels(), output, {}, camera_exif())
        block = tiff_block(data)
        assert block.index(NOTE) == before.index(NOTE)
        assert exif_of(data)[1][Base.MakerNote] == NOTE

    def test_a_jpeg_that_cannot_hold_all_keeps_the_parameters(self) -> None:
        """Given much EXIF and long parameters, if I encode a JPEG, I expect the note to go first, then the rest."""
        for words, make in ((5_000, "Canon"), (31_000, "Canon"), (32_600, None)):
            data = encode(pixels(), Output("jpeg"), {"prompt": "x" * words}, camera_exif(note=NOTE * 1_000))
            image, taking, _ = exif_of(data)
            assert image.get(Base.Make) == make
            assert (Base.MakerNote in taking) == (words == 5_000)
            assert read_parameters(data) == {"prompt": "x" * words}

    @pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "AVIF", "TIFF"])
    def test_it_is_read_from_any_format(self, kind: str) -> None:
        """Given a file of any format with EXIF, if I ask for what is to be kept, I expect it, in each painted one."""
        exif = Image.Exif()
        exif[Base.Make] = "Leica"
        exif[IFD.GPSInfo] = {ExifTags.GPS.GPSLatitudeRef: "S"}
        kept = kept_exif(saved(photograph(), kind, exif=exif.tobytes()))
        assert kept is not None
        assert len(kept) < 300  # and none of the pixels, where the file is one block of EXIF
        for output in OUTPUTS:
            image, _, gps = exif_of(encode(pixels(), output, {}, kept))
            assert (image[Base.Make], gps[ExifTags.GPS.GPSLatitudeRef]) == ("Leica", "S")

    def test_it_is_found_behind_the_pixels(self) -> None:
        """Given a PNG with its EXIF after the pixels, if I ask for it, I expect it."""
        whole = saved(photograph(), "PNG")
        data = whole[:-12] + png_chunk(b"eXIf", camera_exif().removeprefix(b"Exif\0\0")) + whole[-12:]
        assert b"Canon" in (kept_exif(data) or b"")

    def test_where_there_is_none(self) -> None:
        """Given pictures without EXIF, with a broken one, or no picture, if I ask for what is kept, I expect None."""
        for kind in ("PNG", "JPEG", "WEBP", "AVIF", "GIF", "BMP", "PPM"):
            assert kept_exif(saved(photograph(), kind)) is None
        for block in BROKEN:
            assert kept_exif(saved(photograph(), "WEBP", exif=block)) is None
        assert kept_exif(b"text") is None
        assert kept_exif(saved(photograph(), "PNG")[:40]) is None

    @each_output
    def test_a_broken_one_is_dropped(self, output: Output) -> None:
        """Given EXIF that is broken in many ways, if I encode with it, I expect the picture as without."""
        expected = encode(pixels(), output, PARAMETERS)
        for block in BROKEN:
            assert encode(pixels(), output, PARAMETERS, block) == expected

    def test_any_damage_leaves_a_picture(self) -> None:
        """Given EXIF cut off anywhere or with any byte changed, if I encode with it, I expect a whole picture."""
        whole = camera_exif()
        damaged = [whole[:length] for length in range(0, len(whole), 7)]
        damaged += [whole[:at] + bytes((value,)) + whole[at + 1 :] for at in range(6, len(whole)) for value in (0, 255)]
        image = pixels(2, 2)
        for kind, block in zip(itertools.cycle(("png", "tiff")), damaged, strict=False):
            assert read_parameters(encode(image, Output("tiff" if kind == "tiff" else "png"), {"a": 1}, block)) == {
                "a": 1
            }

    def test_lying_fields_take_no_memory(self) -> None:
        """Given a small block whose thousands of fields all claim all of it, if I encode with it, I expect none."""
        fields = b"".join(struct.pack(">HHLL", tag, 7, 500_000, 8) for tag in range(0xB000, 0xF000))
        block = b"MM\0*" + struct.pack(">LHHHLL", 8, 1, IFD.Exif, 4, 1, 26) + bytes(4)
        block += struct.pack(">H", 0x4000) + fields + bytes(500_000)
        data = encode(pixels(), Output("png"), {}, block)
        assert len(data) < 20_000

    def test_without_content_exif_png_has_none(self) -> None:
        """Given no EXIF, if I encode a PNG, I expect no chunk of it."""
        assert b"eXIf" not in encode(pixels(), Output("png"), PARAMETERS)


NOTE = b"Canon's own numbers, which point to one another"
BROKEN = [
    b"",
    b"Exif\0\0",
    b"Exif\0\0II*\0",
    b"nonsense, and more of it",
    b"MM\0*\0\0\0\x08",
    b"MM\0*\xff\xff\xff\xff\0\0",
    b"II*\0\x08\0\0\0\xff\xff" + bytes(30),
    b"MM\0*" + struct.pack(">LHHHLL", 8, 1, IFD.Exif, 4, 1, 70_000) + bytes(4),
]


def camera_exif(order: str = ">", note: bytes = NOTE) -> bytes:
    """What a Canon might write, of a turned picture in Adobe RGB, with a thumbnail; in either byte order."""
    head = b"II*\0\x08\0\0\0" if order == "<" else b"MM\0*\0\0\0\x08"
    image = TiffImagePlugin.ImageFileDirectory_v2(head)
    image[Base.Make], image[Base.Model], image[Base.Orientation] = "Canon", "Canon EOS 5D", 6
    image.tagtype[Base.Copyright] = 2
    image[Base.Copyright] = "© Ada".encode()
    image[Base.ImageWidth], image[Base.ImageLength] = 4368, 2912
    image[IFD.Exif] = {
        Base.ExposureTime: TiffImagePlugin.IFDRational(1, 125),
        Base.ISOSpeedRatings: 400,
        Base.LensModel: "EF50mm f/1.4 USM",
        Base.MakerNote: note,
        Base.UserComment: b"ASCII\0\0\0of before",
        Base.ColorSpace: 65535,
        Base.ExifImageWidth: 4368,
        Base.ExifImageHeight: 2912,
        Base.SubjectLocation: (2000, 1000),
        Base.FocalPlaneXResolution: TiffImagePlugin.IFDRational(3087, 1),
    }
    image[IFD.GPSInfo] = {
        ExifTags.GPS.GPSLatitudeRef: "N",
        ExifTags.GPS.GPSLatitude: tuple(TiffImagePlugin.IFDRational(part, 1) for part in (52, 31, 12)),
    }
    return b"Exif\0\0" + head + with_thumbnail(image.tobytes(8), order, len(image))


def with_thumbnail(directory: bytes, order: str, length: int) -> bytes:
    """The directory, which begins at offset 8, with a second one behind it that holds a picture."""
    link = 2 + 12 * length
    second = 8 + len(directory)
    directory = directory[:link] + struct.pack(f"{order}L", second) + directory[link + 4 :]
    fields = struct.pack(f"{order}HHLL", 0x201, 4, 1, second + 30) + struct.pack(f"{order}HHLL", 0x202, 4, 1, 9)
    return directory + struct.pack(f"{order}H", 2) + fields + bytes(4) + b"THUMBNAIL"


def exif_of(data: bytes) -> tuple[dict[int, Any], dict[int, Any], dict[int, Any]]:
    """What Pillow reads of the image, of its taking, and of its place; fractions as two numbers."""
    with Image.open(io.BytesIO(data)) as image:
        exif = image.getexif()
        image_fields, taking = dict(exif), dict(exif.get_ifd(IFD.Exif))
        gps = dict(exif.get_ifd(IFD.GPSInfo))
        assert not exif.get_ifd(IFD.IFD1)
    exposure = taking.get(Base.ExposureTime)
    if isinstance(exposure, TiffImagePlugin.IFDRational):
        taking[Base.ExposureTime] = (exposure.numerator, exposure.denominator)
    return image_fields, taking, gps


def tiff_block(data: bytes) -> bytes:
    """The EXIF block of a file, from its byte order on."""
    if data[:4] in (b"II*\0", b"MM\0*"):
        return data
    with Image.open(io.BytesIO(data)) as image:
        block = image.info["exif"]
    assert isinstance(block, bytes)
    return block.removeprefix(b"Exif\0\0")


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
