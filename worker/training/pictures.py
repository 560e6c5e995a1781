"""Pictures in memory as a data set."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from torch import Tensor


@dataclass(frozen=True)
class PictureList:
    """A `PictureSet` of pictures that are in memory already, such as those of styles.

    Args:
        pictures: Each (3, H, W) uint8, RGB.

    Example:
        >>> import torch
        >>> len(PictureList([torch.zeros(3, 8, 8, dtype=torch.uint8)]))
        1
    """

    pictures: Sequence[Tensor]

    def __len__(self) -> int:
        """Return how many pictures it has."""
        return len(self.pictures)

    def picture(self, index: int) -> Tensor:
        """Return a whole picture, (3, H, W) uint8, RGB."""
        return self.pictures[index]
