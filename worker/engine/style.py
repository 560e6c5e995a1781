"""What a style is at one layer, and how far a picture is from it: seven losses over a layer's feature vectors.

Gatys' Gram matrix, and the losses that Li, Wang, Liu and Hou 2017 ("Demystifying Neural Style Transfer", arXiv
1701.01036) put beside it once it is seen as the distance of two distributions of feature vectors; the Wasserstein
distance of two Gaussians; and the sliced Wasserstein distance (Heitz, Vanhoey, Chambon and Belcour 2021, arXiv
2006.07229).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from torch import Tensor

from worker.engine.moment_losses import Gram, MeanStd, MmdLinear, MmdPoly, MomentLoss, Wasserstein
from worker.engine.moments import Weights, moments_of
from worker.engine.sample_losses import MmdGaussian, SampleLoss, Sliced, selected

StyleLossName = Literal["gram", "mean-std", "mmd-linear", "mmd-poly", "mmd-gaussian", "wasserstein", "sliced"]
StyleTarget = MomentLoss | SampleLoss

MOMENT_LOSSES: Mapping[str, type[MomentLoss]] = {
    "gram": Gram,
    "mean-std": MeanStd,
    "mmd-linear": MmdLinear,
    "mmd-poly": MmdPoly,
    "wasserstein": Wasserstein,
}
SAMPLE_LOSSES: Mapping[str, type[SampleLoss]] = {"sliced": Sliced, "mmd-gaussian": MmdGaussian}


@dataclass(frozen=True)
class Source:
    """The features of one style at one layer, (1 or B, C, H, W), its region, and its share, which sum to 1."""

    features: Tensor
    region: Tensor | None = None
    share: float = 1.0


@dataclass(frozen=True)
class StyleOptions:
    """What some of the losses need: the constant of the polynomial kernel, and the number of random projections."""

    offset: float = 1.0
    projections: int = 128


def style_target(name: StyleLossName, sources: Sequence[Source], options: StyleOptions | None = None) -> StyleTarget:
    """The loss `name` for one style or a mixture of several."""
    options = options or StyleOptions()
    if name in SAMPLE_LOSSES:
        samples = [(source.share, selected(source.features, source.region)) for source in sources]
        return SAMPLE_LOSSES[name](samples, options.projections)
    loss = MOMENT_LOSSES[name]
    moments = []
    for source in sources:
        height, width = source.features.shape[2:]
        weights = Weights.over(height, width, source.region)
        moments.append((source.share, moments_of(source.features, loss.kinds, weights, slice(None))))
    return loss.of(moments, options.offset)
