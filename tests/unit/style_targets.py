"""A style loss by its name, for features that are at hand whole."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from torch import Tensor

from stylefarm.worker.engine.losses.moment_losses import MomentLoss
from stylefarm.worker.engine.losses.moments import PositionWeights, compute_moments
from stylefarm.worker.engine.losses.options import StyleOptions
from stylefarm.worker.engine.losses.sample_losses import SampleLoss, select_positions
from stylefarm.worker.engine.losses.style import load_loss

StyleTarget = MomentLoss | SampleLoss


@dataclass(frozen=True)
class StyleSource:
    """The features of one style at one layer, (1 or B, C, H, W), its region, and its share, which sum to 1."""

    features: Tensor
    region: Tensor | None = None
    share: float = 1.0


def style_target(name: str, sources: Sequence[StyleSource], options: StyleOptions | None = None) -> StyleTarget:
    """The loss `name` for one style or a mixture of several."""
    options = options or StyleOptions()
    loss = load_loss(name)
    if issubclass(loss, SampleLoss):
        samples = [(source.share, select_positions(source.features, source.region)) for source in sources]
        return loss.for_styles(samples, options)
    moments = []
    for source in sources:
        height, width = source.features.shape[2:]
        weights = PositionWeights.over(height, width, source.region)
        moments.append((source.share, compute_moments(source.features, loss.moments, weights, slice(None))))
    return loss.for_styles(moments, options)
