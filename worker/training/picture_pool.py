"""Pictures that a generator has made before, which its discriminator is shown again."""

from __future__ import annotations

import torch
from torch import Tensor

from stylefarm.worker.engine.optim.state import EngineState


class PicturePool:
    """Keeps a number of pictures; half of the time one of them is shown in place of a new one, which takes its place.

    Args:
        size: How many it keeps; 0: none.

    Source:
        Shrivastava et al. 2017 (arXiv 1612.07828), section 2.3; Zhu et al. 2017, section 4.

    Example:
        >>> pool = PicturePool(2)
        >>> draw = torch.Generator().manual_seed(0)
        >>> shown = [pool.shown(torch.full((1, 1), float(n)), draw).item() for n in range(8)]
        >>> shown[:2], max(shown[2:]) <= 7
        ([0.0, 1.0], True)
    """

    def __init__(self, size: int) -> None:
        self.size = size
        self.kept: list[Tensor] = []

    def shown(self, made: Tensor, draw: torch.Generator) -> Tensor:
        """Return the pictures that the discriminator is shown.

        Args:
            made: New ones, (B, ...).
            draw: Draws which are replaced.
        """
        found = []
        for picture in made.detach():
            place, exchanged = torch.rand(2, generator=draw).tolist()
            if len(self.kept) < self.size:
                self.kept.append(picture)
                found.append(picture)
            elif self.size and exchanged < 0.5:
                index = int(place * self.size)
                found.append(self.kept[index])
                self.kept[index] = picture
            else:
                found.append(picture)
        return torch.stack(found)

    def state(self) -> EngineState:
        """Return the pictures."""
        return EngineState({"kept": torch.stack(self.kept)} if self.kept else {}, {"count": len(self.kept)})

    def restore(self, state: EngineState) -> None:
        """Go back to a state.

        Args:
            state: What `state` returned.
        """
        self.kept = list(state.tensors["kept"].clone()) if state.numbers["count"] else []
