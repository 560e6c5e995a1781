"""Thumbnails of pictures for pages: their sizes, their files, and the keys of their objects."""

from __future__ import annotations

from collections.abc import Collection
from io import BytesIO

from PIL import Image

FOLDER = "thumbs"
EDGES = (384, 192)
"""Pixels of the longer side."""
MEDIA_TYPE = "image/webp"
QUALITY = 80


def thumbnail_key(sha256: str, edge: int) -> str:
    """Return the key of a thumbnail: it is called after the picture that it shows.

    Args:
        sha256: the hash of the picture's file.
        edge: one of EDGES.

    Example:
        >>> thumbnail_key("1f", 192)
        'thumbs/1f-192.webp'
    """
    return f"{FOLDER}/{sha256}-{edge}.webp"


def thumbnail_keys(hashes: Collection[str]) -> set[str]:
    """Return the keys of all thumbnails of pictures, whether they are there or not."""
    return {thumbnail_key(sha256, edge) for sha256 in hashes for edge in EDGES}


def thumbnails(sha256: str, image: Image.Image) -> dict[str, bytes]:
    """Return the thumbnails of a picture: WebP files by the keys of their objects.

    Args:
        sha256: the hash of the picture's file.
        image: the picture, RGB or RGBA, upright; it is not changed.

    Example:
        >>> list(thumbnails("1f", Image.new("RGB", (640, 480))))
        ['thumbs/1f-384.webp', 'thumbs/1f-192.webp']
    """
    files = {}
    for edge in EDGES:
        # Each from the larger one, which is as good to the eye and far less work.
        image = image.copy()
        image.thumbnail((edge, edge), Image.Resampling.LANCZOS, reducing_gap=2.0)
        file = BytesIO()
        image.save(file, "WEBP", quality=QUALITY, method=2)
        files[thumbnail_key(sha256, edge)] = file.getvalue()
    return files
