"""A picture that a spec names."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Source:
    """A picture that a spec names: its address in the object store, and what was found in it.

    `origin` is the file or the s3:// address that it is read from; None where the farm has it already. `brightest` is
    the highest value of any channel, 0 to 255; `notes` say what was converted; `has_exif`: whether it has EXIF;
    `has_alpha`: whether some of it is transparent; `is_gray`: whether it has no colors.

    Example:
        >>> Source("blob/1f", None, "cat.jpg", width=640, height=480, brightest=255, notes=()).name
        'cat.jpg'
    """

    address: str
    origin: Path | str | None
    name: str
    width: int
    height: int
    brightest: int
    notes: tuple[str, ...]
    has_exif: bool = False
    has_alpha: bool = False
    is_gray: bool = False

    @property
    def aspect(self) -> float:
        """The short side over the long side, up to 1."""
        return min(self.width, self.height) / max(self.width, self.height)
