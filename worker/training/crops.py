"""Random crops of a data set's pictures: the same in each run for the same seed and step."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache, partial

import numpy as np
import torch
from torch import Tensor

from stylefarm.shared.errors import InvalidRequest
from stylefarm.worker.training.resized import Array, ResizedPictures, resize

# A crop whose values, from 0 to 255, deviate less than this from their mean shows nothing, such as a piece of sky.
FLAT = 8.0
# Crops that are drawn in place of a flat one; a picture that has no other is taken as it is.
TRIES = 8


class Crops:
    """Batches of crops. Each picture comes once before any comes again.

    Args:
        pictures: The data set.
        which: The numbers of the pictures that are used.
        side: Side of a crop, in pixels, at most the first short side.
        flip: Whether half of the crops are mirrored.
        seed: Determines all that is drawn, with the number of the step.

    Raises:
        InvalidRequest: There are no pictures.

    Example:
        crops = Crops(resized, range(100), side=256, flip=True, seed=0)
        batch = crops.batch(step=0, count=4)  # (4, 3, 256, 256) in [0, 1]
    """

    def __init__(self, pictures: ResizedPictures, which: Sequence[int], *, side: int, flip: bool, seed: int) -> None:
        if not which:
            raise InvalidRequest("the data set has no pictures: add some")
        self.pictures = pictures
        self.which = which
        self.side = side
        self.flip = flip
        self.seed = seed

    def batch(self, step: int, count: int) -> Tensor:
        """Return the crops of a step, (B, 3, side, side) float32 in [0, 1].

        Args:
            step: Its number, from 0.
            count: B.
        """
        draw = torch.Generator().manual_seed(_seed(self.seed, 2 * step))
        crops = [self._crop(self._index(step * count + place), draw) for place in range(count)]
        return torch.stack(crops).float() / 255

    def batches(self, first: int, stop: int, count: int) -> Iterator[Tensor]:
        """Yield the batches of the steps from `first` to `stop`; the next is read while one is used.

        Args:
            first: Number of the first step.
            stop: After the last.
            count: Crops in a batch.
        """
        with ThreadPoolExecutor(1, thread_name_prefix="crops") as pool:
            coming = self._begun(pool, first, count)
            for step in range(first, stop):
                batch = coming()
                if step + 1 < stop:
                    coming = self._begun(pool, step + 1, count)
                yield batch

    def _begun(self, pool: ThreadPoolExecutor, step: int, count: int) -> Callable[[], Tensor]:
        """Begin to read a batch; return what returns it."""
        try:
            return pool.submit(self.batch, step, count).result
        except RuntimeError:
            # The program exits, and Python begins nothing more: until the training is told, it reads by itself.
            return partial(self.batch, step, count)

    def _index(self, position: int) -> int:
        epoch, place = divmod(position, len(self.which))
        return self.which[_order(self.seed, epoch, len(self.which))[place]]

    def _crop(self, index: int, draw: torch.Generator) -> Tensor:
        crop = torch.empty(0)
        for _ in range(TRIES):
            crop = self._drawn(index, draw)
            if crop.float().std() >= FLAT:
                break
        return crop

    def _drawn(self, index: int, draw: torch.Generator) -> Tensor:
        sizes = list(self.pictures.of(index).values())
        numbers = torch.rand(4, generator=draw).tolist()
        picture = sizes[int(numbers[0] * len(sizes))]
        height, width = picture.shape[:2]
        top, left = int(numbers[1] * (height - self.side + 1)), int(numbers[2] * (width - self.side + 1))
        crop = _square(picture, top, left, self.side)
        return crop.flip(2) if self.flip and numbers[3] < 0.5 else crop


def crop_sides(side: int, scales: Sequence[float]) -> tuple[int, ...]:
    """Return the short sides that pictures are resized to.

    Args:
        side: Side of the crops.
        scales: The short sides in multiples of it.

    Example:
        >>> crop_sides(256, (1.125, 2.0))
        (288, 512)
    """
    return tuple(max(side, round(side * scale)) for scale in scales)


def center(pictures: ResizedPictures, index: int, side: int) -> Tensor:
    """Return the middle of a picture, (3, `side`, `side`) float32 in [0, 1].

    Args:
        pictures: The data set.
        index: Number of the picture.
        side: Pixels.

    Example:
        content = center(resized, 3, 256)
    """
    picture = torch.from_numpy(resize(pictures.pictures.picture(index), side).copy()).permute(2, 0, 1)
    height, width = picture.shape[1:]
    top, left = (height - side) // 2, (width - side) // 2
    return picture[:, top : top + side, left : left + side].float() / 255


def _square(picture: Array, top: int, left: int, side: int) -> Tensor:
    return torch.from_numpy(np.array(picture[top : top + side, left : left + side])).permute(2, 0, 1)


@lru_cache(maxsize=4)
def _order(seed: int, epoch: int, count: int) -> list[int]:
    draw = torch.Generator().manual_seed(_seed(seed, 2 * epoch + 1))
    order: list[int] = torch.randperm(count, generator=draw).tolist()
    return order


def _seed(seed: int, number: int) -> int:
    # Far apart for neighbouring steps, so that no two seeds of trainings share their steps' numbers.
    return (seed * 0x9E3779B97F4A7C15 + number * 0xBF58476D1CE4E5B9) % 2**63
