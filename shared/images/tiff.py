"""TIFF files: an EXIF block that also describes and holds the pixels."""

from __future__ import annotations

import zlib
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from stylefarm.shared.errors import InvalidRequest
from stylefarm.shared.images.exif import (
    ByteOrder,
    Directory,
    Exif,
    Field,
    begin_block,
    finish_block,
    long_field,
    rational_field,
    short_field,
)

_LARGEST = 2**32 - 2**24  # offsets have 32 bits; something is left for what is not pixels
_BYTES_A_STRIP = 2**18
_DEFLATE = 8
_RGB = 2
_HORIZONTAL_DIFFERENCES = 2
_UNDEFINED = 7
_UNASSOCIATED_ALPHA = 2  # colors are not multiplied by it


def encode_tiff(
    values: npt.NDArray[np.uint8] | npt.NDArray[np.uint16], exif: Exif, profile: bytes | None = None
) -> bytes:
    """Encode `values` as TIFF, with the fields of `exif` and an ICC profile.

    They are (height, width, 3), or with alpha (height, width, 4), uint8 or uint16. Deflated, in `exif`'s byte order.

    Raises:
        InvalidRequest: the pixels are more than the 4 GiB that offsets of TIFF can reach.
    """
    if values.nbytes > _LARGEST:
        raise InvalidRequest(f"{values.nbytes:,} bytes of pixels are more than tiff can hold, which is 4 GiB: use png")
    block = begin_block(exif)
    rows = max(1, _BYTES_A_STRIP // values[0].nbytes)
    offsets, lengths = [], []
    for top in range(0, len(values), rows):
        block += bytes(len(block) % 2)
        strip = _deflated(values[top : top + rows], exif.order)
        offsets.append(len(block))
        lengths.append(len(strip))
        block += strip
    structure = _structure(values, rows, offsets, lengths, exif.order)
    embedded = {34675: Field(_UNDEFINED, len(profile), profile)} if profile else {}
    return finish_block(block, replace(exif, image={**_resolution(exif.order), **exif.image, **structure, **embedded}))


def _deflated(values: npt.NDArray[Any], order: ByteOrder) -> bytes:
    differences = values.copy()
    differences[:, 1:] -= values[:, :-1]
    return zlib.compress(differences.astype(values.dtype.newbyteorder(order)).tobytes())


def _structure(
    values: npt.NDArray[Any], rows: int, offsets: list[int], lengths: list[int], order: ByteOrder
) -> Directory:
    height, width, channels = values.shape
    opacity = {338: short_field(order, _UNASSOCIATED_ALPHA)} if channels == 4 else {}
    return {
        **opacity,
        256: long_field(order, width),
        257: long_field(order, height),
        258: short_field(order, *[8 * values.itemsize] * channels),  # bits a sample
        259: short_field(order, _DEFLATE),
        262: short_field(order, _RGB),
        273: long_field(order, *offsets),
        277: short_field(order, channels),
        278: long_field(order, rows),
        279: long_field(order, *lengths),
        284: short_field(order, 1),  # the channels of a pixel lie side by side
        317: short_field(order, _HORIZONTAL_DIFFERENCES),
    }


def _resolution(order: ByteOrder) -> Directory:
    """Return the resolution that TIFF requires: square pixels, of no size."""
    return {282: rational_field(order, 1, 1), 283: rational_field(order, 1, 1), 296: short_field(order, 1)}
