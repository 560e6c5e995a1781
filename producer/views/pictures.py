"""Pictures of the farm's own: decoded whatever their size, and shrunk to thumbnails within a number of bytes."""

from __future__ import annotations

from io import BytesIO

from PIL import Image

from stylefarm.shared.images.decode import decode

# The largest picture that a spec can ask for.
RESULT_PIXELS = 16384 * 16384

# Of WebP; the lowest still looks like the picture at the size of a thumbnail.
QUALITIES = (80, 60, 35)


def decode_own(data: bytes, name: str) -> Image.Image:
    """A picture of the farm's own, RGB, of any size that a spec allows. Raises InvalidImage."""
    return decode(data, name, max_pixels=RESULT_PIXELS, min_side=1).image


def shrink(image: Image.Image, edge: int) -> Image.Image:
    """The picture with its longer side at `edge` pixels at most."""
    small = image.copy()
    small.thumbnail((edge, edge), Image.Resampling.LANCZOS, reducing_gap=1.1)
    return small


def webp(image: Image.Image, edge: int, most_bytes: int) -> bytes:
    """The WebP of the picture, its longer side at `edge` pixels or, where that is too many bytes, less.

    `most_bytes` are kept to down to a picture of 16 pixels.
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
