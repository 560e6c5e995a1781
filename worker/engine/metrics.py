"""How a painting stands to its content and its style, on features that nothing optimized.

None of these numbers has been validated against people's judgement; they compare methods, and rank nothing. Pictures
are (1, 3, H, W), float32 in [0, 1].
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

import torch
from torch import Tensor
from torch.nn import functional

from stylefarm.worker.engine.color import luminance
from stylefarm.worker.engine.losses.content import mse_per_image
from stylefarm.worker.engine.losses.sample_losses import sorted_distance, sorted_projections
from stylefarm.worker.engine.networks.vgg import Vgg, randomize

STYLE_LAYERS = ("relu1_1", "relu2_1", "relu3_1", "relu4_1")
SIMILARITY_LAYER = "relu4_1"
# Far from the seeds that people count up from when they look for a network that paints well.
HELD_OUT_SEEDS = (7_000_001, 7_000_002)
# Directions of the sliced distance at a layer.
PROJECTIONS = 128


@dataclass(frozen=True)
class RenderMetrics:
    """Distances, 0 for the same, and shares.

    `gram` and `sliced` are to the style, relative, over held-out random networks. `self_similarity` is the root mean
    square difference of the cosine similarities within each picture, to the content (after Kolkin 2019, arXiv
    1904.12785, eq. 5). `ssim` is the structural similarity of brightness to the content (Wang 2004), 1 for the same.
    `clipped` is the share of values outside [0, 1].
    """

    gram: float
    sliced: float
    self_similarity: float
    ssim: float
    clipped: float


@dataclass(frozen=True)
class ContentFeatures:
    """What a painting's content is compared by: itself, and its self-similarities on each network."""

    image: Tensor
    similarities: Mapping[int, Tensor]


@dataclass(frozen=True)
class StyleFeatures:
    """What a painting's style is compared by, on each network and layer: its Gram matrix, its sorted projections."""

    grams: Mapping[tuple[int, str], Tensor]
    projections: Mapping[tuple[int, str], Tensor]
    squares: Mapping[tuple[int, str], Tensor]
    """The mean square of its features, which is the unit of the sliced distance."""


@torch.no_grad()
def read_content(content: Tensor) -> ContentFeatures:
    """Reads the content, which has the size of what is painted."""
    similarities = {seed: _similarities(_features(seed, content)[SIMILARITY_LAYER]) for seed in HELD_OUT_SEEDS}
    return ContentFeatures(content, similarities)


@torch.no_grad()
def read_style(style: Tensor) -> StyleFeatures:
    """Reads a style of any size."""
    grams, projections, squares = {}, {}, {}
    for seed in HELD_OUT_SEEDS:
        for layer, features in _features(seed, style).items():
            place = seed, layer
            grams[place], projections[place] = _gram(features), _projections(features, seed)
            squares[place] = features.square().mean()
    return StyleFeatures(grams, projections, squares)


@torch.no_grad()
def compare(rendered: Tensor, content: ContentFeatures, style: StyleFeatures) -> RenderMetrics:
    """The metrics of a painting. Its content and its style need be read but once for all their paintings."""
    shown = rendered.clamp(0, 1)
    gram, sliced, similarity = torch.tensor([_on(seed, shown, content, style) for seed in HELD_OUT_SEEDS]).mean(0)
    return RenderMetrics(float(gram), float(sliced), float(similarity), ssim(shown, content.image), clipped(rendered))


def compute_metrics(rendered: Tensor, content: Tensor, style: Tensor) -> RenderMetrics:
    """The metrics of one painting; the content is brought to its size."""
    content = functional.interpolate(content, rendered.shape[2:], mode="bilinear", antialias=True)
    return compare(rendered, read_content(content), read_style(style))


def clipped(rendered: Tensor) -> float:
    """The share of values outside [0, 1] of a picture of any shape."""
    return float(((rendered < 0) | (rendered > 1)).float().mean())


def ssim(a: Tensor, b: Tensor) -> float:
    """The mean structural similarity of two pictures' brightness: Gaussian window of deviation 1.5, 11 x 11."""
    line = torch.exp(-torch.arange(-5.0, 6.0).square() / (2 * 1.5**2))
    window = (line[:, None] * line / line.sum() ** 2)[None, None].to(a)
    x, y = luminance(a), luminance(b)

    def blurred(values: Tensor) -> Tensor:
        return functional.conv2d(values, window)

    mean_x, mean_y = blurred(x), blurred(y)
    variances = blurred(x * x) - mean_x**2 + blurred(y * y) - mean_y**2
    covariance = blurred(x * y) - mean_x * mean_y
    c1, c2 = 0.01**2, 0.03**2
    both = (2 * mean_x * mean_y + c1) * (2 * covariance + c2)
    return float((both / ((mean_x**2 + mean_y**2 + c1) * (variances + c2))).mean())


def _on(seed: int, rendered: Tensor, content: ContentFeatures, style: StyleFeatures) -> tuple[float, float, float]:
    """Gram and sliced distance to the style, and self-similarity to the content, on one random network.

    Each is relative, or of directions alone: the scale of a layer of the network changes none of them.
    """
    features = _features(seed, rendered)
    grams, sliced = [], []
    for layer, found in features.items():
        target = style.grams[seed, layer]
        grams.append(mse_per_image(_gram(found), target) / target.square().mean())
        distance = sorted_distance(_projections(found, seed), style.projections[seed, layer])
        sliced.append(distance.mean() / style.squares[seed, layer])
    similar = mse_per_image(_similarities(features[SIMILARITY_LAYER]), content.similarities[seed])
    return float(torch.stack(grams).mean()), float(torch.stack(sliced).mean()), float(similar.sqrt())


def _features(seed: int, image: Tensor) -> dict[str, Tensor]:
    features: dict[str, Tensor] = _held_out(seed, image.device)(image)
    return features


def _gram(features: Tensor) -> Tensor:
    vectors = features.flatten(2)
    return vectors @ vectors.transpose(1, 2) / vectors.shape[2]


def _projections(features: Tensor, seed: int) -> Tensor:
    return sorted_projections(features.flatten(2), PROJECTIONS, seed)


@lru_cache(maxsize=2 * len(HELD_OUT_SEEDS))
def _held_out(seed: int, device: torch.device) -> Vgg:
    vgg = Vgg("vgg19", STYLE_LAYERS)
    randomize(vgg, seed)
    return vgg.to(device)


def _similarities(features: Tensor) -> Tensor:
    """The cosine similarities of all pairs of positions of (1, C, H, W): (1, N, N)."""
    directions = functional.normalize(features.flatten(2) - features.flatten(2).mean(2, keepdim=True), dim=1)
    return directions.transpose(1, 2) @ directions
