"""Axes of pictures: files, folders, patterns, and S3 addresses."""

from __future__ import annotations

import glob
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from stylefarm.producer.grids.s3_objects import SCHEME, Objects
from stylefarm.shared.errors import InvalidSpec
from stylefarm.shared.spec.spec import BLOB

# Parameters that name files; relative paths are relative to the sweep file.
PATHS = ("content", "style", "content_masks", "style_masks", "init_image", "weights")
SUFFIXES = {".jpg", ".jpeg", ".png", ".webp", ".tif", ".tiff", ".gif", ".bmp", ".avif", ".ppm", ".pgm"}


def is_picture(name: str) -> bool:
    """Return whether a file of this name counts as a picture where a whole folder is meant.

    Args:
        name: a name or a path; the file itself is not looked at.

    Example:
        >>> is_picture("cat.JPG"), is_picture("notes.txt")
        (True, False)
    """
    return Path(name).suffix.lower() in SUFFIXES and not Path(name).name.startswith(".")


def beside(folder: Path, parameter: str, value: Any) -> Any:
    """Return the value of a parameter with its paths relative to `folder`; other values stay.

    Args:
        folder: what relative paths are relative to.
        parameter: the name of the parameter.
        value: its value, or a list of values.

    Example:
        >>> beside(Path("sweeps"), "style", ["waves.jpg", "s3://bucket/night.jpg"])
        ['sweeps/waves.jpg', 's3://bucket/night.jpg']
    """
    if parameter not in PATHS:
        return value
    if isinstance(value, list):
        return [beside(folder, parameter, entry) for entry in value]
    if not isinstance(value, str) or value.startswith((BLOB, SCHEME, "~")):
        return value
    path = folder / value
    # Weights may also go by a name that is registered in the farm.
    return value if parameter == "weights" and not _exists(path) else str(path)


def pictures_of(folder: Path, axis: str, value: str, objects: Objects) -> Sequence[str]:
    """Return the pictures that an entry of an axis stands for, sorted by name.

    Args:
        folder: what paths are relative to.
        axis: the parameter.
        value: a file, a folder, a pattern, or an S3 address or prefix.
        objects: reads buckets.

    Returns:
        Paths or S3 addresses.

    Raises:
        InvalidSpec: there is no picture.
        ServiceUnavailable: the bucket does not answer.

    Example:
        >>> from stylefarm.shared.settings import Settings
        >>> pictures_of(Path("sweeps"), "style", "waves.jpg", Objects(Settings()))
        ['sweeps/waves.jpg']
    """
    if axis == "weights" or value.startswith(BLOB):
        return [beside(folder, axis, value)]
    if value.startswith(SCHEME):
        found = objects.listed(value)
        return _some(axis, value, [address for address in found if is_picture(address) or len(found) == 1])
    path = Path(beside(folder, axis, value)).expanduser()
    if _is_folder(path):
        return _some(axis, value, sorted(str(path / entry.name) for entry in path.iterdir() if is_picture(entry.name)))
    # The name of an existing file may contain the characters of a pattern.
    if glob.has_magic(value) and not _exists(path):
        pattern = glob.escape(str(folder)) + "/" + value if not Path(value).is_absolute() else value
        names = sorted(glob.glob(pattern, recursive=True))  # noqa: PTH207 - Path.glob takes no absolute patterns
        return _some(axis, value, [str(Path(name)) for name in names if is_picture(name)])
    return [beside(folder, axis, value)]


def _some(axis: str, value: str, found: Sequence[str]) -> Sequence[str]:
    if not found:
        raise InvalidSpec(f"the axis {axis} has {value!r}, in which there is no picture: check the path")
    return found


def _exists(path: Path) -> bool:
    try:
        return path.exists()
    except (OSError, ValueError):  # a name too long, or with a null character: it will be refused as a picture
        return False


def _is_folder(path: Path) -> bool:
    try:
        return path.is_dir()
    except (OSError, ValueError):
        return False
