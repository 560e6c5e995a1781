"""A style loss by its name, for features that are at hand whole."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from torch import Tensor

from stylefarm.worker.engine.losses.moment_losses import MomentLoss
from stylefarm.worker.engine.losses.moments import PositionWeights, compute_moments
from stylefarm.worker.engine.losses.sample_losses import SampleLoss, select_positions
from stylefarm.worker.engine.losses.style import MOMENT_LOSSES, SAMPLE_LOSSES, StyleLossName, StyleOptions

StyleTarget = MomentLoss | SampleLoss


@dataclass(frozen=True)
class StyleSource:
    """The features of one style at one layer, (1 or B, C, H, W), its region, and its share, which sum to 1."""

    features: Tensor
    region: Tensor | None = None
    share: float = 1.0


def style_target(
    name: StyleLossName, sources: Sequence[StyleSource], options: StyleOptions | None = None
) -> StyleTarget:
    """The loss `name` for one style or a mixture of several."""
    options = options or StyleOptions()
    if name in SAMPLE_LOSSES:
        samples = [(source.share, select_positions(source.features, source.region)) for source in sources]
        return SAMPLE_LOSSES[name](samples, options.projections)
    loss = MOMENT_LOSSES[name]
    moments = []
    for source in sources:
        height, width = source.features.shape[2:]
        weights = PositionWeights.over(height, width, source.region)
        moments.append((source.share, compute_moments(source.features, loss.kinds, weights, slice(None))))
    return loss.of(moments, options.offset)
