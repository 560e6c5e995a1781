"""How models of johnson, ulyanov and cin are applied."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from stylefarm.shared.errors import InvalidSpec
from stylefarm.worker.engine.feedforward.applier import ApplyOptions, StyleIndex
from stylefarm.worker.engine.feedforward.mixture import Mixture, mixture_of
from stylefarm.worker.engine.feedforward.model import Model
from stylefarm.worker.engine.feedforward.sized_trunk import SizedTrunk
from stylefarm.worker.engine.feedforward.trunk import load_trunk
from stylefarm.worker.engine.feedforward.trunk_shape import TrunkShape
from stylefarm.worker.engine.hardware.device import ComputePath
from stylefarm.worker.engine.losses.targets import StyleImage


class TrunkApplier:
    """Applies a model of one style, or of several by their numbers.

    A mask of the only style, or the masks of all of them together, say where the content is changed at all. The
    strength of a model with adjustable styles is the weight of the style loss; that of any other model fades the
    content into the result.

    Args:
        model: A model of johnson, ulyanov or cin.
        path: The device and the precision.

    Raises:
        InvalidRequest: The model is damaged.

    Example:
        >>> from stylefarm.worker.engine.feedforward.trunk import Trunk
        >>> shape = TrunkShape((4, 8, 16), (8, 4), blocks=1)
        >>> model = Model("johnson", shape.document(), Trunk(shape).state_dict())
        >>> applier = TrunkApplier(model, ComputePath(torch.device("cpu"), "fp32"))
        >>> tuple(applier.apply(torch.rand(1, 3, 17, 30), [], ApplyOptions(), memory=1 << 30).shape)
        (1, 3, 17, 30)
    """

    def __init__(self, model: Model, path: ComputePath) -> None:
        self.method = model.method
        self.shape = TrunkShape.of(model.architecture)
        self.network = SizedTrunk(load_trunk(self.shape, model.tensors), path)

    def bytes(self, height: int, width: int, batch: int = 1) -> int:
        """Return the peak of the memory, in bytes, of rendering that many pictures of that size whole."""
        return self.network.bytes(height, width, batch)

    def apply(
        self, content: Tensor, styles: Sequence[StyleImage | StyleIndex], options: ApplyOptions, memory: int
    ) -> Tensor:
        """Return the rendered pictures, (B, 3, H, W) float32, in [0, 1] but for overshoot."""
        mixture, covered = self._chosen(styles, content, options.strength)
        rendered = self.network.render(content, mixture, memory)
        share = torch.ones(1, 1, 1, 1) if covered is None else covered
        if not self.shape.adjustable:
            share = share * options.strength
        if bool((share == 1).all()):
            return rendered
        return torch.lerp(content.to(rendered), rendered, share.to(rendered))

    def _chosen(
        self, styles: Sequence[StyleImage | StyleIndex], content: Tensor, strength: float
    ) -> tuple[Mixture | None, Tensor | None]:
        """Return the mixture of a network's styles, and where it applies; None for everywhere."""
        chosen = [style for style in styles if isinstance(style, StyleIndex)]
        if len(chosen) < len(styles):
            raise InvalidSpec(f"{self.method} renders what it has learned, not pictures of styles: leave style out")
        if any(each.mask is not None and each.mask.shape[2:] != content.shape[2:] for each in chosen):
            raise InvalidSpec("a mask has another size than the content: give one of the content's size")
        if not 0 <= strength <= 1:
            raise InvalidSpec(f"strength = {strength} is not between 0 and 1: it is the share of the style")
        if self.shape.styles:
            return mixture_of(chosen, self.shape.styles, strength)
        if len(chosen) > 1 or any(each.index for each in chosen):
            raise InvalidSpec(f"the model of {self.method} has one style, and others are asked for: leave them out")
        return None, chosen[0].mask if chosen else None
