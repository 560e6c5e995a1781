"""Pictures that the farm made: decoded whatever their size, and shrunk to thumbnails of a limited number of bytes."""

from __future__ import annotations

from io import BytesIO

from PIL import Image

from stylefarm.shared.images.decode import decode

# The largest picture that a spec can ask for.
RESULT_PIXELS = 16384 * 16384

# WebP qualities; at the size of a thumbnail, even the lowest still looks like the picture.
QUALITIES = (80, 60, 35)


def decode_own(data: bytes, name: str) -> Image.Image:
    """Decode a picture that the farm made, which may be as large as a spec allows.

    Args:
        data: the bytes of its file.
        name: what an error calls it.

    Returns:
        The picture, RGB.

    Raises:
        InvalidImage: the bytes are not those of a picture.

    Example:
        >>> decode_own(webp(Image.new("RGB", (64, 32)), 64, 1000), "picture").size
        (64, 32)
    """
    return decode(data, name, max_pixels=RESULT_PIXELS, min_side=1).image


def shrink(image: Image.Image, edge: int) -> Image.Image:
    """Return a copy with its longer side at `edge` pixels at most.

    Args:
        image: the picture, which is not changed.
        edge: pixels.

    Example:
        >>> shrink(Image.new("RGB", (64, 32)), 16).size
        (16, 8)
    """
    small = image.copy()
    small.thumbnail((edge, edge), Image.Resampling.LANCZOS, reducing_gap=1.1)
    return small


def webp(image: Image.Image, edge: int, most_bytes: int) -> bytes:
    """Return a WebP of at most `most_bytes`, as large as that allows.

    Args:
        image: the picture.
        edge: its longer side in pixels, at most.
        most_bytes: kept by a lower quality, then by a smaller picture, down to one of 16 pixels.

    Returns:
        The bytes of the file.

    Example:
        >>> len(webp(Image.new("RGB", (640, 320)), 256, 2000)) <= 2000
        True
    """
    while True:
        small = shrink(image, edge)
        for quality in QUALITIES:
            file = BytesIO()
            small.save(file, "WEBP", quality=quality, method=2)
            if file.tell() <= most_bytes:
                return file.getvalue()
        if edge <= 16:
            return file.getvalue()
        edge = max(16, edge * 3 // 4)
