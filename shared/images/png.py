"""PNG, chunk by chunk: Pillow writes no more than 8 bits a channel of a color picture."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_TRUECOLOR, _WITH_ALPHA = 2, 6
_PAETH = 4  # of PNG's filters the one under which paintings and photographs come out smallest
_BYTES_AT_A_TIME = 2**20


def encode_png(values: npt.NDArray[np.uint8] | npt.NDArray[np.uint16], *chunks: bytes) -> bytes:
    """Encode `values` as PNG, with `chunks` before the pixels, in order.

    They are (height, width, 3), or with alpha (height, width, 4), uint8 or uint16.
    """
    height, width, channels = values.shape
    kind = _WITH_ALPHA if channels == 4 else _TRUECOLOR
    header = struct.pack(">LLBBBBB", width, height, 8 * values.itemsize, kind, 0, 0, 0)
    pixels = (chunk(b"IDAT", part) for part in _deflated(values) if part)
    return b"".join((_SIGNATURE, chunk(b"IHDR", header), *chunks, *pixels, chunk(b"IEND", b"")))


def chunk(name: bytes, data: bytes) -> bytes:
    """Return one chunk: its length, its four-letter `name`, `data`, and the checksum of both."""
    return struct.pack(">L", len(data)) + name + data + struct.pack(">L", zlib.crc32(data, zlib.crc32(name)))


def profile_chunk(profile: bytes) -> bytes:
    """Return the chunk with an ICC profile, the color space of the pixels."""
    return chunk(b"iCCP", b"ICC Profile\0\0" + zlib.compress(profile))


def text_chunk(keyword: str, text: str) -> bytes:
    """Return the chunk of a text under a keyword of 1 to 79 Latin-1 characters; in UTF-8, not compressed."""
    return chunk(b"iTXt", keyword.encode("latin-1") + b"\0\0\0\0\0" + text.encode())


def find_chunk(data: bytes, name: bytes) -> bytes | None:
    """Return the data of the first chunk called `name` of a PNG file; None where there is none."""
    offset = len(_SIGNATURE)
    while offset + 8 <= len(data):
        length, found = struct.unpack_from(">L4s", data, offset)
        if found == name:
            return data[offset + 8 : offset + 8 + length]
        offset += 12 + length
    return None


def _deflated(values: npt.NDArray[Any]) -> Iterator[bytes]:
    """Compress the filtered rows, some at a time: the filter needs several times their memory."""
    deflate = zlib.compressobj(6, zlib.DEFLATED, 15, 9, zlib.Z_FILTERED)
    height, width, channels = values.shape
    rows = max(1, _BYTES_AT_A_TIME // (width * channels * values.itemsize))
    above = np.zeros(width * channels * values.itemsize, np.uint8)
    for top in range(0, height, rows):
        part = np.ascontiguousarray(values[top : top + rows], values.dtype.newbyteorder(">"))
        scanlines = part.view(np.uint8).reshape(len(part), -1)
        yield deflate.compress(_paeth(scanlines, above, channels * values.itemsize))
        above = scanlines[-1]
    yield deflate.flush()


def _paeth(scanlines: npt.NDArray[np.uint8], above: npt.NDArray[np.uint8], pixel: int) -> bytes:
    """Subtract from each byte the nearest of its neighbors to left + up - upper left; `pixel` is bytes a pixel."""
    padded = np.pad(np.vstack((above, scanlines)).astype(np.int16), ((0, 0), (pixel, 0)))
    left, up, upper_left = padded[1:, :-pixel], padded[:-1, pixel:], padded[:-1, :-pixel]
    to_left, to_up = np.abs(up - upper_left), np.abs(left - upper_left)
    to_upper_left = np.abs(left + up - 2 * upper_left)
    nearest = np.where(to_up <= to_upper_left, up, upper_left)
    nearest = np.where((to_left <= to_up) & (to_left <= to_upper_left), left, nearest)
    return np.insert((scanlines - nearest).astype(np.uint8), 0, _PAETH, axis=1).tobytes()
