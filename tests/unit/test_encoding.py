"""Pictures going out."""

from __future__ import annotations

import io
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import ExifTags, Image, ImageCms, PngImagePlugin

from shared.encoding import Format, content_type, encode, read_parameters, suffix_format
from shared.errors import InvalidImage, InvalidRequest
from shared.images import decode
from tests.unit.pictures import photograph, saved

FORMATS: tuple[Format, ...] = ("png", "jpeg", "webp")
PARAMETERS: dict[str, object] = {
    "style": "Hokusai – 神奈川沖浪裏 🌊",
    "style_weight": 1e5,
    "layers": ["relu1_1"],
    "seed": None,
}


@pytest.mark.parametrize("kind", FORMATS)
def test_parameters_come_back(kind: Format) -> None:
    """Given parameters in many scripts, if I encode and read them, I expect them as they were."""
    data = encode(photograph(), kind, PARAMETERS)
    assert read_parameters(data) == PARAMETERS
    assert decode(data, "a").notes == ()


@pytest.mark.parametrize("kind", FORMATS)
def test_the_same_picture_gives_the_same_bytes(kind: Format) -> None:
    """Given one picture at two times, with notes of its own, if I encode it, I expect the same bytes."""
    again = photograph()
    again.info = {"comment": b"x", "dpi": (1, 1), "transparency": (0, 0, 0), "icc_profile": b"y", "exif": b"z"}
    assert encode(photograph(), kind, {"a": 1, "b": 2}) == encode(again, kind, {"b": 2, "a": 1})
    assert "2000" in str(ImageCms.getOpenProfile(io.BytesIO(profile_in(kind))).profile.creation_date)


@pytest.mark.parametrize("kind", FORMATS)
def test_it_is_tagged_as_srgb(kind: Format) -> None:
    """Given a picture, if I encode it, I expect a profile that says sRGB."""
    assert "sRGB" in ImageCms.getProfileDescription(ImageCms.ImageCmsProfile(io.BytesIO(profile_in(kind))))


def test_png_is_lossless_and_readable_by_others() -> None:
    """Given a PNG of ours, if another program opens it, I expect the pixels and plain text."""
    with Image.open(io.BytesIO(encode(photograph(), "png", PARAMETERS))) as image:
        assert isinstance(image, PngImagePlugin.PngImageFile)
        assert np.array_equal(np.asarray(image), np.asarray(photograph()))
        assert image.text["Software"] == "stylefarm"
        assert json.loads(image.text["stylefarm"]) == PARAMETERS


@pytest.mark.parametrize("kind", ["jpeg", "webp"])
def test_the_user_comment_is_standard(kind: Format) -> None:
    """Given a JPEG of ours, if another program reads its EXIF, I expect text it can show, and our name."""
    with Image.open(io.BytesIO(encode(photograph(), kind, PARAMETERS))) as image:
        exif = image.getexif()
        comment = exif.get_ifd(ExifTags.IFD.Exif)[ExifTags.Base.UserComment]
    assert exif[ExifTags.Base.Software] == "stylefarm"
    assert comment.startswith(b"UNICODE\0")
    assert "神奈川沖浪裏 🌊" in comment[8:].decode("utf-16-be")


def test_jpeg_keeps_the_full_resolution_of_colours() -> None:
    """Given a JPEG of ours, if I look at its sampling, I expect 4:4:4."""
    with Image.open(io.BytesIO(encode(photograph(), "jpeg", {}))) as image:
        assert [component[1:3] for component in image.layer] == [(1, 1)] * 3  # type: ignore[attr-defined]


@pytest.mark.parametrize("kind", ["jpeg", "webp"])
def test_quality_counts(kind: Format) -> None:
    """Given two qualities, if I encode, I expect the higher to be larger."""
    assert len(encode(photograph(), kind, {}, quality=98)) > len(encode(photograph(), kind, {}, quality=30))


def test_what_a_format_cannot_hold_is_told() -> None:
    """Given too many pixels or words for a kind, or no JSON, if I encode, I expect a sentence."""
    with pytest.raises(InvalidRequest, match="too large for webp, which holds 16,383 pixels a side: use png"):
        encode(Image.new("RGB", (16_384, 1)), "webp", {})
    with pytest.raises(InvalidRequest, match="use png or webp"):
        encode(photograph(), "jpeg", {"prompt": "x" * 40_000})
    for value in (object(), float("nan")):
        with pytest.raises(InvalidRequest, match="cannot be written into a picture as JSON"):
            encode(photograph(), "png", {"value": value})


def test_half_a_character_survives() -> None:
    """Given a file name that is not Unicode, if it is among the parameters, I expect it back."""
    for kind in FORMATS:
        assert read_parameters(encode(photograph(), kind, {"name": "a\udce9.jpg"})) == {"name": "a\udce9.jpg"}


def test_pictures_from_elsewhere_have_no_parameters() -> None:
    """Given pictures of others, with and without comments, if I read parameters, I expect None."""
    exif = Image.Exif()
    exif[ExifTags.IFD.Exif] = {ExifTags.Base.UserComment: b"ASCII\0\0\0shot on a phone"}
    for data in (
        saved(photograph(), "PNG"),
        saved(photograph(), "JPEG"),
        saved(photograph(), "WEBP"),
        saved(photograph(), "JPEG", exif=exif.tobytes()),
        saved(photograph(), "GIF"),
    ):
        assert read_parameters(data) is None
    with pytest.raises(InvalidImage, match="is not a picture"):
        read_parameters(b"text")


def test_names_of_formats() -> None:
    """Given suffixes, if I ask for their formats and media types, I expect them; unknown ones are told."""
    names = {"a.png": "png", "a.JPG": "jpeg", "b.jpeg": "jpeg", "c.tar.webp": "webp"}
    assert {name: suffix_format(Path(name)) for name in names} == names
    assert [content_type(kind) for kind in FORMATS] == ["image/png", "image/jpeg", "image/webp"]
    for name in ("a.bmp", "a", ".png"):
        with pytest.raises(InvalidRequest, match=r"names no format: end it in \.png, \.jpg, \.jpeg, \.webp"):
            suffix_format(Path(name))


def profile_in(kind: Format) -> bytes:
    with Image.open(io.BytesIO(encode(photograph(), kind, {}))) as image:
        profile = image.info["icc_profile"]
    assert isinstance(profile, bytes)
    return profile
