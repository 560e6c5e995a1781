"""Axes of pictures: files, folders, patterns, and S3 addresses."""

from __future__ import annotations

import glob
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from stylefarm.producer.grids.s3_objects import SCHEME, Objects
from stylefarm.shared.errors import InvalidSpec
from stylefarm.shared.files.paths import is_folder, is_there, is_url, located, matching, written
from stylefarm.shared.images.recognize import HEIC, NO_HEIC, reads_heic, recognize_file
from stylefarm.shared.spec.spec import BLOB
from stylefarm.shared.text import counted

# Parameters that name files; relative paths are relative to the sweep file.
PATHS = ("content", "style", "content_masks", "style_masks", "init_image", "weights", "model")
# Those that may also go by a name that is registered in the farm.
NAMED = frozenset({"weights", "model"})
# What a file with one of these at its end is meant to be. Others are looked into.
SUFFIXES = frozenset(
    {
        *(".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".webp", ".tif", ".tiff", ".gif", ".bmp", ".dib", ".avif"),
        *(".ppm", ".pgm", ".pbm", ".pnm"),
    }
)
HEIC_SUFFIXES = frozenset({".heic", ".heif", ".hif"})
# As many names stand in a sentence.
MOST_NAMES = 3


class Found(NamedTuple):
    """The pictures that an entry of an axis stands for, and a sentence on the files that are left out, or nothing.

    Example:
        >>> Found(["photos/cat.jpg"]).left_out
        ''
    """

    names: Sequence[str]
    left_out: str = ""


def is_picture(name: str) -> bool:
    """Return whether a file is called as a picture that can be read here.

    Args:
        name: a name or a path; the file itself is not looked at.

    Example:
        >>> is_picture("cat.JPG"), is_picture("notes.txt")
        (True, False)
    """
    suffix = Path(name).suffix.lower()
    return suffix in SUFFIXES or (suffix in HEIC_SUFFIXES and reads_heic())


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
    if not isinstance(value, str) or value.startswith((BLOB, SCHEME)) or is_url(value):
        return value
    path = located(value, folder)
    return value if parameter in NAMED and not is_there(path) else written(path)


def pictures_of(folder: Path, axis: str, value: str, objects: Objects) -> Found:
    """Return the pictures that an entry of an axis stands for, sorted by name.

    Args:
        folder: what paths are relative to.
        axis: the parameter.
        value: a file, a folder, a pattern, or an S3 address or prefix.
        objects: reads buckets.

    Returns:
        Paths or S3 addresses. Of a folder or a pattern, every file that is called as a picture, and every other
        one that is one; hidden files are none.

    Raises:
        InvalidSpec: there is no picture.
        InvalidRequest: the pattern looks at too many files.
        ServiceUnavailable: the bucket does not answer.

    Example:
        >>> from stylefarm.shared.settings import Settings
        >>> pictures_of(Path("sweeps"), "style", "waves.jpg", Objects(Settings())).names
        ['sweeps/waves.jpg']
    """
    if axis in NAMED or value.startswith(BLOB):
        return Found([beside(folder, axis, value)])
    if value.startswith(SCHEME):
        found = [name for name in objects.listed(value) if name == value or not Path(name).name.startswith(".")]
        return _chosen(axis, value, {name: "" if is_picture(name) or len(found) == 1 else _NONE for name in found})
    if is_url(value):  # it is refused when the picture is read
        return Found([value])
    path = located(value, folder)
    if is_folder(path):
        return _chosen(axis, value, _looked_at(path.iterdir()))
    # The name of an existing file may contain the characters of a pattern.
    if glob.has_magic(value) and not is_there(path):
        return _chosen(axis, value, _looked_at(matching(value, folder)))
    return Found([beside(folder, axis, value)])


# Why a file is left out; the names of files stand before it.
_NONE = "no picture that can be read here"
_NO_TEXT = "called by what is no UTF-8: rename it"


def _looked_at(paths: Iterable[Path]) -> dict[str, str]:
    """Return files by what they are written as, each with why it is left out; nothing of those that are taken."""
    files = sorted((path for path in paths if not path.name.startswith(".") and not is_folder(path)), key=str)
    return {written(path): _fault(path) for path in files}


def _fault(path: Path) -> str:
    if not _is_text(path.name):
        return _NO_TEXT
    if is_picture(path.name):  # whatever is in it: the user is told if it is damaged
        return ""
    kind = recognize_file(path)
    if kind == HEIC and not reads_heic():
        return NO_HEIC.removeprefix("is ")
    return "" if kind else _NONE


def _is_text(name: str) -> bool:
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True


def _chosen(axis: str, value: str, faults: dict[str, str]) -> Found:
    taken = [name for name, fault in faults.items() if not fault]
    left_out = _sentence(value, faults)
    if not taken:
        told = f"; {left_out}" if left_out else ""
        raise InvalidSpec(f"the axis {axis} has {value!r}, in which there is no picture: check the path{told}")
    return Found(taken, left_out)


def _sentence(value: str, faults: dict[str, str]) -> str:
    """Return what is left out and why, as in "of 'photos', 2 files are left out: a.txt, b.txt (no picture ...)"."""
    names: dict[str, list[str]] = {}
    for name, fault in faults.items():
        if fault:
            names.setdefault(fault, []).append(Path(name).name)
    count = sum(map(len, names.values()))
    parts = "; ".join(f"{_first_of(of_one)} ({fault})" for fault, of_one in names.items())
    return f"of {value!r}, {counted(count, 'file')} {'is' if count == 1 else 'are'} left out: {parts}" if count else ""


def _first_of(names: Sequence[str]) -> str:
    more = len(names) - MOST_NAMES
    return ", ".join(names[:MOST_NAMES]) + (f" and {more:,} more" if more > 0 else "")
