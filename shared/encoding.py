"""How pictures go out: PNG, JPEG or WebP bytes that carry their colour space and the parameters that painted them."""

from __future__ import annotations

import json
import struct
from collections.abc import Mapping
from io import BytesIO
from pathlib import Path
from typing import Any, Literal

from PIL import ExifTags, Image
from PIL.PngImagePlugin import PngImageFile, PngInfo

from shared.colour import SRGB
from shared.errors import InvalidRequest
from shared.images import opened

Format = Literal["png", "jpeg", "webp"]

_SUFFIXES: dict[str, Format] = {".png": "png", ".jpg": "jpeg", ".jpeg": "jpeg", ".webp": "webp"}
_LONGEST_SIDE: dict[Format, int] = {"png": 2**31 - 1, "jpeg": 65_500, "webp": 16_383}
_LONGEST_EXIF_IN_JPEG = 65_533  # a segment's length is written in 16 bits
_KEY = "stylefarm"
_UNICODE = b"UNICODE\0"


def _srgb_profile() -> bytes:
    # Bytes 24 to 36 hold the moment the profile was made: fixed, or no two processes would write the same picture.
    profile = SRGB.tobytes()
    return profile[:24] + struct.pack(">6H", 2000, 1, 1, 0, 0, 0) + profile[36:]


_SRGB_PROFILE = _srgb_profile()


def content_type(format: Format) -> str:  # noqa: A002
    """The media type that says how bytes in `format` are to be read, e.g. "image/png"."""
    return f"image/{format}"


def suffix_format(path: Path) -> Format:
    """The format that a file's name asks for by its suffix, upper or lower case.

    Raises:
        InvalidRequest: no such suffix; the sentence lists those that are known.
    """
    try:
        return _SUFFIXES[path.suffix.lower()]
    except KeyError:
        raise InvalidRequest(f"{path} names no format: end it in {', '.join(_SUFFIXES)}") from None


def encode(
    image: Image.Image,
    format: Format,  # noqa: A002
    parameters: Mapping[str, object],
    quality: int = 95,
) -> bytes:
    """The bytes of a file that shows `image` and says how it was painted; the same bytes for the same arguments.

    Tagged as sRGB. `parameters` (anything JSON can say) are in PNG the text chunk "stylefarm", in JPEG and WebP the
    EXIF user comment, where picture viewers and exiftool show them; `read_parameters` reads them back.

    Args:
        image: sRGB; RGB, or turned to it.
        format: "png" is lossless; "jpeg" keeps the full resolution of colours (4:4:4).
        parameters: by name.
        quality: 1 to 100, of JPEG and WebP.

    Raises:
        InvalidRequest: the parameters are not JSON, or they or the picture are larger than the format can hold.
    """
    longest = _LONGEST_SIDE[format]
    if max(image.size) > longest:
        raise InvalidRequest(
            f"{image.width} x {image.height} is too large for {format}, which holds {longest:,} pixels a side: use png"
        )
    picture = image.convert("RGB")
    picture.info = {}  # or Pillow would write what it finds there: comments, resolution, a transparent colour
    return _saved(picture, format, parameters, quality)


def _saved(
    picture: Image.Image,
    format: Format,  # noqa: A002
    parameters: Mapping[str, object],
    quality: int,
) -> bytes:
    file = BytesIO()
    if format == "png":
        picture.save(file, "PNG", icc_profile=_SRGB_PROFILE, pnginfo=_png_text(parameters))
        return file.getvalue()
    exif = _exif(_json({_KEY: dict(parameters)}))
    if format == "webp":
        picture.save(file, "WEBP", icc_profile=_SRGB_PROFILE, exif=exif, quality=quality, lossless=False, method=4)
        return file.getvalue()
    if len(exif) > _LONGEST_EXIF_IN_JPEG:
        raise InvalidRequest("the parameters are longer than the 32,700 characters that JPEG holds: use png or webp")
    picture.save(file, "JPEG", icc_profile=_SRGB_PROFILE, exif=exif, quality=quality, subsampling=0)
    return file.getvalue()


def _json(value: dict[str, object]) -> str:
    try:
        text = json.dumps(value, ensure_ascii=False, allow_nan=False, sort_keys=True)
    except (TypeError, ValueError, RecursionError) as error:
        raise InvalidRequest(f"the parameters cannot be written into a picture as JSON: {error}") from error
    # Half a surrogate pair is no character, but may be in a file's name; \ud800 is also how JSON writes it.
    return text.encode("utf-8", "backslashreplace").decode()


def _png_text(parameters: Mapping[str, object]) -> PngInfo:
    text = PngInfo()
    text.add_text("Software", _KEY)
    text.add_itxt(_KEY, _json(dict(parameters)))
    return text


def _exif(comment: str) -> bytes:
    """EXIF that holds the program and a user comment in UTF-16: two directories, each followed by its long value.

    By hand, because Pillow writes the user comment as numbers (type 1) and the standard wants it undefined (type 7).
    """
    software, text = _KEY.encode() + b"\0", _UNICODE + comment.encode("utf-16-be")
    exif_at = 38 + len(software)
    text_at = exif_at + 18
    return b"".join(
        (
            b"Exif\0\0MM\0*" + struct.pack(">L", 8),
            struct.pack(">H", 2),
            struct.pack(">HHLL", ExifTags.Base.Software, 2, len(software), 38),
            struct.pack(">HHLL", ExifTags.IFD.Exif, 4, 1, exif_at),
            struct.pack(">L", 0) + software,
            struct.pack(">H", 1),
            struct.pack(">HHLL", ExifTags.Base.UserComment, 7, len(text), text_at),
            struct.pack(">L", 0) + text,
        )
    )


def read_parameters(data: bytes) -> dict[str, Any] | None:
    """What `encode` was told about the picture in `data`; None where it came from elsewhere. Decodes no pixel.

    Raises:
        InvalidImage: `data` is no picture, or a damaged one.
    """
    with opened(data, "the picture") as image:
        if isinstance(image, PngImageFile):
            return _parsed(str(image.info.get(_KEY, "")))
        wrapped = _parsed(_user_comment(image))
    parameters = (wrapped or {}).get(_KEY)
    return parameters if isinstance(parameters, dict) else None


def _user_comment(image: Image.Image) -> str:
    exif = image.getexif()
    comment = exif.get_ifd(ExifTags.IFD.Exif).get(ExifTags.Base.UserComment)
    if not isinstance(comment, bytes) or not comment.startswith(_UNICODE):
        return ""
    return comment.removeprefix(_UNICODE).decode("utf-16-be" if exif.endian == ">" else "utf-16-le", "replace")


def _parsed(text: str) -> dict[str, Any] | None:
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None
