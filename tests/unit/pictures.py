"""Pictures made for tests: of every format, mode and color profile, built rather than kept."""

from __future__ import annotations

import io
import struct
import zlib
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageCms


def saved(image: Image.Image, kind: str, **options: Any) -> bytes:
    """The bytes that Pillow writes for `image` in the format that it calls `kind`."""
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def photograph(width: int = 48, height: int = 32) -> Image.Image:
    """Smooth colors, different in each corner."""
    y, x = np.mgrid[0 : 1 : height * 1j, 0 : 1 : width * 1j]
    return Image.fromarray((np.stack((x, y, 1 - x * y), axis=-1) * 255).astype(np.uint8))


def png_chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">L", len(data)) + name + data + struct.pack(">L", zlib.crc32(name + data))


def raw_png(width: int, height: int, depth: int, color: int, rows: bytes, *more: bytes) -> bytes:
    """A PNG of any kind: `rows` with their filter bytes, `more` chunks before them."""
    header = png_chunk(b"IHDR", struct.pack(">LLBBBBB", width, height, depth, color, 0, 0, 0))
    body = b"".join(more) + png_chunk(b"IDAT", zlib.compress(rows))
    return b"\x89PNG\r\n\x1a\n" + header + body + png_chunk(b"IEND", b"")


def png_of(values: npt.NDArray[Any], depth: int, color: int, *more: bytes) -> bytes:
    rows = b"".join(b"\0" + row.tobytes() for row in values)
    return raw_png(values.shape[1], values.shape[0], depth, color, rows, *more)


def icc_profile(space: bytes, pcs: bytes, tags: dict[bytes, bytes]) -> bytes:
    """An ICC profile (version 2, printer) from the colors `space` to the connection space `pcs`."""
    body, table, at = b"", struct.pack(">L", len(tags)), 128 + 4 + 12 * len(tags)
    for name, data in tags.items():
        table += name + struct.pack(">LL", at + len(body), len(data))
        body += data + b"\0" * (-len(data) % 4)
    header = struct.pack(">L4sL4s4s4s12x4s", at + len(body), b"none", 0x02400000, b"prtr", space, pcs, b"acsp")
    header += bytes(24) + struct.pack(">L3l", 0, 63190, 65536, 54061) + bytes(48)
    return header[:128] + table + body


def cmyk_profile() -> bytes:
    """Inks of which cyan prints a light gray, magenta, yellow and black a black."""
    grid = [(cyan, others) for cyan in (0, 1) for others in range(8)]
    lightness = [180 if cyan else 0 if others else 255 for cyan, others in grid]
    colors = b"".join(bytes((value, 128, 128)) for value in lightness)
    identity = struct.pack(">9l", 65536, 0, 0, 0, 65536, 0, 0, 0, 65536)
    ramp = bytes(range(256))
    lut = b"mft1" + struct.pack(">LBBBB", 0, 4, 3, 2, 0) + identity + ramp * 4 + colors + ramp * 3
    return icc_profile(b"CMYK", b"Lab ", {b"A2B0": lut})


def linear_grey_profile() -> bytes:
    """Gray whose numbers are proportional to light."""
    white = b"XYZ " + struct.pack(">L3l", 0, 63190, 65536, 54061)
    return icc_profile(b"GRAY", b"XYZ ", {b"kTRC": b"curv" + struct.pack(">LL", 0, 0), b"wtpt": white})


def red_is_green_profile() -> bytes:
    """sRGB with two primaries exchanged."""
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    return profile.replace(b"rXYZ", b"tmpT").replace(b"gXYZ", b"rXYZ").replace(b"tmpT", b"gXYZ")
