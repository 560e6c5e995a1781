"""The objective that an image is optimized for: content, style and total variation.

L(x) = sum_t a_t u_t E_t(F_l(x)) + w_tv TV(x), where term t compares the features F_l of its layer l by the error E_t,
a_t is its weight (that of its kind times its layer's) and u_t its unit, by which losses of different layers compare.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Hashable, Iterable, Mapping, Sequence
from copy import copy
from dataclasses import dataclass, field, replace
from typing import Literal, Protocol

import torch
from torch import Tensor

from stylefarm.shared.spec.space import PIXELS, InputSpace
from stylefarm.worker.engine.losses.content import ContentNormalization, content_factor
from stylefarm.worker.engine.losses.options import StyleOptions
from stylefarm.worker.engine.losses.targets import StyleImage, TargetReader
from stylefarm.worker.engine.losses.terms import Accumulator, ContentTarget, LossTarget, batched_target
from stylefarm.worker.engine.losses.total_variation import (
    TvNorm,
    TvReduction,
    laplacian,
    total_variation,
    total_variation_grad,
)
from stylefarm.worker.engine.networks.feature_network import ForwardPass, OnFeatures
from stylefarm.worker.engine.space import from_pixels_gradient, to_pixels

TERMS = ("total", "content", "style", "tv")

StyleNormalization = Literal["initial", "relative", "none", "gatys", "mxnet", "udacity", "pytorch"]

# Below this share of the target's own magnitude a start is where it should arrive, and says nothing of a scale.
MIN_START_ERROR = 1e-6


@dataclass(frozen=True)
class LossSettings:
    """Which terms there are, how each is normalized, and its weight. docs/methods.md explains the normalizations.

    Args:
        content_layers: Weight of each content layer; multiplied by `content_weight`.
        style_layers: Weight of each style layer; multiplied by `style_weight`.
        content_weight: Weight of the content, at least 0.
        style_weight: Weight of the style, at least 0.
        tv_weight: Weight of the total variation, at least 0.
        content_normalization: What the content's squared error is divided by.
        style_losses: Weight of each style loss, by name.
        style_normalization: What the style's error is divided by.
        style_options: Parameters of style losses.
        tv_norm: Norm of the total variation.
        tv_reduction: Whether it is a mean or a sum.
        gradient_normalization: Whether each term's gradient for its features is divided by its L1 norm.
        gradient_clip: The longest gradient (L2) per value of the image; None for no limit.
        seed: Determines what losses draw at random.

    Example:
        >>> LossSettings({"relu4_2": 1.0}, {"relu1_1": 1.0}).style_losses
        {'gram': 1.0}
    """

    content_layers: Mapping[str, float]
    style_layers: Mapping[str, float]
    content_weight: float = 1.0
    style_weight: float = 1.0
    tv_weight: float = 0.0
    content_normalization: ContentNormalization = "relative"
    style_losses: Mapping[str, float] = field(default_factory=lambda: {"gram": 1.0})
    style_normalization: StyleNormalization = "relative"
    style_options: StyleOptions = field(default_factory=StyleOptions)
    tv_norm: TvNorm = "l2"
    tv_reduction: TvReduction = "mean"
    gradient_normalization: bool = False
    gradient_clip: float | None = None
    seed: int = 0


@dataclass(frozen=True)
class LossTerm:
    """One loss at one layer: weight x unit x error.

    Args:
        kind: Index of its sum in `TERMS`.
        layer: Name of the layer.
        target: What the features are compared with.
        weight: Its weight.
        unit: The factor that normalizes its error, a number or (B,).

    Example:
        >>> from stylefarm.worker.engine.losses.terms import ContentTarget
        >>> LossTerm(1, "relu4_2", ContentTarget(torch.zeros(1, 512, 4, 4)), weight=2.0, unit=0.25).scale
        0.5
    """

    kind: int
    layer: str
    target: LossTarget
    weight: float
    unit: float | Tensor = 1.0

    @property
    def scale(self) -> float | Tensor:
        """The factor from the bare error to the weighted loss, a number or (B,)."""
        return self.weight * self.unit


class ObjectiveFunction(Protocol):
    """What an optimization minimizes: losses of images (B, 3, H, W) in the coordinates `space`.

    Example:
        >>> class Square:  # the objective sum(x^2), as a content loss
        ...     space = PIXELS
        ...     def losses(self, image, iteration=0):
        ...         return image.square().sum((1, 2, 3))[:, None] * torch.tensor([[1.0, 1.0, 0.0, 0.0]])
        ...     def gradient(self, image, iteration=0):
        ...         return self.losses(image), 2 * image
        >>> Square().gradient(torch.ones(1, 3, 1, 1))[1].flatten().tolist()
        [2.0, 2.0, 2.0]
    """

    space: InputSpace

    def losses(self, image: Tensor, iteration: int = 0) -> Tensor:
        """Return the weighted losses: (B, terms), in the order of `TERMS`.

        Args:
            image: (B, 3, H, W) float32, in the objective's coordinates.
            iteration: Seeds what losses draw at random.
        """
        ...

    def gradient(self, image: Tensor, iteration: int = 0) -> tuple[Tensor, Tensor]:
        """Return the losses (B, terms) and the gradient of each image's total, (B, 3, H, W).

        Args:
            image: (B, 3, H, W) float32, in the objective's coordinates.
            iteration: Seeds what losses draw at random.
        """
        ...


class Objective:
    """The losses of images and their gradient.

    Args:
        forward_pass: The feature network, run in one way.
        content: (B, 3, H, W), float32 or float64 in [0, 1], on the network's device.
        styles: The styles, whose shares sum to 1.
        settings: The terms and their weights.
        start: What the optimization begins with, of the shape of `content` and in `space`; needed for the normalization
            "initial".
        space: The coordinates of the images.
        targets: Reads the targets; by default without a cache.
        content_key: Name of the content in the cache of `targets`.

    Example:
        >>> from stylefarm.worker.engine.networks.vgg import Vgg, randomize
        >>> from stylefarm.worker.engine.networks.vgg_network import VggNetwork
        >>> vgg = Vgg("vgg19", ["relu1_1"])
        >>> randomize(vgg, seed=0)
        >>> content, style = torch.rand(1, 3, 8, 8), torch.rand(1, 3, 8, 8)
        >>> settings = LossSettings({"relu1_1": 1.0}, {"relu1_1": 1.0})
        >>> objective = Objective(VggNetwork(vgg).forward_pass(), content, [StyleImage(style)], settings)
        >>> losses, gradient = objective.gradient(content)
        >>> losses[0, 1].item(), tuple(losses.shape), tuple(gradient.shape)  # the content's loss is zero
        (0.0, (1, 4), (1, 3, 8, 8))
    """

    def __init__(
        self,
        forward_pass: ForwardPass,
        content: Tensor,
        styles: Sequence[StyleImage],
        settings: LossSettings,
        *,
        start: Tensor | None = None,
        space: InputSpace = PIXELS,
        targets: TargetReader | None = None,
        content_key: Hashable = None,
    ) -> None:
        self.forward_pass = forward_pass
        self.settings = settings
        self.space = space
        with torch.no_grad():
            targets = targets or TargetReader(self.forward_pass)
            terms = self._content_terms(targets, content, content_key)
            terms += self._style_terms(targets, styles, content.shape[2:])
            needs_start = "initial" in (settings.content_normalization, settings.style_normalization)
            at_start = self._errors(terms, to_pixels(space, start)) if needs_start and start is not None else None
            self.terms = [
                replace(term, unit=self._unit(term, None if at_start is None else at_start[number], content.shape[2:]))
                for number, term in enumerate(terms)
            ]

    @classmethod
    def batched(cls, objectives: Sequence[Objective]) -> Objective | None:
        """Return one objective for the images of several, which go through the network at once.

        Args:
            objectives: The objective of each image.

        Returns:
            The objective; None if they cannot be batched: with losses over samples, regions, or normalized gradients,
            or if their networks or kinds of losses differ.

        Example:
            together = Objective.batched([Objective(network, content, styles, settings) for content in contents])
            losses = together.losses(torch.cat(contents))  # (B, terms)
        """
        first = objectives[0]
        alike = all(
            each.forward_pass is first.forward_pass and each._signature() == first._signature() for each in objectives
        )
        if not alike or first.settings.gradient_normalization:
            return None
        terms = [_batched_term(terms) for terms in zip(*(each.terms for each in objectives), strict=True)]
        together = copy(first)
        together.terms = [term for term in terms if term is not None]
        return together if len(together.terms) == len(terms) else None

    def losses(self, image: Tensor, iteration: int = 0) -> Tensor:
        """Return the weighted losses of images (B, 3, H, W) in `space`: (B, terms), in the order of `TERMS`."""
        with torch.no_grad():
            errors = self._errors(self.terms, to_pixels(self.space, image), iteration)
            return self._with_variation(self._parts(errors, image), image)

    def gradient(self, image: Tensor, iteration: int = 0) -> tuple[Tensor, Tensor]:
        """Return the losses (B, terms) and the gradient of each image's total, (B, 3, H, W).

        The gradient is clipped, where it is, before that of a Laplacian is added, as in the mxnet program.

        Args:
            image: (B, 3, H, W), in `space`.
            iteration: Number of the step; determines, with the seed, what losses draw at random.
        """
        with torch.no_grad():
            if not self.terms:
                parts, gradient = self._parts([], image), torch.zeros_like(image)
            else:
                parts, gradient = self._network_gradient(image, iteration)
            return self._with_variation(parts, image), self._clipped_with_variation(gradient, image)

    def _network_gradient(self, image: Tensor, iteration: int) -> tuple[Tensor, Tensor]:
        accumulators = self._accumulators(self.terms, iteration)
        back = self.forward_pass.forward_with_grad(
            to_pixels(self.space, image), _feature_callback(self.terms, accumulators)
        )
        found = [accumulator.error_and_grad() for accumulator in accumulators]
        by_layer = defaultdict(list)
        for term, (_, add) in zip(self.terms, found, strict=True):
            by_layer[term.layer].append((term, add))
        del accumulators

        def add_grad(layer: str, features: Tensor, rows: slice, grad: Tensor | None) -> Tensor | None:
            for term, add in by_layer[layer]:
                if self.settings.gradient_normalization:
                    # Of the features' gradient, as jcjohnson's; dividing the loss would be something else.
                    own = add(None, features, rows, 1.0)
                    own = own * (term.weight / (own.abs().sum((1, 2, 3), keepdim=True) + 1e-8))
                    grad = own if grad is None else grad.add_(own)
                else:
                    grad = add(grad, features, rows, term.scale)
            return grad

        gradient = from_pixels_gradient(self.space, back(add_grad))
        return self._parts([error for error, _ in found], image), gradient

    def _errors(self, terms: Sequence[LossTerm], pixels: Tensor, iteration: int = 0) -> list[Tensor]:
        accumulators = self._accumulators(terms, iteration)
        if terms:
            self.forward_pass.forward(pixels, _feature_callback(terms, accumulators))
        return [accumulator.error() for accumulator in accumulators]

    def _accumulators(self, terms: Iterable[LossTerm], iteration: int) -> list[Accumulator]:
        return [term.target.accumulator(self._seed(iteration, number)) for number, term in enumerate(terms)]

    def _parts(self, errors: Sequence[Tensor], image: Tensor) -> Tensor:
        parts = image.new_zeros(len(TERMS), image.shape[0])
        for term, error in zip(self.terms, errors, strict=True):
            parts[term.kind] += (term.scale * error).to(parts.dtype)
        return parts

    def _with_variation(self, parts: Tensor, image: Tensor) -> Tensor:
        settings = self.settings
        if settings.tv_weight:
            parts[3] = settings.tv_weight * total_variation(image, settings.tv_norm, settings.tv_reduction)
        parts[0] = parts[1] + parts[2] + parts[3]
        return parts.T.contiguous()

    def _clipped_with_variation(self, gradient: Tensor, image: Tensor) -> Tensor:
        settings = self.settings
        if settings.tv_weight and settings.tv_norm != "laplacian":
            own = total_variation_grad(image, settings.tv_norm, settings.tv_reduction)
            gradient = gradient.add(own, alpha=settings.tv_weight)
        if settings.gradient_clip is not None:
            longest = settings.gradient_clip * gradient[0].numel()
            norm = gradient.flatten(1).norm(dim=1).view(-1, 1, 1, 1)
            gradient = gradient * (longest / norm.clamp_min(longest))
        if settings.tv_weight and settings.tv_norm == "laplacian":
            gradient = gradient.add(laplacian(image), alpha=settings.tv_weight)
        return gradient

    def _content_terms(self, targets: TargetReader, content: Tensor, key: Hashable) -> list[LossTerm]:
        weight = self.settings.content_weight
        layers = self.settings.content_layers if weight else {}
        if not layers:
            return []
        found = targets.content(content, frozenset(layers), key)
        return [LossTerm(1, layer, ContentTarget(found[layer]), weight * part) for layer, part in layers.items()]

    def _style_terms(self, targets: TargetReader, styles: Sequence[StyleImage], size: Sequence[int]) -> list[LossTerm]:
        settings = self.settings
        if not (settings.style_weight and styles):
            return []
        weights, losses = settings.style_layers, settings.style_losses
        found_targets = targets.style(styles, list(weights), losses, settings.style_options, size)
        return [
            LossTerm(2, found.layer, found.target, settings.style_weight * weights[found.layer] * found.share)
            for found in found_targets
        ]

    def _unit(self, term: LossTerm, at_start: Tensor | None, size: Sequence[int]) -> float | Tensor:
        content, style = self.settings.content_normalization, self.settings.style_normalization
        if isinstance(term.target, ContentTarget):
            if content in ("mean", "sum", "half-sum"):
                return content_factor(content, term.target.target)
            return _inverse_unit(term.target, at_start if content == "initial" else None)
        if style in ("initial", "relative"):
            return _inverse_unit(term.target, at_start if style == "initial" else None)
        positions = math.prod(self.forward_pass.layer_size(term.layer, size))
        return style_factor(style, self.forward_pass.layers[term.layer].channels, positions)

    def _signature(self) -> tuple[object, ...]:
        """Return what objectives that can be batched have in common."""
        alike = replace(self.settings, content_weight=1.0, style_weight=1.0, seed=0)
        return alike, self.space, [(term.kind, term.layer) for term in self.terms]

    def _seed(self, iteration: int, number: int) -> int:
        """Return a seed for what term `number` draws at an iteration."""
        return (self.settings.seed * 1_000_003 + iteration * 1_009 + 2 * number) % 2**63


def _batched_term(terms: Sequence[LossTerm]) -> LossTerm | None:
    target = batched_target([term.target for term in terms])
    if target is None:
        return None
    one = torch.ones_like(target.magnitude()[:1])
    return replace(terms[0], target=target, weight=1.0, unit=torch.cat([one * term.scale for term in terms]))


def _feature_callback(terms: Sequence[LossTerm], accumulators: Sequence[Accumulator]) -> OnFeatures:
    def on_features(layer: str, features: Tensor, rows: slice) -> None:
        for term, accumulator in zip(terms, accumulators, strict=True):
            if term.layer == layer:
                accumulator.update(features, rows)

    return on_features


def _inverse_unit(target: LossTarget, at_start: Tensor | None) -> Tensor:
    """Return one over the error of the start; over the target's magnitude where the start is the target."""
    magnitude = target.magnitude().clamp_min(1e-12)
    if at_start is None:
        return 1 / magnitude
    return 1 / torch.where(at_start > MIN_START_ERROR * magnitude, at_start, magnitude)


def style_factor(normalization: StyleNormalization, channels: int, positions: int) -> float:
    """Return the factor from mean((G - A)^2), with G = F F^T / (H W), to a program's style loss.

    Args:
        normalization: "gatys": sum((F F^T - ..)^2) / (4 C^2 (H W)^2). "mxnet": sum((F F^T - ..)^2) / (C^2 H W).
            "udacity": mean((F F^T - ..)^2) / (C H W). "pytorch", and neural-style: mean((F F^T - ..)^2) / (C H W)^2.
            "none": 1.
        channels: C.
        positions: H W.

    Source:
        Gatys 2016, eq. 4.

    Example:
        >>> style_factor("udacity", channels=64, positions=128)
        2.0
    """
    factors = {
        "none": 1.0,
        "gatys": 0.25,
        "mxnet": float(positions),
        "udacity": positions / channels,
        "pytorch": 1.0 / channels**2,
    }
    return factors[normalization]
