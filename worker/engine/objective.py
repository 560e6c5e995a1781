"""The weighted sum of content, style and total variation that a picture is optimised for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional

from shared.space import PIXELS, InputSpace
from worker.engine.features import Vgg
from worker.engine.losses import ContentNormalization, content_factor, squared_error
from worker.engine.space import to_pixels
from worker.engine.style import Source, StyleLossName, StyleOptions, StyleTarget, style_target
from worker.engine.variation import Norm, Reduction, laplacian, total_variation

TERMS = ("total", "content", "style", "tv")

StyleNormalization = Literal["initial", "relative", "none", "gatys", "mxnet", "udacity", "pytorch"]

# Below this share of the target's own magnitude a start is where it should arrive, and says nothing of a scale.
AT_THE_TARGET = 1e-6


@dataclass(frozen=True)
class Style:
    """A style's picture (1 or B, 3, H, W) in [0, 1], the part of it that counts, and where in the result it belongs.

    `source_mask` and `mask` are (1, 1, H, W) in [0, 1], of the size of the style and of the result; None: all of it.
    `share` is its part of a mixture.
    """

    image: Tensor
    share: float = 1.0
    source_mask: Tensor | None = None
    mask: Tensor | None = None


@dataclass(frozen=True)
class LossSettings:
    """Which terms there are, how each is normalised, and how much it counts.

    The layers' weights are multiplied by their term's; `style_losses` are mixed by weight. docs/methods.md has the
    normalisations; `gradient_normalization` divides each layer's gradient by its L1 norm before the weight.
    """

    content_layers: Mapping[str, float]
    style_layers: Mapping[str, float]
    content_weight: float = 1.0
    style_weight: float = 1.0
    tv_weight: float = 0.0
    content_normalization: ContentNormalization = "relative"
    style_losses: Mapping[StyleLossName, float] = field(default_factory=lambda: {"gram": 1.0})
    style_normalization: StyleNormalization = "relative"
    style_options: StyleOptions = field(default_factory=StyleOptions)
    tv_norm: Norm = "l2"
    tv_reduction: Reduction = "mean"
    gradient_normalization: bool = False
    gradient_clip: float | None = None
    seed: int = 0


@dataclass(frozen=True)
class _Term:
    """One loss at one layer: `weight` times `unit`, a number or (B,), times the error (B,) of features and a seed."""

    kind: int
    layer: str
    error: _ContentError | _StyleError
    weight: float
    unit: float | Tensor = 1.0

    @property
    def scale(self) -> float | Tensor:
        """What makes of the bare error the weighted loss."""
        return self.weight * self.unit


class Objective:
    """The losses of pictures, and their gradient, in the coordinates `space` that the optimiser works in.

    `content` is (B, 3, H, W), float32 or float64 in [0, 1], on the device of `vgg`; `start`, of the same shape and in
    `space`, is what the optimisation begins with, for normalisation by the initial value.
    """

    def __init__(
        self,
        vgg: Vgg,
        content: Tensor,
        styles: Sequence[Style],
        settings: LossSettings,
        *,
        start: Tensor | None = None,
        space: InputSpace = PIXELS,
    ) -> None:
        self.vgg = vgg
        self.settings = settings
        self.space = space
        with torch.no_grad():
            features = vgg(content)
            terms = [*self._content_terms(features), *self._style_terms(features, styles)]
            by_start = "initial" in (settings.content_normalization, settings.style_normalization)
            self.terms = self._normalised(
                terms, vgg(to_pixels(space, start)) if by_start and start is not None else features
            )

    def losses(self, image: Tensor, iteration: int = 0) -> Tensor:
        """The losses of pictures (B, 3, H, W) in `space`: (B, 4), in the order of `TERMS`, each weighted."""
        with torch.no_grad():
            features = self.vgg(to_pixels(self.space, image))
            parts = image.new_zeros(len(TERMS), image.shape[0])
            for number, term in enumerate(self.terms):
                error = term.error(features[term.layer], self._draw(iteration, number))
                parts[term.kind] += (term.scale * error).to(parts.dtype)
            return self._with_variation(parts, image)

    def gradient(self, image: Tensor, iteration: int = 0) -> tuple[Tensor, Tensor]:
        """The losses (B, 4) and the gradient of each picture's total, (B, 3, H, W).

        The gradient is clipped, if it is, before that of a Laplacian is added, as in the mxnet program.
        """
        leaf = image.detach().requires_grad_()
        features = self.vgg(to_pixels(self.space, leaf))
        parts = image.new_zeros(len(TERMS), image.shape[0])
        slopes: dict[str, Tensor] = {}
        for number, term in enumerate(self.terms):
            error, slope = self._layer_gradient(term, features[term.layer].detach(), self._draw(iteration, number))
            parts[term.kind] += (term.scale * error).to(parts.dtype)
            slopes[term.layer] = slopes[term.layer] + slope if term.layer in slopes else slope
        outputs = [features[layer] for layer in slopes]
        # No picture's loss depends on another picture, so the gradient of their sum holds each one's own.
        gradient = torch.autograd.grad(outputs, leaf, list(slopes.values()))[0] if outputs else torch.zeros_like(image)
        return self._with_variation(parts, image), self._clipped_with_variation(gradient, image)

    def _layer_gradient(self, term: _Term, features: Tensor, seed: int) -> tuple[Tensor, Tensor]:
        """The error (B,) of one term and the weighted gradient for its features, shaped as they are."""
        features.requires_grad_()
        with torch.enable_grad():
            error = term.error(features, seed)
            (slope,) = torch.autograd.grad(error.sum(), features)
        if self.settings.gradient_normalization:
            # Of the features' gradient, as jcjohnson's; dividing the loss would be something else.
            slope = slope / (slope.abs().sum((1, 2, 3), keepdim=True) + 1e-8)
        scale = term.weight if self.settings.gradient_normalization else term.scale
        if isinstance(scale, Tensor):
            scale = scale.view(-1, 1, 1, 1)
        return error.detach(), (scale * slope).to(features.dtype)

    def _with_variation(self, parts: Tensor, image: Tensor) -> Tensor:
        settings = self.settings
        if settings.tv_weight:
            parts[3] = settings.tv_weight * total_variation(image, settings.tv_norm, settings.tv_reduction)
        parts[0] = parts[1] + parts[2] + parts[3]
        return parts.T.contiguous()

    def _clipped_with_variation(self, gradient: Tensor, image: Tensor) -> Tensor:
        settings = self.settings
        if settings.tv_weight and settings.tv_norm != "laplacian":
            gradient = gradient + settings.tv_weight * _variation_gradient(
                image, settings.tv_norm, settings.tv_reduction
            )
        if settings.gradient_clip is not None:
            longest = settings.gradient_clip * gradient[0].numel()
            norm = gradient.flatten(1).norm(dim=1).view(-1, 1, 1, 1)
            gradient = gradient * (longest / norm.clamp_min(longest))
        if settings.tv_weight and settings.tv_norm == "laplacian":
            gradient = gradient + settings.tv_weight * laplacian(image)
        return gradient

    def _content_terms(self, features: Mapping[str, Tensor]) -> list[_Term]:
        weight = self.settings.content_weight
        layers = self.settings.content_layers if weight else {}
        return [_Term(1, layer, _ContentError(features[layer]), weight * part) for layer, part in layers.items()]

    def _style_terms(self, features: Mapping[str, Tensor], styles: Sequence[Style]) -> list[_Term]:
        weight = self.settings.style_weight
        described = [(style, self.vgg(style.image)) for style in styles] if weight else []
        return [
            _Term(2, layer, _StyleError(target, region), weight * part * share * of_region)
            for layer, part in (self.settings.style_layers.items() if described else ())
            for name, share in self.settings.style_losses.items()
            for region, target, of_region in self._targets(name, layer, described, features[layer].shape[2:])
        ]

    def _targets(
        self,
        name: StyleLossName,
        layer: str,
        described: Sequence[tuple[Style, dict[str, Tensor]]],
        shape: Sequence[int],
    ) -> list[tuple[Tensor | None, StyleTarget, float]]:
        """A target for each region of the result, with its share; one for a mixture that is painted everywhere."""
        options = self.settings.style_options
        sources = [
            (style, Source(features[layer], _shrunk(style.source_mask, features[layer].shape[2:]), style.share))
            for style, features in described
        ]
        if all(style.mask is None for style, _ in sources):
            return [(None, style_target(name, [source for _, source in sources], options), 1.0)]
        return [
            (_shrunk(style.mask, shape), style_target(name, [Source(s.features, s.region)], options), style.share)
            for style, s in sources
        ]

    def _normalised(self, terms: list[_Term], features: Mapping[str, Tensor]) -> list[_Term]:
        """The terms with the unit that their normalisation says; `features` are those of the start."""
        return [replace(term, unit=self._unit(term, features[term.layer], number)) for number, term in enumerate(terms)]

    def _unit(self, term: _Term, features: Tensor, number: int) -> float | Tensor:
        content, style = self.settings.content_normalization, self.settings.style_normalization
        if isinstance(term.error, _ContentError):
            if content in ("mean", "sum", "half-sum"):
                return content_factor(content, features)
            return self._by_start(term.error, features, number, content == "initial")
        if style in ("initial", "relative"):
            return self._by_start(term.error, features, number, style == "initial")
        return style_factor(style, features)

    def _by_start(self, error: _ContentError | _StyleError, features: Tensor, number: int, initial: bool) -> Tensor:
        """One over the error of the start; over the target's own magnitude where the start is the target."""
        magnitude = error.magnitude().clamp_min(1e-12)
        if not initial:
            return 1 / magnitude
        at_start = error(features, self._draw(0, number))
        return 1 / torch.where(at_start > AT_THE_TARGET * magnitude, at_start, magnitude)

    def _draw(self, iteration: int, number: int) -> int:
        """A seed for what term `number` draws at an iteration."""
        return (self.settings.seed * 1_000_003 + iteration * 1_009 + 2 * number) % 2**63


def style_factor(normalization: StyleNormalization, features: Tensor) -> float:
    """What makes of mean((G - A)^2), G = F F^T / (H W), of features (B, C, H, W) the loss of the program of that name.

    gatys: sum((F F^T - ..)^2) / (4 C^2 (H W)^2) (Gatys 2016, eq. 4); mxnet: sum((F F^T - ..)^2) / (C^2 H W);
    udacity: mean((F F^T - ..)^2) / (C H W); pytorch, and neural-style: mean((F F^T - ..)^2) / (C H W)^2.
    """
    channels, positions = features.shape[1], features.shape[2] * features.shape[3]
    factors = {
        "none": 1.0,
        "gatys": 0.25,
        "mxnet": float(positions),
        "udacity": positions / channels,
        "pytorch": 1.0 / channels**2,
    }
    return factors[normalization]


@dataclass(frozen=True)
class _ContentError:
    target: Tensor

    def __call__(self, features: Tensor, seed: int) -> Tensor:
        return squared_error(features, self.target)

    def magnitude(self) -> Tensor:
        return squared_error(self.target, torch.zeros_like(self.target))


@dataclass(frozen=True)
class _StyleError:
    target: StyleTarget
    region: Tensor | None

    def __call__(self, features: Tensor, seed: int) -> Tensor:
        return self.target.distance(features, self.region, seed)

    def magnitude(self) -> Tensor:
        return self.target.magnitude()


def _shrunk(mask: Tensor | None, shape: Sequence[int]) -> Tensor | None:
    """A mask at a layer's size: each position takes the share of its own patch."""
    return None if mask is None else functional.adaptive_avg_pool2d(mask, (shape[0], shape[1]))


def _variation_gradient(image: Tensor, norm: Norm, reduction: Reduction) -> Tensor:
    leaf = image.detach().requires_grad_()
    with torch.enable_grad():
        (gradient,) = torch.autograd.grad(total_variation(leaf, norm, reduction).sum(), leaf)
    return gradient
