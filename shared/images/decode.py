"""Decoding: bytes of any common image format become one upright 8-bit sRGB picture.

Nothing else in stylefarm opens a picture. Whatever Pillow raises on the way becomes `InvalidImage`, one sentence that
says what is wrong with which file and what to do; `Picture.notes` says what had to be converted.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import ExifTags, Image
from PIL.AvifImagePlugin import AvifImageFile
from PIL.BmpImagePlugin import BmpImageFile
from PIL.GifImagePlugin import GifImageFile
from PIL.ImageFile import ImageFile
from PIL.JpegImagePlugin import JpegImageFile
from PIL.PngImagePlugin import PngImageFile
from PIL.PpmImagePlugin import PpmImageFile
from PIL.TiffImagePlugin import TiffImageFile
from PIL.WebPImagePlugin import WebPImageFile

from stylefarm.shared.errors import FarmError, InvalidImage, InvalidRequest
from stylefarm.shared.images.color import mode_in_file, to_srgb
from stylefarm.shared.images.recognize import HEAD_BYTES, HEIC, NO_HEIC, reads_heic, recognize

FORMATS = "PNG, JPEG, WebP, GIF, BMP, TIFF, AVIF and PPM"


@dataclass(frozen=True)
class DecodedImage:
    """A decoded picture, ready for use as content or style.

    `image` is RGB, 8 bit a channel, sRGB, upright. `notes` say in plain words what was converted to make it so, in the
    order in which it was done; none of them where the file was like that already. `alpha` is how opaque each pixel was,
    8 bits, before the picture was laid over white; None where all of it was.
    """

    image: Image.Image
    notes: tuple[str, ...] = ()
    alpha: Image.Image | None = None

    @property
    def width(self) -> int:
        """Pixels from left to right."""
        return self.image.width

    @property
    def height(self) -> int:
        """Pixels from top to bottom."""
        return self.image.height


def read_bytes(path: Path, max_bytes: int) -> bytes:
    """Read the file at `path`, at most `max_bytes` long.

    Raises:
        InvalidImage: it is missing, not a file, not readable, empty or too large.
    """
    try:
        if not path.exists():
            raise InvalidImage(f"{path} does not exist: {_where_it_was_sought(path)}")
        if not path.is_file():
            raise InvalidImage(f"{path} is not a file: give the path of one picture")
        with path.open("rb") as file:
            size = os.fstat(file.fileno()).st_size
            data = file.read(size) if size <= max_bytes else b""
    except PermissionError as error:
        raise InvalidImage(f"{path} cannot be read: you have no permission to; change its permissions") from error
    except (OSError, ValueError) as error:  # ValueError: a path that holds a null character
        reason = getattr(error, "strerror", None) or error
        raise InvalidImage(f"{str(path)!r} cannot be read ({reason}): check the path") from error
    if size > max_bytes:
        raise InvalidImage(f"{path} is {size:,} bytes large, more than the limit of {max_bytes:,}: export it smaller")
    if not data:
        raise InvalidImage(f"{path} is empty: check that it was copied or downloaded to its end")
    return data


def _where_it_was_sought(path: Path) -> str:
    if path.is_absolute():
        return "check the path"
    return f"check the path (it is looked for from the current folder, {Path.cwd()})"


def decode(data: bytes, name: str, *, max_pixels: int = 100_000_000, min_side: int = 16) -> DecodedImage:
    """Decode the picture in `data`: upright, 8-bit sRGB, whatever its format, mode and color profile.

    Args:
        data: the bytes of a PNG, JPEG, WebP, GIF, BMP, TIFF, AVIF or PPM file, or with pillow-heif of a HEIC file.
        name: what the user calls it; each sentence starts with it.
        max_pixels: width x height allowed, checked on the header, before a pixel is decoded. WebP and GIF are also held
            to Pillow's own limit, 179 million.
        min_side: the shortest width and height allowed, in pixels.

    Raises:
        InvalidImage: not a picture, damaged, cut short, animated, with several pages, too large or too small.
    """
    with opened(data, name) as image:
        _check_size(image.size, name, max_pixels, min_side)
        _check_single(image, name)
        if isinstance(image, PngImageFile):
            PngImageFile(BytesIO(data)).verify()  # decoding alone skips the checksums of the pixels
        notes: list[str] = []
        rawmode = mode_in_file(image)
        method = _load(image, notes)
        rgb, alpha = to_srgb(image, rawmode, notes)
        upright = rgb.transpose(method) if method is not None else rgb
        upright.info = {}  # the profile, the EXIF and the transparent color of the file no longer hold
        if alpha is not None and method is not None:
            alpha = alpha.transpose(method)
        return DecodedImage(upright, tuple(notes), alpha)


class _Tiff(TiffImageFile):
    """TIFF without Pillow's own pixel limit, which is one number for the whole process and smaller than ours can be.

    Pillow checks it when it makes the canvas; so the canvas is there before.
    """

    def load_prepare(self) -> None:
        if self._im is None:
            self.im = Image.new(self.mode, self._tile_size).im
        super().load_prepare()


_DECODERS: Mapping[str, type[ImageFile]] = {
    "PNG": PngImageFile,
    "JPEG": JpegImageFile,
    "GIF": GifImageFile,
    "BMP": BmpImageFile,
    "TIFF": _Tiff,
    "PPM": PpmImageFile,
    "WebP": WebPImageFile,
    "AVIF": AvifImageFile,
}


def _decoder(data: bytes, name: str) -> type[ImageFile]:
    """Return the one Pillow class that reads this, by the file's first bytes, so that no other can be reached.

    `Image.open` would do the same, but for its pixel limit, and for taking the JPEG of a phone, which carries a second
    picture for depth or brightness, for an animation.
    """
    kind = recognize(data[:HEAD_BYTES])
    if kind == HEIC:
        return _heic_decoder(name)
    if kind is None:
        raise InvalidImage(f"{name} is not a picture that can be read here: give one of {FORMATS}")
    return _DECODERS[kind]


def _heic_decoder(name: str) -> type[ImageFile]:
    if not reads_heic():
        raise InvalidImage(f"{name} {NO_HEIC}")
    from pillow_heif import HeifImageFile

    decoder: type[ImageFile] = HeifImageFile
    return decoder


@contextmanager
def opened(data: bytes, name: str) -> Iterator[ImageFile]:
    """Open the picture in `data` with its header read and no pixel decoded, for the time of a `with` block.

    Raises:
        InvalidImage: instead of anything but a `FarmError` that is raised here or in the body of the `with`.
    """
    decoder = _decoder(data, name)
    try:
        with decoder(BytesIO(data)) as image:
            yield image
    except FarmError:
        raise
    except Image.DecompressionBombError as error:
        raise InvalidImage(f"{name} has more pixels than Pillow decodes in this format: make it smaller") from error
    # Damaged files make Pillow raise nearly anything: OSError, SyntaxError, ValueError, struct.error, zlib.error,
    # OverflowError, MemoryError, TypeError, and a warning where warnings are errors. All of them mean the same.
    except Exception as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        raise InvalidImage(f"{name} cannot be decoded ({reason}): export it again as PNG or JPEG") from error


def _check_size(size: tuple[int, int], name: str, max_pixels: int, min_side: int) -> None:
    width, height = size
    if width * height > max_pixels:
        raise InvalidImage(
            f"{name} is {width} x {height} ({width * height:,} pixels), more than the limit of {max_pixels:,}: "
            "make it smaller, or raise STYLEFARM_MAX_PIXELS"
        )
    if min(size) < min_side:
        raise InvalidImage(f"{name} is {width} x {height}: give one with at least {min_side} pixels on each side")


def _check_single(image: ImageFile, name: str) -> None:
    frames = getattr(image, "n_frames", 1)
    if frames > 1 and isinstance(image, TiffImageFile):
        raise InvalidImage(f"{name} has {frames} pages: export one of them")
    if frames > 1:
        raise InvalidImage(f"{name} is animated ({frames} frames): export one frame")


_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


def _load(image: ImageFile, notes: list[str]) -> Image.Transpose | None:
    """Decode the pixels; returns the move that is left to do so that they stand upright."""
    if isinstance(image, TiffImageFile):
        # Pillow rotates TIFF, and no other format, while it loads it, and drops the tag.
        orientation = image.tag_v2.get(ExifTags.Base.Orientation, 1)
        image.load()
    else:
        image.load()
        orientation = _orientation(image, notes)
    if orientation not in _TURNS:
        return None
    notes.append("turned upright by EXIF")
    return None if isinstance(image, TiffImageFile) else _TURNS[orientation]


def _orientation(image: ImageFile, notes: list[str]) -> object:
    try:
        return image.getexif().get(ExifTags.Base.Orientation, 1)
    except (OSError, SyntaxError, LookupError, TypeError, ValueError, ArithmeticError, struct.error):
        notes.append("broken EXIF ignored")
        return 1


def resize(image: Image.Image, long_edge: int) -> Image.Image:
    """Resize `image` to `long_edge` pixels on its longer side, the aspect kept to within one, each side at least 1.

    Lanczos, which averages where it makes smaller, so that nothing aliases. An image of that size already is copied.

    Raises:
        InvalidRequest: `long_edge` is less than 1.
    """
    if long_edge < 1:
        raise InvalidRequest(f"a size of {long_edge} pixels is too small: give at least 1")
    return image.resize(long_edge_size(image.size, long_edge), Image.Resampling.LANCZOS)


def long_edge_size(size: tuple[int, int], edge: int) -> tuple[int, int]:
    """Return width and height for a longer side of `edge` pixels, the aspect kept to within one, each at least 1."""
    longest = max(size)
    width, height = (max(1, (side * edge + longest // 2) // longest) for side in size)
    return width, height


def to_array(image: Image.Image) -> npt.NDArray[np.float32]:
    """Return `image` as numbers: float32, (height, width, 3), sRGB in [0, 1]."""
    return np.asarray(image.convert("RGB"), dtype=np.float32) / np.float32(255)


def from_array(array: npt.NDArray[np.floating[Any]]) -> Image.Image:
    """Return the RGB image of `array`, float, (height, width, 3), sRGB: clipped to [0, 1], rounded to 8 bits.

    The inverse of `to_array`. The numbers must be finite.
    """
    return Image.fromarray(np.rint(np.clip(array, 0, 1) * 255).astype(np.uint8))
