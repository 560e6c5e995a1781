"""Conversion from any of Pillow's modes and any color profile to 8-bit sRGB, with a note about each step."""

from __future__ import annotations

from io import BytesIO
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageChops, ImageCms, ImageOps
from PIL.ImageFile import ImageFile
from PIL.TiffImagePlugin import PHOTOMETRIC_INTERPRETATION, TiffImageFile

SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB"))


def mode_in_file(image: ImageFile) -> str:
    """Return the pixel mode of the file, as Pillow names it; known only until the pixels are loaded."""
    args = image.tile[0].args if image.tile else ""
    return str(args[0]) if isinstance(args, tuple) and args else str(args)


# What the channels of a gray pixel may differ by: JPEG rounds them, and profiles do.
_GRAY_SPREAD = 8


def is_gray(image: Image.Image) -> bool:
    """Return whether an RGB picture has no colors: in no pixel do the channels differ by more than rounding can.

    Example:
        >>> is_gray(Image.new("RGB", (2, 2), (90, 92, 91))), is_gray(Image.new("RGB", (2, 2), "red"))
        (True, False)
    """
    red, green, blue = image.split()
    highest = ImageChops.lighter(ImageChops.lighter(red, green), blue)
    lowest = ImageChops.darker(ImageChops.darker(red, green), blue)
    _, spread = ImageChops.subtract(highest, lowest).getextrema()
    return isinstance(spread, int | float) and spread <= _GRAY_SPREAD


def to_srgb(image: ImageFile, rawmode: str, notes: list[str]) -> tuple[Image.Image, Image.Image | None]:
    """Convert the loaded picture to sRGB: to 8 bits a channel, then the colors, then onto white.

    Returns:
        The picture, RGB, and its alpha channel, L; None where all of it is opaque.
    """
    colors, alpha = _without_alpha(_to_eight_bits(image, rawmode, notes))
    rgb = _through_profile(colors, image.info.get("icc_profile"), notes)
    if rgb is None:
        rgb = _by_mode(colors, notes)
    if alpha is None or alpha.getextrema() == (255, 255):
        return rgb, None
    notes.append("alpha laid over white")
    white = Image.new("RGB", rgb.size, "white")
    white.paste(rgb, mask=alpha)
    return white, alpha


def _to_eight_bits(image: ImageFile, rawmode: str, notes: list[str]) -> Image.Image:
    if image.mode.startswith("I;16"):
        notes.append("16-bit reduced to 8-bit")
        return _from_sixteen_bits(image, 4095 if rawmode == "I;12" else 65535)
    if image.mode in ("I", "F"):
        return _from_numbers(image, notes)
    if ";16" in rawmode:  # a color of 16 bits, of which Pillow has kept the upper 8
        notes.append("16-bit reduced to 8-bit")
    return image


def _from_sixteen_bits(image: ImageFile, white: int) -> Image.Image:
    values = np.asarray(image)
    gray = _grey(values, 0, white)
    if isinstance(image, TiffImageFile) and image.tag_v2.get(PHOTOMETRIC_INTERPRETATION) == 0:
        return ImageOps.invert(gray)  # zero is white, which Pillow handles for 8 bits only
    transparent = image.info.get("transparency")  # PNG: the one value that stands for nothing
    if transparent is None:
        return gray
    return Image.merge("LA", (gray, _grey(values != transparent, 0, 1)))


def _from_numbers(image: ImageFile, notes: list[str]) -> Image.Image:
    """Scale integers or floats, for which no file says what is white: by the usual ranges, else by the extremes."""
    values = np.asarray(image)
    if not np.isfinite(values).all():
        raise ValueError("it holds numbers that are not finite")
    low, high = float(values.min()), float(values.max())
    usual = (1.0, 255.0, 65535.0) if image.mode == "F" else (255.0, 65535.0)
    if low >= 0 and high <= usual[-1]:
        low, high = 0.0, next(white for white in usual if high <= white)
    notes.append(f"numbers from {low:g} to {high:g} scaled to 8-bit")
    return _grey(values, low, high)


def _grey(values: npt.NDArray[Any], low: float, high: float) -> Image.Image:
    return Image.fromarray(np.rint(np.interp(values, (low, high), (0, 255))).astype(np.uint8))


def _without_alpha(image: Image.Image) -> tuple[Image.Image, Image.Image | None]:
    """Return the colors as they are where opaque, and the alpha channel (None: opaque everywhere)."""
    if not image.has_transparency_data:
        return image, None
    rgba = image.convert("RGBA")
    return rgba.convert("L" if image.mode in ("1", "L", "LA") else "RGB"), rgba.getchannel("A")


# For each color space of an ICC profile: the mode that it reads, and the modes of pictures that it can belong to.
_PROFILES = {
    "RGB": ("RGB", ("RGB", "P", "L", "1", "YCbCr")),
    "GRAY": ("L", ("L", "1")),
    "CMYK": ("CMYK", ("CMYK",)),
}


def _through_profile(image: Image.Image, data: bytes | None, notes: list[str]) -> Image.Image | None:
    """Convert the picture by the profile in its file; None where there is none, or it is sRGB, or it is broken."""
    if not data:
        return None
    try:
        profile = ImageCms.ImageCmsProfile(BytesIO(data))
        mode, fitting = _PROFILES.get(profile.profile.xcolor_space.strip(), ("", ()))
        if image.mode not in fitting:
            notes.append(f"color profile that is not for {image.mode} ignored")
            return None
        transform = _transform(profile, mode)
        if mode == "RGB" and _keeps_colors(transform):
            return None
        converted = transform.apply(image.convert(mode))
    except (OSError, ValueError, TypeError, ImageCms.PyCMSError):
        notes.append("broken color profile ignored")
        return None
    notes.append(f"{'CMYK' if mode == 'CMYK' else 'colors'} converted to sRGB by the profile in the file")
    return converted


def _transform(profile: ImageCms.ImageCmsProfile, mode: str) -> ImageCms.ImageCmsTransform:
    return ImageCms.buildTransform(
        profile,
        SRGB,
        mode,
        "RGB",
        ImageCms.Intent.RELATIVE_COLORIMETRIC,
        ImageCms.Flags.BLACKPOINTCOMPENSATION,
    )


def _keeps_colors(transform: ImageCms.ImageCmsTransform) -> bool:
    """Return whether a profile is sRGB under any name: it moves no color of a 9 x 9 x 9 cube by over two levels."""
    levels = np.linspace(0, 255, 9).astype(np.uint8)
    cube = np.stack(np.meshgrid(levels, levels, levels), axis=-1).reshape(27, 27, 3)
    moved = np.asarray(transform.apply(Image.fromarray(cube)))
    return bool(np.abs(moved.astype(int) - cube).max() <= 2)


def _by_mode(image: Image.Image, notes: list[str]) -> Image.Image:
    if image.mode == "LAB":
        notes.append("Lab converted to sRGB")
        lab = ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB"))
        return _transform(lab, "LAB").apply(image)
    if image.mode == "CMYK":
        notes.append("CMYK converted to sRGB")
    return image.convert("RGB")
