"""EXIF, which is TIFF's directories of fields without the pixels: read from one picture, written into another.

By hand, because Pillow guesses each field's type when it writes (the user comment becomes numbers), and moves the
maker's note, whose own offsets count from the beginning of the block and hold only where it stays.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Literal

from PIL.ExifTags import IFD, Base
from PIL.ImageFile import ImageFile
from PIL.PngImagePlugin import PngImageFile
from PIL.TiffImagePlugin import TiffImageFile

from stylefarm.shared.errors import InvalidImage
from stylefarm.shared.images.decode import opened
from stylefarm.shared.images.png import find_chunk

ByteOrder = Literal["<", ">"]  # as `struct` writes it: Intel's, Motorola's

PREFIX = b"Exif\0\0"
_ORDERS: dict[bytes, ByteOrder] = {b"II*\0": "<", b"MM\0*": ">"}
_ASCII, _SHORT, _LONG, _RATIONAL, _UNDEFINED = 2, 3, 4, 5, 7
_BYTES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4, 129: 1}
_UNICODE = b"UNICODE\0"
_FARTHEST_NOTE = 65_535  # from where a block that holds the note in its place would be mostly empty


@dataclass(frozen=True)
class Field:
    """`count` values of a type that TIFF numbers, as bytes in their directory's byte order."""

    type: int
    count: int
    data: bytes


Directory = Mapping[int, Field]  # by tag


@dataclass(frozen=True)
class Exif:
    """The EXIF of a picture: fields of the image, of the exposure, of the place; in one byte order."""

    order: ByteOrder = ">"
    image: Directory = field(default_factory=dict)
    taking: Directory = field(default_factory=dict)
    gps: Directory = field(default_factory=dict)
    note_at: int = 0  # where in the block the maker's note lies; 0 without one


_IMAGE_TAGS = {
    *(Base.ImageDescription, Base.Make, Base.Model, Base.DateTime, Base.Artist, Base.HostComputer, Base.Copyright),
    *(Base.XResolution, Base.YResolution, Base.ResolutionUnit, Base.Rating, Base.RatingPercent),
    *(Base.XPTitle, Base.XPComment, Base.XPAuthor, Base.XPKeywords, Base.XPSubject),
    *(IFD.Exif, IFD.GPSInfo),
}
_SUBJECT_AREA = 0x9214  # which Pillow has no name for
# Tags that describe the original pixels: color space, compression, positions.
_UNTRUE_TAGS = {
    *(Base.ColorSpace, Base.Gamma, Base.ExifInteroperabilityOffset),
    *(Base.ComponentsConfiguration, Base.CompressedBitsPerPixel, Base.ExifImageWidth, Base.ExifImageHeight),
    *(_SUBJECT_AREA, Base.SubjectLocation),
    *(Base.FocalPlaneXResolution, Base.FocalPlaneYResolution, Base.FocalPlaneResolutionUnit),
}


def kept_exif(data: bytes) -> bytes | None:
    r"""Return the EXIF of a picture's file, less what holds for its pixels only; for `encode` to write elsewhere.

    Camera, lens, exposure, dates, author, copyright, place and the maker's note are kept; the thumbnail, dimensions
    and color space are not. Decodes no pixel.

    Args:
        data: the bytes of a PNG, JPEG, WebP, TIFF or AVIF file.

    Returns:
        A block that begins with b"II*\0" or b"MM\0*"; None where there is no EXIF, or it or the file is broken.
    """
    try:
        with opened(data, "the picture") as image:
            exif = exif_in(image, data)
    except InvalidImage:
        return None
    if exif is None or not (exif.image or exif.taking or exif.gps):
        return None
    return finish_block(begin_block(exif), exif)


def exif_in(image: ImageFile, data: bytes) -> Exif | None:
    """Return the same as fields, of the `image` that `opened` has made of `data`; None where there is none."""
    if isinstance(image, TiffImageFile):
        return parse_block(data)
    # PNG allows its chunk after the pixels, too, where Pillow does not look before it decodes them.
    block = find_chunk(data, b"eXIf") if isinstance(image, PngImageFile) else image.info.get("exif")
    return parse_block(block) if isinstance(block, bytes) else None


def parse_block(block: bytes) -> Exif | None:
    r"""Parse an EXIF block, with or without b"Exif\0\0" before it; None where its directories are broken.

    A single field that lies outside the block is left out.
    """
    while block.startswith(PREFIX):
        block = block.removeprefix(PREFIX)
    try:
        order = _ORDERS[block[:4]]
        (start,) = struct.unpack_from(f"{order}L", block, 4)
        image, _ = _parse_directory(block, order, start, _IMAGE_TAGS.__contains__)
        taking, note_at = _parse_pointed(block, order, image.pop(IFD.Exif, None), lambda tag: tag not in _UNTRUE_TAGS)
        gps, _ = _parse_pointed(block, order, image.pop(IFD.GPSInfo, None), range(32).__contains__)
    except (LookupError, ValueError, struct.error):
        return None
    exif = Exif(order, image, taking, gps, note_at)
    return exif if 8 <= note_at <= _FARTHEST_NOTE else without_note(exif)


def _parse_pointed(
    block: bytes, order: ByteOrder, pointer: Field | None, wanted: Callable[[int], bool]
) -> tuple[dict[int, Field], int]:
    if pointer is None:
        return {}, 0
    (start,) = struct.unpack_from(f"{order}L", pointer.data)
    return _parse_directory(block, order, start, wanted)


def _parse_directory(
    block: bytes, order: ByteOrder, start: int, wanted: Callable[[int], bool]
) -> tuple[dict[int, Field], int]:
    """Return the wanted fields of the directory at `start`, and the offset of the maker's note."""
    fields: dict[int, Field] = {}
    note_at = total = 0
    (length,) = struct.unpack_from(f"{order}H", block, start)
    for entry in range(start + 2, start + 2 + 12 * length, 12):
        tag, kind, count, offset = struct.unpack_from(f"{order}HHLL", block, entry)
        size = count * _BYTES.get(kind, 0)
        data_start = offset if size > 4 else entry + 8
        if not wanted(tag) or tag in fields or not 0 < size <= len(block) - data_start:
            continue
        total += size
        if total > len(block) + 4 * length:
            raise ValueError("its fields lie over one another")  # or a small file could ask for any memory
        fields[tag] = Field(kind, count, block[data_start : data_start + size])
        if tag == Base.MakerNote:
            note_at = offset if size > 4 else 0
    return fields, note_at


def without_note(exif: Exif) -> Exif:
    """Return `exif` without the maker's note, which can be most of it."""
    taking = {tag: value for tag, value in exif.taking.items() if tag != Base.MakerNote}
    return replace(exif, taking=taking, note_at=0)


def describe(exif: Exif, width: int, height: int, software: str, comment: str | None) -> Exif:
    """Return `exif` as of an upright sRGB picture of width x height pixels that `software` has made.

    `comment` takes the place of the user comment; None removes it.
    """
    image = {
        **exif.image,
        Base.Orientation: short_field(exif.order, 1),
        Base.Software: Field(_ASCII, len(software) + 1, software.encode("ascii") + b"\0"),
    }
    taking = {
        Base.ExifVersion: Field(_UNDEFINED, 4, b"0232"),
        **exif.taking,
        Base.ColorSpace: short_field(exif.order, 1),
        Base.ExifImageWidth: long_field(exif.order, width),
        Base.ExifImageHeight: long_field(exif.order, height),
    }
    taking.pop(Base.UserComment, None)
    if comment is not None:
        text = _UNICODE + comment.encode(_utf_16(exif.order))
        taking[Base.UserComment] = Field(_UNDEFINED, len(text), text)
    return replace(exif, image=image, taking=taking)


def user_comment(exif: Exif) -> str:
    """Return the user comment, where it is in Unicode; otherwise nothing."""
    comment = exif.taking.get(Base.UserComment, Field(_UNDEFINED, 0, b"")).data
    return comment.removeprefix(_UNICODE).decode(_utf_16(exif.order), "replace") if comment[:8] == _UNICODE else ""


def _utf_16(order: ByteOrder) -> str:
    return "utf-16-le" if order == "<" else "utf-16-be"


def short_field(order: ByteOrder, *values: int) -> Field:
    """Return a field of 16-bit numbers."""
    return Field(_SHORT, len(values), struct.pack(f"{order}{len(values)}H", *values))


def long_field(order: ByteOrder, *values: int) -> Field:
    """Return a field of 32-bit numbers."""
    return Field(_LONG, len(values), struct.pack(f"{order}{len(values)}L", *values))


def rational_field(order: ByteOrder, numerator: int, denominator: int) -> Field:
    """Return a field of one fraction."""
    return Field(_RATIONAL, 1, struct.pack(f"{order}2L", numerator, denominator))


def begin_block(exif: Exif) -> bytearray:
    """Return the beginning of a TIFF file or EXIF block: its header, and the maker's note where it was before."""
    block = bytearray((b"II*\0" if exif.order == "<" else b"MM\0*") + bytes(4))
    if exif.note_at:
        block += bytes(exif.note_at - len(block)) + exif.taking[Base.MakerNote].data
    return block


def finish_block(block: bytearray, exif: Exif) -> bytes:
    """Return `block`, begun with the same `exif`, with all its directories at its end."""
    image = dict(exif.image)
    if exif.taking:
        image[IFD.Exif] = long_field(exif.order, _append_directory(block, exif.order, exif.taking, exif.note_at))
    if exif.gps:
        image[IFD.GPSInfo] = long_field(exif.order, _append_directory(block, exif.order, exif.gps))
    struct.pack_into(f"{exif.order}L", block, 4, _append_directory(block, exif.order, image))
    return bytes(block)


def _append_directory(block: bytearray, order: ByteOrder, fields: Directory, note_at: int = 0) -> int:
    """Append a directory to `block`, and after it its values longer than 4 bytes; return its offset."""
    block += bytes(len(block) % 2)
    start = len(block)
    table, values = bytearray(struct.pack(f"{order}H", len(fields))), bytearray()
    values_at = start + 2 + 12 * len(fields) + 4
    for tag in sorted(fields):
        data = fields[tag].data
        stored = data.ljust(4, b"\0")
        if tag == Base.MakerNote:
            stored = struct.pack(f"{order}L", note_at)
        elif len(data) > 4:
            stored = struct.pack(f"{order}L", values_at + len(values))
            values += data + bytes(len(data) % 2)
        table += struct.pack(f"{order}HHL", tag, fields[tag].type, fields[tag].count) + stored
    block += table + bytes(4) + values
    return start
