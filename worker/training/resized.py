"""Pictures of a data set, resized once to a few sizes and kept on the machine's disk within a limit."""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from stylefarm.worker.training.trainer import PictureSet

# What all data sets of a machine take on its disk at most.
DISK_LIMIT = 4 << 30

Array = NDArray[np.uint8]


class ResizedPictures:
    """A data set's pictures by number and short side. Each is decoded once, and resized to all sizes that it has.

    A file that cannot be written, since the disk is full or the limit is reached, changes nothing but the time that it
    takes: the picture is decoded again.

    Args:
        pictures: The data set.
        shorts: Short sides in pixels. All pictures get the first; the others, those that are large enough.
        scratch: A folder of this machine, which other trainings use, too.
        key: Names the data set among them.
        limit: Bytes that the folder may hold.

    Example:
        resized = ResizedPictures(pictures, (288, 512), Path("/var/tmp/training"), "sha256:5f2c...")
        crop = resized.of(3)[288][:256, :256]
    """

    def __init__(
        self, pictures: PictureSet, shorts: Sequence[int], scratch: Path, key: str, limit: int = DISK_LIMIT
    ) -> None:
        self.pictures = pictures
        self.shorts = shorts
        self.limit = limit
        name = hashlib.sha256(f"{key} {sorted(shorts)}".encode()).hexdigest()[:32]
        self.folder = scratch / name
        self.folder.mkdir(parents=True, exist_ok=True)
        with contextlib.suppress(OSError):  # Another training has just deleted it, since it was not used for long.
            os.utime(self.folder)
        _forget_oldest(scratch, self.folder, limit // 2)
        self._held = _bytes(scratch)

    def __len__(self) -> int:
        """Return how many pictures it has."""
        return len(self.pictures)

    def of(self, index: int) -> Mapping[int, Array]:
        """Return a picture, (H, W, 3) uint8, by its short side.

        Args:
            index: Its number.
        """
        listed = self.folder / f"{index}.txt"
        try:
            shorts = [int(line) for line in listed.read_text().split()]
            return {short: _mapped(self._file(index, short)) for short in shorts}
        except (OSError, ValueError):  # Not there yet, or cut off when the machine went down.
            found = self._resized(index)
            self._keep(listed, index, found)
            return found

    def _resized(self, index: int) -> dict[int, Array]:
        picture = self.pictures.picture(index)
        largest = min(picture.shape[1:])
        return {
            short: resize(picture, short)
            for short in self.shorts
            if short in (self.shorts[0], largest) or short < largest
        }

    def _file(self, index: int, short: int) -> Path:
        return self.folder / f"{index}-{short}.npy"

    def _keep(self, listed: Path, index: int, arrays: Mapping[int, Array]) -> None:
        size = sum(array.nbytes for array in arrays.values())
        if self._held + size > self.limit:
            return
        with contextlib.suppress(OSError):  # A full disk; see the class.
            for short, array in arrays.items():
                _replace(self._file(index, short), array)
            # Last, since it says that the others are whole.
            part = listed.with_suffix(f".{os.getpid()}.part")
            part.write_text("\n".join(map(str, arrays)))
            part.replace(listed)
            self._held += size


def _replace(file: Path, array: Array) -> None:
    part = file.with_suffix(f".{os.getpid()}.part")
    try:
        with part.open("wb") as opened:
            np.save(opened, array)
        part.replace(file)
    finally:
        part.unlink(missing_ok=True)


def resize(picture: Tensor, short: int) -> Array:
    """Return a picture whose short side has so many pixels, (H, W, 3) uint8.

    Args:
        picture: (3, H, W) uint8.
        short: Pixels.

    Example:
        >>> resize(torch.zeros(3, 10, 20, dtype=torch.uint8), 5).shape
        (5, 10, 3)
    """
    height, width = picture.shape[1:]
    factor = short / min(height, width)
    size = (max(short, round(width * factor)), max(short, round(height * factor)))
    image = Image.fromarray(picture.permute(1, 2, 0).contiguous().numpy())
    return np.asarray(image.resize(size, Image.Resampling.LANCZOS, reducing_gap=3.0))


def resized_long(picture: Tensor, long: int) -> Tensor:
    """Return a picture of that long edge at most, (1, 3, H, W) float32 in [0, 1].

    Args:
        picture: (3, H, W) uint8.
        long: Pixels.

    Example:
        >>> tuple(resized_long(torch.zeros(3, 10, 20, dtype=torch.uint8), 10).shape)
        (1, 3, 5, 10)
    """
    height, width = picture.shape[1:]
    short = max(1, round(min(height, width) * min(1.0, long / max(height, width))))
    array: Any = resize(picture, short)
    return torch.from_numpy(np.array(array)).permute(2, 0, 1)[None].float() / 255


def _mapped(file: Path) -> Array:
    array: Array = np.load(file, mmap_mode="r")
    return array


def _forget_oldest(scratch: Path, own: Path, limit: int) -> None:
    """Delete the data sets that were used longest ago until the others fit."""
    others = sorted((folder for folder in scratch.iterdir() if folder.is_dir() and folder != own), key=_used)
    for folder in others:
        if _bytes(scratch) <= limit:
            return
        shutil.rmtree(folder, ignore_errors=True)


def _used(folder: Path) -> float:
    try:
        return folder.stat().st_mtime
    except OSError:
        return 0.0


def _bytes(folder: Path) -> int:
    total = 0
    # Path.rglob fails where another training has just deleted a folder; this passes it over.
    for path, _, names in os.walk(folder):
        for name in names:
            if name.endswith(".npy"):
                with contextlib.suppress(OSError):  # Likewise a file.
                    total += Path(path, name).stat().st_size
    return total
