"""EXIF of the content picture, in the rendered one."""

from __future__ import annotations

import io
import itertools
import struct
from typing import Any

import pytest
from PIL import ExifTags, Image, TiffImagePlugin
from PIL.ExifTags import IFD, Base

from stylefarm.shared.images.decode import decode
from stylefarm.shared.images.encode import Output, encode, read_parameters
from stylefarm.shared.images.exif import kept_exif
from tests.unit.outputs import BROKEN, NOTE, OUTPUTS, PARAMETERS, camera_exif, each_output, pixels
from tests.unit.pictures import photograph, png_chunk, saved


@each_output
@pytest.mark.parametrize("order", ["<", ">"])
def test_the_photograph_stays_known(output: Output, order: str) -> None:
    """Given EXIF of a camera, if I encode with it, I expect camera, lens, author and place, each of its type."""
    image, taking, gps = exif_of(encode(pixels(), output, PARAMETERS, camera_exif(order)))
    assert (image[Base.Make], image[Base.Copyright]) == ("Canon", "© Ada".encode().decode("latin-1"))
    assert (taking[Base.LensModel], taking[Base.ExposureTime]) == ("EF50mm f/1.4 USM", (1, 125))
    assert taking[Base.ISOSpeedRatings] == 400
    assert (gps[ExifTags.GPS.GPSLatitudeRef], gps[ExifTags.GPS.GPSLatitude]) == ("N", (52, 31, 12))


@each_output
def test_what_it_says_of_the_pixels_is_ours(output: Output) -> None:
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
def test_parameters_take_the_place_of_the_comment(output: Output) -> None:
    """Given a picture that we rendered as content, if I encode, I expect the new parameters, and no old ones."""
    content = encode(pixels(), Output("jpeg"), {"old": "of before"}, camera_exif())
    data = encode(pixels(), output, PARAMETERS, kept_exif(content))
    assert read_parameters(data) == PARAMETERS
    assert not any("of before".encode(encoding) in data for encoding in ("utf-16-be", "utf-16-le", "utf-8"))


@each_output
def test_the_makers_note_stays_in_its_place(output: Output) -> None:
    """Given a maker's note, whose offsets count from the block's beginning, if I encode, I expect it there."""
    before = camera_exif().removeprefix(b"Exif\0\0")
    data = encode(pixels(), output, {}, camera_exif())
    block = tiff_block(data)
    assert block.index(NOTE) == before.index(NOTE)
    assert exif_of(data)[1][Base.MakerNote] == NOTE


def test_a_jpeg_that_cannot_hold_all_keeps_the_parameters() -> None:
    """Given much EXIF and long parameters, if I encode a JPEG, I expect the note to go first, then the rest."""
    for length, make in ((5_000, "Canon"), (31_000, "Canon"), (32_600, None)):
        data = encode(pixels(), Output("jpeg"), {"prompt": "x" * length}, camera_exif(note=NOTE * 1_000))
        image, taking, _ = exif_of(data)
        assert image.get(Base.Make) == make
        assert (Base.MakerNote in taking) == (length == 5_000)
        assert read_parameters(data) == {"prompt": "x" * length}


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "AVIF", "TIFF"])
def test_it_is_read_from_any_format(kind: str) -> None:
    """Given a file of any format with EXIF, if I ask for what is to be kept, I expect it, in each rendered one."""
    exif = Image.Exif()
    exif[Base.Make] = "Leica"
    exif[IFD.GPSInfo] = {ExifTags.GPS.GPSLatitudeRef: "S"}
    kept = kept_exif(saved(photograph(), kind, exif=exif.tobytes()))
    assert kept is not None
    assert len(kept) < 300  # and none of the pixels, where the file is one block of EXIF
    for output in OUTPUTS:
        image, _, gps = exif_of(encode(pixels(), output, {}, kept))
        assert (image[Base.Make], gps[ExifTags.GPS.GPSLatitudeRef]) == ("Leica", "S")


def test_it_is_found_behind_the_pixels() -> None:
    """Given a PNG with its EXIF after the pixels, if I ask for it, I expect it."""
    whole = saved(photograph(), "PNG")
    data = whole[:-12] + png_chunk(b"eXIf", camera_exif().removeprefix(b"Exif\0\0")) + whole[-12:]
    assert b"Canon" in (kept_exif(data) or b"")


def test_where_there_is_none() -> None:
    """Given pictures without EXIF, with a broken one, or no picture, if I ask for what is kept, I expect None."""
    for kind in ("PNG", "JPEG", "WEBP", "AVIF", "GIF", "BMP", "PPM"):
        assert kept_exif(saved(photograph(), kind)) is None
    for block in BROKEN:
        assert kept_exif(saved(photograph(), "WEBP", exif=block)) is None
    assert kept_exif(b"text") is None
    assert kept_exif(saved(photograph(), "PNG")[:40]) is None


@each_output
def test_a_broken_one_is_dropped(output: Output) -> None:
    """Given EXIF that is broken in many ways, if I encode with it, I expect the picture as without."""
    expected = encode(pixels(), output, PARAMETERS)
    for block in BROKEN:
        assert encode(pixels(), output, PARAMETERS, block) == expected


def test_any_damage_leaves_a_picture() -> None:
    """Given EXIF cut off anywhere or with any byte changed, if I encode with it, I expect a whole picture."""
    whole = camera_exif()
    damaged = [whole[:length] for length in range(0, len(whole), 7)]
    damaged += [whole[:at] + bytes((value,)) + whole[at + 1 :] for at in range(6, len(whole)) for value in (0, 255)]
    image = pixels(2, 2)
    for kind, block in zip(itertools.cycle(("png", "tiff")), damaged, strict=False):
        assert read_parameters(encode(image, Output("tiff" if kind == "tiff" else "png"), {"a": 1}, block)) == {"a": 1}


def test_lying_fields_take_no_memory() -> None:
    """Given a small block whose thousands of fields all claim all of it, if I encode with it, I expect none."""
    fields = b"".join(struct.pack(">HHLL", tag, 7, 500_000, 8) for tag in range(0xB000, 0xF000))
    block = b"MM\0*" + struct.pack(">LHHHLL", 8, 1, IFD.Exif, 4, 1, 26) + bytes(4)
    block += struct.pack(">H", 0x4000) + fields + bytes(500_000)
    data = encode(pixels(), Output("png"), {}, block)
    assert len(data) < 20_000


def test_without_content_exif_png_has_none() -> None:
    """Given no EXIF, if I encode a PNG, I expect no chunk of it."""
    assert b"eXIf" not in encode(pixels(), Output("png"), PARAMETERS)


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
