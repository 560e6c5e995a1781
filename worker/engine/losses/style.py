"""Style losses: how far an image's features are from a style's, at one layer.

Gatys' Gram matrix, and the losses that Li, Wang, Liu and Hou 2017 ("Demystifying Neural Style Transfer", arXiv
1701.01036) put beside it once it is seen as the distance of two distributions of feature vectors; the Wasserstein
distance of two Gaussians; and the sliced Wasserstein distance (Heitz, Vanhoey, Chambon and Belcour 2021, arXiv
2006.07229).

A style loss is a subclass of `MomentLoss` or of `SampleLoss`. It is registered by an entry in
`stylefarm.shared.spec.builtin`, or by another package's entry point in the group `stylefarm.losses`.
"""

from __future__ import annotations

from collections.abc import Mapping

from stylefarm.shared.errors import InvalidSpec
from stylefarm.shared.spec.builtin import LOSSES
from stylefarm.worker.engine.losses.moment_losses import MomentLoss
from stylefarm.worker.engine.losses.sample_losses import SampleLoss

StyleLoss = MomentLoss | SampleLoss


def load_loss(name: str) -> type[MomentLoss] | type[SampleLoss]:
    """Return the class of a style loss.

    Args:
        name: Its name in a spec, built in or of another package.

    Raises:
        InvalidSpec: Nobody provides it, or its package cannot be used.

    Example:
        >>> load_loss("gram").__name__
        'Gram'
    """
    found = LOSSES.load(name)
    if isinstance(found, type) and issubclass(found, (MomentLoss, SampleLoss)):
        return found
    raise InvalidSpec(f"the style loss {name!r} cannot be used: {found!r} is no subclass of MomentLoss or SampleLoss")


def losses_over_samples(weights: Mapping[str, float]) -> list[str]:
    """Return the names, of losses with a weight, of those that need all of a layer at once.

    Example:
        >>> losses_over_samples({"gram": 1.0, "sliced": 0.5, "mmd-gaussian": 0.0})
        ['sliced']
    """
    return [name for name, weight in weights.items() if weight and issubclass(load_loss(name), SampleLoss)]
