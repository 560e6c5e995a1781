"""The losses of rendered pictures, by the features of a frozen network, and their gradient for the pixels."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from stylefarm.shared.spec.training import TrainingSpec
from stylefarm.worker.engine.losses.moment_losses import Covariance, Gram, MomentLoss
from stylefarm.worker.engine.losses.moments import Moments, PositionWeights, compute_moments
from stylefarm.worker.engine.losses.options import StyleOptions
from stylefarm.worker.engine.losses.terms import Accumulator, ContentTarget, LossTarget, MomentTarget
from stylefarm.worker.engine.losses.total_variation import TvReduction, total_variation, total_variation_grad
from stylefarm.worker.engine.methods.objective import style_factor
from stylefarm.worker.engine.networks.feature_network import FeatureNetwork

STYLE_LOSSES: Mapping[str, type[MomentLoss]] = {"gram": Gram, "covariance": Covariance}

# The moments that these losses are of.
KINDS = ("mean", "second")
# A pixel's range in the published programs.
BYTE = 255.0


@dataclass(frozen=True)
class Term:
    """One loss at one layer: its place among the names, its layer, what is compared, and its factor, (1 or B,)."""

    place: int
    layer: str
    target: LossTarget
    factor: Tensor


class PerceptualLoss:
    """Content, style and total variation of rendered pictures.

    Args:
        spec: The weights and the normalization.
        content_network: Gives the content layers alone, so that it ends with the last of them.
        network: Gives the content and the style layers.
        content_layers: Names of the content layers.
        style_layers: Names of the style layers.
        styles: Pictures of the styles, each (1, 3, H, W).

    Source:
        Johnson, Alahi and Fei-Fei 2016, eq. 2 to 4. Departure of normalization = relative: each error is divided by the
        mean square of what it is measured from, and the sum over layers by their number.

    Example:
        loss = PerceptualLoss(spec, content_network, network, ("fire4",), ("relu1", "fire4"), [style])
        losses, gradient = loss(rendered, contents, which=[0, 0], factors=torch.ones(2), offset=(3, 5))
    """

    names = ("total", "content", "style", "tv")

    def __init__(
        self,
        spec: TrainingSpec,
        content_network: FeatureNetwork,
        network: FeatureNetwork,
        content_layers: Sequence[str],
        style_layers: Sequence[str],
        styles: Sequence[Tensor],
    ) -> None:
        self.spec = spec
        self.content_pass, self.loss_pass = content_network.forward_pass(), network.forward_pass()
        self.content_layers, self.style_layers = content_layers, style_layers
        self.style_loss = STYLE_LOSSES[spec.style_loss]
        self.styles = [self._moments(style) for style in styles]

    @torch.no_grad()
    def __call__(
        self, rendered: Tensor, contents: Tensor, which: Sequence[int], factors: Tensor, offset: tuple[int, int]
    ) -> tuple[Tensor, Tensor]:
        """Return the losses (terms,), means over the batch, and the gradient of their total for the rendered pictures.

        Args:
            rendered: (B, 3, H, W) in [0, 1] but for overshoot.
            contents: (B, 3, H, W).
            which: The number of each picture's style.
            factors: A factor of each picture's style loss, (B,).
            offset: By how many rows and columns the pictures are shifted before they are compared, each from 0 to the
                spec's `shift`.
        """
        pixels, compared = (_shifted(each, self.spec.shift, offset) for each in (rendered, contents))
        terms = self._terms(compared, which, factors)
        losses, gradient = self._network_losses(pixels, terms)
        gradient = _shifted_back(gradient, self.spec.shift, offset)
        if self.spec.tv_weight:
            # The published weights are for a sum over pixels from 0 to 255.
            is_mean = self.spec.normalization == "relative"
            reduction: TvReduction = "mean" if is_mean else "sum"
            weight = self.spec.tv_weight * (1.0 if is_mean else BYTE**2) / len(rendered)
            losses[3] = weight * total_variation(rendered, "l2", reduction).sum()
            gradient = gradient.add_(total_variation_grad(rendered, "l2", reduction), alpha=weight)
        losses[0] = losses[1:].sum()
        return losses, gradient

    def _moments(self, style: Tensor) -> dict[str, Moments]:
        found: dict[str, Moments] = {}

        def on_features(layer: str, features: Tensor, rows: slice) -> None:
            if layer in self.style_layers:
                weights = PositionWeights(features.shape[2] * features.shape[3])
                found[layer] = compute_moments(features, self.style_loss.moments, weights, rows)

        with torch.no_grad():
            self.loss_pass.forward(style, on_features)
        return found

    def _terms(self, contents: Tensor, which: Sequence[int], factors: Tensor) -> list[Term]:
        features: dict[str, Tensor] = {}
        terms: list[Term] = []
        if self.spec.content_weight:
            self.content_pass.forward(contents, lambda layer, found, rows: features.update({layer: found}))
        for layer in self.content_layers if self.spec.content_weight else ():
            target = ContentTarget(features[layer])
            terms.append(Term(1, layer, target, self._content_factor(target)))
        for layer in self.style_layers if self.spec.style_weight else ():
            moments = _of_batch([self.styles[number][layer] for number in which])
            loss = self.style_loss.for_styles([(1.0, moments)], StyleOptions())
            positions = PositionWeights.over(*self.loss_pass.layer_size(layer, contents.shape[2:]), None)
            terms.append(Term(2, layer, MomentTarget(loss, positions), self._style_factor(layer, loss, factors)))
        return terms

    def _content_factor(self, target: ContentTarget) -> Tensor:
        weight = self.spec.content_weight
        if self.spec.normalization == "relative":
            return weight / len(self.content_layers) / target.magnitude().clamp_min(1e-12)
        return target.target.new_full((1,), weight)

    def _style_factor(self, layer: str, loss: MomentLoss, factors: Tensor) -> Tensor:
        weight = self.spec.style_weight * factors
        if self.spec.normalization == "relative":
            return weight / len(self.style_layers) / loss.magnitude().clamp_min(1e-12)
        return weight * style_factor(self.spec.normalization, self.loss_pass.layers[layer].channels, 1)

    def _network_losses(self, pixels: Tensor, terms: Sequence[Term]) -> tuple[Tensor, Tensor]:
        losses, batch = pixels.new_zeros(len(self.names)), len(pixels)
        if not terms:
            return losses, torch.zeros_like(pixels)
        accumulators: list[Accumulator] = [term.target.accumulator(seed=0) for term in terms]

        def on_features(layer: str, features: Tensor, rows: slice) -> None:
            for term, accumulator in zip(terms, accumulators, strict=True):
                if term.layer == layer:
                    accumulator.update(features, rows)

        back = self.loss_pass.forward_with_grad(pixels, on_features)
        found = [accumulator.error_and_grad() for accumulator in accumulators]
        by_layer = defaultdict(list)
        for term, (error, add) in zip(terms, found, strict=True):
            losses[term.place] += (term.factor * error).mean()
            by_layer[term.layer].append((add, term.factor.expand(batch) / batch))

        def add_grad(layer: str, features: Tensor, rows: slice, grad: Tensor | None) -> Tensor | None:
            for add, factor in by_layer[layer]:
                grad = add(grad, features, rows, factor)
            return grad

        return losses, back(add_grad)


def _of_batch(moments: Sequence[Moments]) -> Moments:
    """Return the moments of the style of each picture, one row for each."""
    means, seconds = ([each for each in (getattr(one, name) for one in moments) if each is not None] for name in KINDS)
    return Moments(
        moments[0].share.new_ones(1),
        mean=torch.cat(means) if means else None,
        second=torch.cat(seconds) if seconds else None,
    )


def _shifted(pictures: Tensor, shift: int, offset: tuple[int, int]) -> Tensor:
    """Return pictures with `shift` more rows and columns, by reflection: `offset` of them before the first."""
    if not shift:
        return pictures
    rows, columns = offset
    return functional.pad(pictures, (columns, shift - columns, rows, shift - rows), "reflect")


def _shifted_back(gradient: Tensor, shift: int, offset: tuple[int, int]) -> Tensor:
    """Return the gradient for pictures, of that for what `_shifted` made of them."""
    if not shift:
        return gradient
    rows, columns = offset
    height, width = (side - shift for side in gradient.shape[2:])
    with torch.enable_grad():
        leaf = gradient.new_zeros((*gradient.shape[:2], height, width), requires_grad=True)
        (found,) = torch.autograd.grad(_shifted(leaf, shift, (rows, columns)), leaf, gradient)
    return found
