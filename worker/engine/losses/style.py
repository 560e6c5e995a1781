"""What a style is at one layer, and how far a picture is from it: seven losses over a layer's feature vectors.

Gatys' Gram matrix, and the losses that Li, Wang, Liu and Hou 2017 ("Demystifying Neural Style Transfer", arXiv
1701.01036) put beside it once it is seen as the distance of two distributions of feature vectors; the Wasserstein
distance of two Gaussians; and the sliced Wasserstein distance (Heitz, Vanhoey, Chambon and Belcour 2021, arXiv
2006.07229).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from stylefarm.worker.engine.losses.moment_losses import Gram, MeanStd, MmdLinear, MmdPoly, MomentLoss, Wasserstein
from stylefarm.worker.engine.losses.sample_losses import MmdGaussian, SampleLoss, Sliced

StyleLossName = Literal["gram", "mean-std", "mmd-linear", "mmd-poly", "mmd-gaussian", "wasserstein", "sliced"]

MOMENT_LOSSES: Mapping[str, type[MomentLoss]] = {
    "gram": Gram,
    "mean-std": MeanStd,
    "mmd-linear": MmdLinear,
    "mmd-poly": MmdPoly,
    "wasserstein": Wasserstein,
}
SAMPLE_LOSSES: Mapping[str, type[SampleLoss]] = {"sliced": Sliced, "mmd-gaussian": MmdGaussian}


@dataclass(frozen=True)
class StyleOptions:
    """What some of the losses need: the constant of the polynomial kernel, and the number of random projections."""

    offset: float = 1.0
    projections: int = 128
