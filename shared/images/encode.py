"""Encoding: files that hold the picture, its color space, the parameters it was rendered with, and EXIF."""

from __future__ import annotations

import json
import struct
from collections.abc import Mapping
from dataclasses import dataclass, replace
from io import BytesIO
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
from PIL import ExifTags, Image, features
from PIL.PngImagePlugin import PngImageFile

from stylefarm.shared.errors import InvalidRequest
from stylefarm.shared.images.color import SRGB
from stylefarm.shared.images.decode import opened
from stylefarm.shared.images.exif import (
    PREFIX,
    Exif,
    begin_block,
    describe,
    exif_in,
    finish_block,
    parse_block,
    user_comment,
    without_note,
)
from stylefarm.shared.images.png import chunk, encode_png, profile_chunk, text_chunk
from stylefarm.shared.images.tiff import encode_tiff

Format = Literal["png", "jpeg", "webp", "avif", "tiff"]
Bits = Literal[8, 16]

_SUFFIXES: dict[str, Format] = {
    ".png": "png",
    ".jpg": "jpeg",
    ".jpeg": "jpeg",
    ".webp": "webp",
    ".avif": "avif",
    ".tif": "tiff",
    ".tiff": "tiff",
}
_LONGEST_SIDE: dict[Format, int] = {
    "png": 2**31 - 1,
    "jpeg": 65_500,
    "webp": 16_383,
    "avif": 32_768,  # AV1 has more, and libavif, which most viewers use, refuses to read it
    "tiff": 2**32 - 1,
}
_SIXTEEN_BITS: tuple[Format, ...] = ("png", "tiff")
_LONGEST_EXIF_IN_JPEG = 65_533  # a segment's length is written in 16 bits
_KEY = "stylefarm"


def _srgb_profile() -> bytes:
    # Bytes 24 to 36 hold the profile's creation time: fixed, so that every process writes the same bytes.
    profile = SRGB.tobytes()
    return profile[:24] + struct.pack(">6H", 2000, 1, 1, 0, 0, 0) + profile[36:]


_SRGB_PROFILE = _srgb_profile()


@dataclass(frozen=True)
class Output:
    """The file format of a picture, and its options.

    `bits` are of each channel; 16 of them go into PNG and TIFF. `quality` is 1 to 100, of JPEG, WebP and AVIF. `icc`
    embeds the sRGB profile; without it a reader has to assume sRGB, as most do.

    Raises:
        InvalidRequest: 16 bits in another format, or a quality out of its range.
    """

    format: Format
    bits: Bits = 8
    quality: int = 95
    icc: bool = True

    def __post_init__(self) -> None:
        if self.bits != 8 and (self.bits != 16 or self.format not in _SIXTEEN_BITS):
            raise InvalidRequest(f"{self.format} does not hold {self.bits} bits a channel: use 8, or 16 in png or tiff")
        if not 1 <= self.quality <= 100:
            raise InvalidRequest(f"a quality of {self.quality} is out of range: give 1 to 100")


def content_type(format: Format) -> str:  # noqa: A002
    """Return the media type that says how bytes in `format` are to be read, e.g. "image/png"."""
    return f"image/{format}"


def suffix_format(path: Path) -> Format:
    """Return the format that a file's name asks for by its suffix, upper or lower case.

    Raises:
        InvalidRequest: no such suffix; the sentence lists those that are known.
    """
    try:
        return _SUFFIXES[path.suffix.lower()]
    except KeyError:
        raise InvalidRequest(f"{path} names no format: end it in {', '.join(_SUFFIXES)}") from None


def check_suffix(path: Path, suffix: str) -> None:
    """Raise InvalidRequest if a file's name asks for another format than that of `suffix`, which its picture has."""
    named, held = _SUFFIXES.get(path.suffix.lower()), _SUFFIXES[suffix]
    if named not in (None, held):
        raise InvalidRequest(f"{path} is named as {named}, but the picture is {held}: end it in {suffix}")


def encode(
    pixels: npt.NDArray[np.floating[Any]],
    output: Output,
    parameters: Mapping[str, object],
    exif: bytes | None = None,
    alpha: npt.NDArray[np.floating[Any]] | None = None,
) -> bytes:
    """Encode `pixels` and the parameters they were made with as a file; the same bytes for the same arguments.

    `parameters` (anything JSON can say) are in PNG the text chunk "stylefarm", in all others the EXIF user comment,
    where picture viewers and exiftool show them; `read_parameters` reads them back.

    Args:
        pixels: (height, width, 3), any float type, sRGB, upright; clipped to [0, 1], rounded to the bits of `output`.
        output: PNG and TIFF are lossless; JPEG and AVIF keep the full resolution of colors (4:4:4).
        parameters: by name.
        exif: the content picture's, as `kept_exif` gives it, or Pillow's. What it says of camera, author, time and
            place is kept, what it says of the old pixels is corrected or left out. Left out altogether where it is
            broken; where a JPEG cannot hold it with the parameters, first the maker's note goes, then the rest.
        alpha: how opaque each pixel is, (height, width), 0 to 1; None: all of them are.

    Raises:
        InvalidRequest: the parameters are not JSON, a value is NaN, the picture or its parameters are larger than the
            format can hold, it is transparent and the format is JPEG, or Pillow was built without AVIF.
    """
    _check(pixels, output.format)
    if alpha is not None:
        if output.format == "jpeg":
            raise InvalidRequest("jpeg holds no transparency: use png, webp, avif or tiff")
        pixels = np.dstack((pixels, alpha))
    values = _quantise(pixels, output.bits)
    height, width, _ = values.shape
    kept = parse_block(exif) if exif is not None else None
    profile = _SRGB_PROFILE if output.icc else None
    if output.format == "png":
        metadata = describe(kept, width, height, _KEY, None) if kept else None
        return _encode_png(values, profile, _json(dict(parameters)), metadata)
    metadata = describe(kept or Exif(), width, height, _KEY, _json({_KEY: dict(parameters)}))
    if output.format == "tiff":
        return encode_tiff(values, metadata, profile)
    return _encode_lossy(Image.fromarray(values), output, profile, metadata)


def _check(pixels: npt.NDArray[np.floating[Any]], format: Format) -> None:  # noqa: A002
    if pixels.ndim != 3 or pixels.shape[2] != 3 or pixels.size == 0:
        raise InvalidRequest(f"an array of shape {pixels.shape} is no picture: give (height, width, 3)")
    height, width, _ = pixels.shape
    longest = _LONGEST_SIDE[format]
    if max(height, width) > longest:
        raise InvalidRequest(
            f"{width} x {height} is too large for {format}, which holds {longest:,} pixels a side: use png"
        )
    if np.isnan(pixels).any():
        raise InvalidRequest("the picture holds values that are not numbers (NaN): render it anew with another seed")
    if format == "avif" and not features.check("avif"):
        raise InvalidRequest("this build of Pillow cannot write AVIF: use another format, or install Pillow's wheel")


def _quantise(pixels: npt.NDArray[np.floating[Any]], bits: Bits) -> npt.NDArray[Any]:
    # Half precision ends at 65,504, below 65,535, white in 16 bits.
    precise = pixels.astype(np.promote_types(pixels.dtype, np.float32), copy=False)
    levels: npt.NDArray[np.floating[Any]] = np.rint(np.clip(precise, 0, 1) * (2**bits - 1))
    return levels.astype(np.uint8 if bits == 8 else np.uint16)


def _encode_png(values: npt.NDArray[Any], profile: bytes | None, text: str, metadata: Exif | None) -> bytes:
    chunks = [profile_chunk(profile)] if profile else []
    chunks += [chunk(b"tEXt", b"Software\0" + _KEY.encode()), text_chunk(_KEY, text)]
    if metadata:
        chunks.append(chunk(b"eXIf", _exif_block(metadata).removeprefix(PREFIX)))
    return encode_png(values, *chunks)


def _encode_lossy(picture: Image.Image, output: Output, profile: bytes | None, metadata: Exif) -> bytes:
    file = BytesIO()
    if output.format == "jpeg":
        block = _exif_for_jpeg(metadata, *picture.size)
        picture.save(file, "JPEG", icc_profile=profile, exif=block, quality=output.quality, subsampling=0)
    elif output.format == "webp":
        block = _exif_block(metadata)
        picture.save(file, "WEBP", icc_profile=profile, exif=block, quality=output.quality, lossless=False, method=4)
    else:
        # Pillow would remove the orientation, and rewrite all other fields; in AVIF, EXIF's orientation has no effect.
        image = {tag: value for tag, value in metadata.image.items() if tag != ExifTags.Base.Orientation}
        block = _exif_block(replace(metadata, image=image))
        # How libavif cuts a picture into tiles depends on the number of threads.
        options: dict[str, Any] = {"subsampling": "4:4:4", "max_threads": 1}
        picture.save(file, "AVIF", icc_profile=profile, exif=block, quality=output.quality, **options)
    return file.getvalue()


def _exif_for_jpeg(metadata: Exif, width: int, height: int) -> bytes:
    ours = describe(Exif(), width, height, _KEY, user_comment(metadata))
    for candidate in (metadata, without_note(metadata), ours):
        block = _exif_block(candidate)
        if len(block) <= _LONGEST_EXIF_IN_JPEG:
            return block
    raise InvalidRequest("the parameters are longer than the 32,600 characters that JPEG holds: use png or webp")


def _exif_block(exif: Exif) -> bytes:
    return PREFIX + finish_block(begin_block(exif), exif)


def _json(value: dict[str, object]) -> str:
    try:
        text = json.dumps(value, ensure_ascii=False, allow_nan=False, sort_keys=True)
    except (TypeError, ValueError, RecursionError) as error:
        raise InvalidRequest(f"the parameters cannot be written into a picture as JSON: {error}") from error
    # Half a surrogate pair is no character, but may be in a file's name; \ud800 is also how JSON writes it.
    return text.encode("utf-8", "backslashreplace").decode()


def read_parameters(data: bytes) -> dict[str, Any] | None:
    """Read the parameters that `encode` wrote into `data`; None where it came from elsewhere. Decodes no pixel.

    Raises:
        InvalidImage: `data` is no picture, or a damaged one.
    """
    with opened(data, "the picture") as image:
        if isinstance(image, PngImageFile):
            return _parsed(str(image.info.get(_KEY, "")))
        exif = exif_in(image, data)
    parameters = (_parsed(user_comment(exif)) or {}).get(_KEY) if exif else None
    return parameters if isinstance(parameters, dict) else None


def _parsed(text: str) -> dict[str, Any] | None:
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None
