"""Style transfer by optimising the pixels (Gatys, Ecker and Bethge 2016, "Image Style Transfer Using CNNs")."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from worker.engine.features import Vgg
from worker.engine.losses import gram, relative_error, total_variation
from worker.engine.optimisers import LBFGS, Adam, Optimiser

TERMS = ("total", "content", "style", "tv")


@dataclass(frozen=True)
class Weights:
    """How much each term counts; each is at least 0. The layers of one term count alike."""

    content: float
    style: float
    tv: float


@dataclass(frozen=True)
class Progress:
    """The picture after `iteration` of `iterations` steps, and its losses.

    `image` is (B, 3, H, W) float32, [0, 1] but for overshoot; `losses` is (B, 4) float32 in the order of `TERMS`, each
    term already weighted. Both live on the engine's device; the engine does not change them any more.
    """

    iteration: int
    iterations: int
    image: Tensor
    losses: Tensor


class Objective:
    """The weighted sum of content, style and total variation, with its targets.

    `content` and `style` are (B, 3, H, W) and (B, 3, H', W'), float32 in [0, 1], on the device of `vgg`.
    """

    def __init__(
        self,
        vgg: Vgg,
        content: Tensor,
        style: Tensor,
        content_layers: Sequence[str],
        style_layers: Sequence[str],
        weights: Weights,
    ) -> None:
        self.vgg = vgg
        self.weights = weights
        with torch.no_grad():
            of_content, of_style = vgg(content), vgg(style)
            self.content_targets = {layer: of_content[layer] for layer in content_layers}
            self.style_targets = {layer: gram(of_style[layer]) for layer in style_layers}

    def losses(self, image: Tensor) -> Tensor:
        """The losses of pictures (B, 3, H, W): (B, 4), in the order of `TERMS`."""
        features = self.vgg(image)
        zero = image.new_zeros(image.shape[0])
        content = sum((relative_error(features[k], t) for k, t in self.content_targets.items()), zero)
        style = sum((relative_error(gram(features[k]), t) for k, t in self.style_targets.items()), zero)
        terms = (
            self.weights.content * content / max(1, len(self.content_targets)),
            self.weights.style * style / max(1, len(self.style_targets)),
            self.weights.tv * total_variation(image),
        )
        return torch.stack((terms[0] + terms[1] + terms[2], *terms), dim=1)

    def gradient(self, image: Tensor) -> tuple[Tensor, Tensor]:
        """The losses (B, 4) and the gradient of each picture's total, (B, 3, H, W)."""
        image = image.detach().requires_grad_()
        losses = self.losses(image)
        # No picture's total depends on another picture, so the gradient of the sum holds each one's own.
        (gradient,) = torch.autograd.grad(losses[:, 0].sum(), image)
        return losses.detach(), gradient


def make_optimiser(name: Literal["lbfgs", "adam"], learning_rate: float) -> Optimiser:
    """The optimiser that goes by `name`; its learning rate is in units of the pixels' [0, 1]."""
    return LBFGS(learning_rate) if name == "lbfgs" else Adam(learning_rate)


def optimise(objective: Objective, image: Tensor, optimiser: Optimiser, iterations: int) -> Iterator[Progress]:
    """Yields the picture and its losses before the first step and after each: `iterations` + 1 times in all.

    Whoever iterates may stop at any time. Nothing waits for the device; reading the tensors does.
    """
    for iteration in range(iterations):
        losses, gradient = objective.gradient(image)
        yield Progress(iteration, iterations, image, losses)
        image = optimiser.step(image, gradient)
    with torch.no_grad():
        yield Progress(iterations, iterations, image, objective.losses(image))
