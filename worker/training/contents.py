"""The contents of a training: crops to learn from, and a few that are held out and shown in samples."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from stylefarm.worker.training.crops import Crops, center, crop_sides
from stylefarm.worker.training.resized import ResizedPictures
from stylefarm.worker.training.trainer import PictureSet, TrainingInputs

# Of so many pictures one is held out.
HELD_OUT_EACH = 10


class Contents:
    """The crops and the samples of a data set.

    Args:
        pictures: The data set.
        key: Names it among those that this machine has resized.
        inputs: The spec, and the folder for resized pictures.
        seed: Determines the crops.

    Raises:
        InvalidRequest: The data set is empty.

    Example:
        contents = Contents(inputs.contents, inputs.spec.content_set, inputs, seed=0)
        batch, shown = contents.crops.batch(0, 4), contents.samples()
    """

    def __init__(self, pictures: PictureSet, key: str, inputs: TrainingInputs, seed: int) -> None:
        spec = inputs.spec
        shorts = crop_sides(spec.image_size, spec.content_scales)
        self.resized = ResizedPictures(pictures, shorts, inputs.scratch, key)
        self.count = len(pictures)
        held = min(spec.samples, self.count // HELD_OUT_EACH)
        self.crops = Crops(self.resized, range(self.count - held), side=spec.image_size, flip=spec.flip, seed=seed)
        # Where too few are held out, some of those that are learned from are shown, too.
        self.shown = [self.count - 1 - place for place in range(min(spec.samples, self.count))]
        self.side = spec.image_size
        self._samples: Tensor | None = None

    def samples(self) -> Tensor:
        """Return the contents that samples show, (N, 3, side, side) in [0, 1]: the same each time."""
        if self._samples is None:
            self._samples = torch.stack([center(self.resized, index, self.side) for index in self.shown])
        return self._samples


def sheet(columns: Sequence[Tensor]) -> Tensor:
    """Return one picture of pictures, a row for each content.

    Args:
        columns: Each (N, 3, H, W), the contents first.

    Returns:
        (1, 3, N H, columns W), in [0, 1].

    Example:
        >>> tuple(sheet([torch.zeros(2, 3, 4, 4)] * 3).shape)
        (1, 3, 8, 12)
    """
    rows = torch.cat([column.float() for column in columns], 3).clamp(0, 1)
    return torch.cat(list(rows), 1)[None]
