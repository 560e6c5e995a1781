"""The style loss `nearest`: each feature vector should be like the one of the style that is nearest to it."""

from __future__ import annotations

from dataclasses import dataclass, field

import torch
from torch import Tensor
from torch.nn import functional

from stylefarm.worker.engine.losses.sample_losses import SampleLoss, select_positions

# Feature vectors of a style that are compared with, at most, and those of the image that are compared at a time: their
# similarities take 32 MiB.
MOST_SAMPLES = 4096
AT_ONCE = 2048


@dataclass(frozen=True)
class NearestNeighbors(SampleLoss):
    """The mean cosine distance of each centered feature vector to the nearest one of the style.

    (1 / N) sum_k min_j 1/2 |u_k - u'_j|^2, where u is the unit vector of f - mu: 1 less the cosine, and 0 of two
    vectors without a direction. At most 4096 vectors of a style are compared with, at places evenly spread over it. Of
    several styles each has its share of the loss.

    Source:
        Kolkin et al. 2022 (arXiv 2203.13215), section 3.2. Departure: neighbors are sought at each layer by itself.

    Example:
        >>> style = torch.tensor([[[1.0, -1.0, 0.0, 0.0], [0.0, 0.0, 1.0, -1.0]]])
        >>> loss = NearestNeighbors([(1.0, style)])
        >>> loss.distance(2 * style.view(1, 2, 2, 2), None, seed=0).item()
        0.0
    """

    neighbors: tuple[Tensor, ...] = field(init=False)

    def __post_init__(self) -> None:
        """Center and normalize the style's vectors once."""
        object.__setattr__(self, "neighbors", tuple(_directions(_spread(y)) for _, y in self.samples))

    def distance(self, features: Tensor, region: Tensor | None, seed: int) -> Tensor:
        """Return the mean distance: (B,)."""
        x = _directions(select_positions(features, region))
        total = x.new_zeros(x.shape[0])
        for (share, _), y in zip(self.samples, self.neighbors, strict=True):
            nearest = y.expand(x.shape[0], -1, -1).gather(2, _nearest(x.detach(), y).expand(-1, x.shape[1], -1))
            total = total + share * (x - nearest).square().sum(1).mean(1) / 2
        return total

    def magnitude(self) -> Tensor:
        """Return 1: the distance of orthogonal vectors."""
        return torch.ones_like(self.neighbors[0][:, 0, 0])


def _directions(x: Tensor) -> Tensor:
    """Return the unit vectors of feature vectors (B, C, N) about their mean."""
    return functional.normalize(x - x.mean(2, keepdim=True), dim=1, eps=1e-6)


def _spread(y: Tensor) -> Tensor:
    """Return at most `MOST_SAMPLES` of the vectors (B, C, N), evenly spread."""
    step = -(-y.shape[2] // MOST_SAMPLES)
    return y[:, :, ::step]


def _nearest(x: Tensor, y: Tensor) -> Tensor:
    """Return the position in `y` (1 or B, C, M) of the vector that is nearest to each of x (B, C, N): (B, 1, N)."""
    half = y.square().sum(1)[:, :, None] / 2
    parts = [(y.mT @ part - half).argmax(1, keepdim=True) for part in x.split(AT_ONCE, 2)]
    return torch.cat(parts, 2)
