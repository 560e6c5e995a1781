"""Formats that are told by the first bytes of a file, and one that an extra reads."""

from __future__ import annotations

import io

import numpy as np
import pytest

from stylefarm.shared.errors import InvalidImage
from stylefarm.shared.images import decode as decoding
from stylefarm.shared.images.decode import decode
from stylefarm.shared.images.recognize import recognize
from tests.unit.pictures import photograph, saved

FORMATS = {"PNG": "PNG", "JPEG": "JPEG", "GIF": "GIF", "BMP": "BMP", "TIFF": "TIFF", "PPM": "PPM", "WEBP": "WebP"}
HEIC = b"\0\0\0\x18ftypmif1\0\0\0\0mif1heic"


@pytest.mark.parametrize(("kind", "name"), [*FORMATS.items(), ("AVIF", "AVIF")])
def test_what_pillow_writes_is_recognized(kind: str, name: str) -> None:
    """Given a picture, if its first bytes are looked at, I expect its format."""
    assert recognize(saved(photograph(), kind)) == name


@pytest.mark.parametrize(
    "data", [b"", b"BMW, a list of cars and more", b"P1 is the first", b"P6", b"\0\0\0\x18ftypisom\0\0\0\0mp41", b"II"]
)
def test_what_only_begins_like_one_is_none(data: bytes) -> None:
    """Given a text or a film, if its first bytes are looked at, I expect no format of a picture."""
    assert recognize(data) is None


def test_heic_without_its_reader_is_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    """Given a HEIC file and no pillow-heif, if it is read, I expect to be told what to install."""
    monkeypatch.setattr(decoding, "reads_heic", lambda: False)
    with pytest.raises(
        InvalidImage, match=r"cat\.heic is HEIC, which needs pillow-heif: pip install 'stylefarm\[heic\]'"
    ):
        decode(HEIC, "cat.heic")


def test_heic_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    """Given pillow-heif, if a HEIC file is read, I expect its picture, upright, and a sentence for a damaged one."""
    pillow_heif = pytest.importorskip("pillow_heif")
    picture, file = photograph(64, 48), io.BytesIO()
    pillow_heif.from_pillow(picture).save(file, quality=95)
    found = decode(file.getvalue(), "cat.heic").image
    assert found.size == picture.size
    assert np.abs(np.asarray(found, float) - np.asarray(picture, float)).mean() < 8
    with pytest.raises(InvalidImage, match=r"^cat\.heic "):
        decode(file.getvalue()[:200], "cat.heic")
    with pytest.raises(InvalidImage, match="more than the limit of 1,000"):
        decode(file.getvalue(), "cat.heic", max_pixels=1000)
