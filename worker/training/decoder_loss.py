"""What decoders learn: of adain the target's features and the style's statistics, of wct to give a picture back."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from stylefarm.shared.spec.training import TrainingSpec
from stylefarm.worker.engine.feedforward.chain import Chain
from stylefarm.worker.engine.feedforward.transforms import EPSILON, adain, measure

# Errors are never divided by less.
MIN_SQUARE = 1e-8


class AdainLoss:
    """|f(g(t)) - t|^2 and, at the end of each level, the squared differences of means and deviations to the style's.

    Args:
        spec: The weights and the normalization.
        encoder: f, not folded.
        ends: The layers whose statistics count.

    Source:
        Huang and Belongie 2017, eqs. 12 and 13, with the mean over channels, as naoto0804/pytorch-AdaIN has it.
        Departure of normalization = relative: each error is divided by the mean square of the features it is measured
        from, and the sum over layers by their number, so that the weights hold for any encoder.
    """

    names = ("total", "content", "style")

    def __init__(self, spec: TrainingSpec, encoder: Chain, ends: Sequence[int]) -> None:
        self.spec, self.encoder, self.ends = spec, encoder, tuple(ends)
        self.last = len(encoder.layers) - 1

    def __call__(self, decoder: Chain, contents: Tensor, styles: Tensor) -> Tensor:
        """Return the losses (3,), of which the first has a gradient.

        Args:
            decoder: g.
            contents: (B, 3, H, W) in [0, 1].
            styles: (B, 3, H, W) in [0, 1].
        """
        places = sorted({*self.ends, self.last})
        with torch.no_grad():
            of_style = dict(zip(places, self.encoder.forward_at(styles, places), strict=True))
            features = self.encoder.forward(contents)
            moments = [measure(x.flatten(2), None, full=False) for x in (features, of_style[self.last])]
            target = adain(*moments)(features.flatten(2)).view(features.shape)
        found = dict(zip(places, self.encoder.forward_at(decoder.forward(target), places), strict=True))
        relative = self.spec.normalization == "relative"
        content = _error(found[self.last], target, target if relative else None)
        style = torch.stack(
            [
                _error(mine, wanted, of_style[place] if relative else None)
                for place in self.ends
                for mine, wanted in zip(_moments(found[place]), _moments(of_style[place]), strict=True)
            ]
        ).sum()
        style = style / len(self.ends) if relative else style
        return _weighted(content * self.spec.content_weight, style * self.spec.style_weight)


class WctLoss:
    """|g(f(x)) - x|^2 and |f(g(f(x))) - f(x)|^2.

    Args:
        spec: content_weight is of the pixels, style_weight of the features; and the normalization.
        encoder: f.

    Source:
        Li et al. 2017, eq. 1. Departure of normalization = relative: each error is divided by the mean square of what
        it is measured from.
    """

    names = ("total", "pixels", "features")

    def __init__(self, spec: TrainingSpec, encoder: Chain) -> None:
        self.spec, self.encoder = spec, encoder

    def __call__(self, decoder: Chain, pictures: Tensor) -> Tensor:
        """Return the losses (3,), of which the first has a gradient.

        Args:
            decoder: g.
            pictures: (B, 3, H, W) in [0, 1].
        """
        with torch.no_grad():
            features = self.encoder.forward(pictures)
        decoded = decoder.forward(features)
        relative = self.spec.normalization == "relative"
        pixels = _error(decoded, pictures, pictures if relative else None)
        again = _error(self.encoder.forward(decoded), features, features if relative else None)
        return _weighted(pixels * self.spec.content_weight, again * self.spec.style_weight)


def _error(found: Tensor, wanted: Tensor, unit: Tensor | None) -> Tensor:
    error = (found - wanted).square().mean()
    return error if unit is None else error / unit.square().mean().clamp_min(MIN_SQUARE)


def _moments(features: Tensor) -> tuple[Tensor, Tensor]:
    """Return mean and deviation of each channel, (B, C)."""
    variance, mean = torch.var_mean(features, (2, 3), correction=0)
    return mean, (variance + EPSILON).sqrt()


def _weighted(*parts: Tensor) -> Tensor:
    return torch.stack([torch.stack(parts).sum(), *(part.detach() for part in parts)])
