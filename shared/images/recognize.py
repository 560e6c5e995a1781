"""Which format a picture has, by its first bytes; its name says nothing."""

from __future__ import annotations

import re
from importlib.util import find_spec
from pathlib import Path

HEIC = "HEIC"
NO_HEIC = "is HEIC, which needs pillow-heif: pip install 'stylefarm[heic]', or export it as JPEG"

# As many bytes as tell the format.
HEAD_BYTES = 64

_SIGNATURES = (
    (b"\x89PNG\r\n\x1a\n", "PNG"),
    (b"\xff\xd8\xff", "JPEG"),
    (b"GIF8", "GIF"),
    (b"II*\0", "TIFF"),
    (b"MM\0*", "TIFF"),
    (b"II+\0", "TIFF"),
    (b"MM\0+", "TIFF"),
)
_AVIF_BRANDS = frozenset({b"avif", b"avis"})
_HEIC_BRANDS = frozenset({b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx"})
# Their signatures are short, and texts can begin so, too: P1 is followed by a number or a comment, and the size of the
# header of a BMP is one of few.
_PNM = re.compile(rb"P[1-6]\s+[\d#]")
_BMP_HEADERS = frozenset({12, 16, 40, 52, 56, 64, 108, 124})


def recognize(head: bytes) -> str | None:
    r"""Return the format of a picture.

    Args:
        head: the first `HEAD_BYTES` of a file, or all of it.

    Returns:
        PNG, JPEG, GIF, TIFF, BMP, PPM, WebP, AVIF or HEIC; None of anything else.

    Example:
        >>> recognize(b"\xff\xd8\xff\xe0"), recognize(b"BMW, a list"), recognize(b"P6 8 8 255 ")
        ('JPEG', None, 'PPM')
    """
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return "WebP"
    if head[4:8] == b"ftyp":
        return _of_brands(head)
    if head[:2] == b"BM" and int.from_bytes(head[14:18], "little") in _BMP_HEADERS:
        return "BMP"
    if _PNM.match(head):
        return "PPM"
    return next((name for signature, name in _SIGNATURES if head.startswith(signature)), None)


def media_type(head: bytes) -> str:
    r"""Return the media type of a picture, by which a browser shows it.

    Args:
        head: the first `HEAD_BYTES` of a file, or all of it.

    Example:
        >>> media_type(b"\xff\xd8\xff\xe0"), media_type(b"P6 8 8 255 "), media_type(b"a text")
        ('image/jpeg', 'image/x-portable-anymap', 'application/octet-stream')
    """
    found = recognize(head)
    if found is None:
        return "application/octet-stream"
    return "image/x-portable-anymap" if found == "PPM" else f"image/{found.lower()}"


def recognize_file(path: Path) -> str | None:
    """Return the format of a file, as `recognize` does; None of a folder, a pipe, or what cannot be read.

    Args:
        path: of anything.

    Example:
        format = recognize_file(Path("IMG_0042"))
    """
    try:
        if not path.is_file():  # opening a pipe would wait for somebody who writes
            return None
        with path.open("rb") as file:
            return recognize(file.read(HEAD_BYTES))
    except OSError:
        return None


def reads_heic() -> bool:
    """Return whether pillow-heif is installed, which reads HEIC.

    Example:
        >>> reads_heic() in (True, False)
        True
    """
    return find_spec("pillow_heif") is not None


def _of_brands(head: bytes) -> str | None:
    """Return the format of a file in boxes, whose first box names the brands that it is fit for."""
    end = int.from_bytes(head[:4], "big")
    brands = {head[8:12], *(head[place : place + 4] for place in range(16, min(end, len(head)), 4))}
    return "AVIF" if brands & _AVIF_BRANDS else HEIC if brands & _HEIC_BRANDS else None
