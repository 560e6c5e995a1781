"""The Protocol of a trained model that is ready to render pictures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

from torch import Tensor

from stylefarm.shared.spec.models import Transform
from stylefarm.worker.engine.losses.targets import StyleImage


@dataclass(frozen=True)
class StyleIndex:
    """A style that a model has learned.

    Args:
        index: Its number among the styles of the model, from 0.
        share: Its share of a mixture of styles; the shares of all that are asked for have the sum 1.
        mask: Where in the result it belongs, (1, 1, H, W) in [0, 1], of the result's size; None for everywhere.

    Example:
        >>> StyleIndex(19).share
        1.0
    """

    index: int
    share: float = 1.0
    mask: Tensor | None = None


@dataclass(frozen=True)
class ApplyOptions:
    """How a model is applied; a model leaves aside what its method does not know.

    Args:
        strength: How much of the style the result gets, 0 to 1.
        transform: What gives the content's features the style's statistics; None: the method's own.
        levels: The levels of a method that has several, 5 down to 1; none: all of the model.
        direction: Of a model that translates both ways: from its first set of pictures to the second, or back.

    Example:
        >>> ApplyOptions(strength=0.6, transform="wct", levels=(5, 4, 3)).direction
        'forward'
    """

    strength: float = 1.0
    transform: Transform | None = None
    levels: tuple[int, ...] = ()
    direction: Literal["forward", "backward"] = "forward"


class Applier(Protocol):
    """A trained model on a device.

    Example:
        applier = load_applier(model, path)
        picture = applier.apply(content, [StyleIndex(19)], ApplyOptions(), memory=4 << 30)
    """

    def bytes(self, height: int, width: int, batch: int = 1) -> int:
        """Return the peak of the memory, in bytes, of rendering that many pictures of that size whole.

        Args:
            height: Pixels.
            width: Pixels.
            batch: Pictures at a time.
        """
        ...

    def apply(
        self, content: Tensor, styles: Sequence[StyleImage | StyleIndex], options: ApplyOptions, memory: int
    ) -> Tensor:
        """Return the rendered pictures, (B, 3, H, W) float32, in [0, 1] but for overshoot.

        What does not fit into `memory` is rendered in strips, with the same statistics as the whole picture's, so that
        there are no seams.

        Args:
            content: (B, 3, H, W) float32 in [0, 1], of any height and width.
            styles: Pictures of styles, or the numbers of styles that the model has learned.
            options: How it is applied.
            memory: Bytes that may be used.

        Raises:
            InvalidSpec: The model cannot be applied so: it has no such style, level or transform.
            OutOfMemory: It does not fit into `memory` in any way.
        """
        ...
