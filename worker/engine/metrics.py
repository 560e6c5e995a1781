"""Metrics of a stylization against its content and its style, on features that nothing optimized.

None of these numbers has been validated against people's judgement; they compare methods, and rank nothing. Images are
(1, 3, H, W), float32 in [0, 1].
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
from stylefarm.worker.engine.networks.vgg_network import VggNetwork

STYLE_LAYERS = ("relu1_1", "relu2_1", "relu3_1", "relu4_1")
SIMILARITY_LAYER = "relu4_1"
# Far from the seeds that people count up from when they look for a network that stylizes well. One network is enough: a
# second ranked a hundred pictures alike (rank correlations of .92 to .97), and measuring takes a part of each job.
HELD_OUT_SEED = 7_000_001
# Directions of the sliced distance at a layer.
PROJECTIONS = 128


@dataclass(frozen=True)
class RenderMetrics:
    """Metrics of one image; distances are 0 for the same.

    Args:
        gram: Relative squared distance of Gram matrices to the style, on a held-out random network.
        sliced: Relative sliced Wasserstein distance to the style, on the same network.
        self_similarity: Root mean square difference, to the content, of the cosine similarities of all pairs of
            positions.
        ssim: Structural similarity of the luminance to the content, 1 for the same.
        clipped: Share of values outside [0, 1].

    Source:
        Kolkin 2019 (arXiv 1904.12785), eq. 5 (self-similarity); Wang 2004 (ssim).

    Example:
        >>> image = torch.rand(1, 3, 16, 16)
        >>> found = compute_metrics(image, content=image, style=image)
        >>> round(found.ssim, 6), found.clipped, found.gram < 1e-6
        (1.0, 0.0, True)
    """

    gram: float
    sliced: float
    self_similarity: float
    ssim: float
    clipped: float


@dataclass(frozen=True)
class ContentFeatures:
    """A content as it is compared with.

    Args:
        image: (1, 3, H, W).
        similarities: Its cosine similarities, (1, N, N).

    Example:
        >>> features = read_content(torch.rand(1, 3, 16, 16))
        >>> tuple(features.similarities.shape)  # of 2 x 2 positions at relu4_1
        (1, 4, 4)
    """

    image: Tensor
    similarities: Tensor


@dataclass(frozen=True)
class StyleFeatures:
    """A style as it is compared with, at each layer.

    Args:
        grams: Gram matrices, (1, C, C), by layer.
        projections: Sorted projections, (1, P, N).
        squares: Mean square of the features, the unit of the sliced distance.

    Example:
        >>> features = read_style(torch.rand(1, 3, 16, 24))
        >>> [tuple(features.grams[layer].shape) for layer in ("relu1_1", "relu4_1")]
        [(1, 64, 64), (1, 512, 512)]
    """

    grams: Mapping[str, Tensor]
    projections: Mapping[str, Tensor]
    squares: Mapping[str, Tensor]


@torch.no_grad()
def read_content(content: Tensor) -> ContentFeatures:
    """Return the features of a content.

    Args:
        content: (1, 3, H, W) in [0, 1], of the size of what is rendered.

    Example:
        >>> content = torch.rand(1, 3, 16, 16)
        >>> read_content(content).image is content
        True
    """
    return ContentFeatures(content, _similarities(_features(content)[SIMILARITY_LAYER]))


@torch.no_grad()
def read_style(style: Tensor) -> StyleFeatures:
    """Return the features of a style.

    Args:
        style: (1, 3, H, W) in [0, 1], of any size.

    Example:
        >>> sorted(read_style(torch.rand(1, 3, 16, 16)).squares) == list(STYLE_LAYERS)
        True
    """
    found = _features(style)
    return StyleFeatures(
        {layer: _gram(features) for layer, features in found.items()},
        {layer: _projections(features) for layer, features in found.items()},
        {layer: features.square().mean() for layer, features in found.items()},
    )


@torch.no_grad()
def compare(rendered: Tensor, content: ContentFeatures, style: StyleFeatures) -> RenderMetrics:
    """Return the metrics of an image; its content and its style are read once for all their stylizations.

    Args:
        rendered: (1, 3, H, W).
        content: What `read_content` returned.
        style: What `read_style` returned.

    Example:
        >>> content, style = torch.rand(1, 3, 16, 16), torch.rand(1, 3, 16, 16)
        >>> found = compare(content, read_content(content), read_style(style))
        >>> found.self_similarity < 1e-3 < found.gram  # the content itself is no stylization
        True
    """
    shown = rendered.clamp(0, 1)
    features = _features(shown)
    # Each is relative, or of directions alone: the scale of a layer of the network changes none of them.
    grams, sliced = [], []
    for layer, found in features.items():
        target = style.grams[layer]
        grams.append(mse_per_image(_gram(found), target) / target.square().mean())
        distance = sorted_distance(_projections(found), style.projections[layer])
        sliced.append(distance.mean() / style.squares[layer])
    similar = mse_per_image(_similarities(features[SIMILARITY_LAYER]), content.similarities).sqrt()
    return RenderMetrics(
        float(torch.stack(grams).mean()),
        float(torch.stack(sliced).mean()),
        float(similar),
        ssim(shown, content.image),
        clipped(rendered),
    )


def compute_metrics(rendered: Tensor, content: Tensor, style: Tensor) -> RenderMetrics:
    """Return the metrics of one image; the content is resized to its size.

    Args:
        rendered: (1, 3, H, W), at least 16 pixels a side.
        content: (1, 3, H', W') in [0, 1].
        style: (1, 3, H'', W'') in [0, 1].

    Example:
        >>> image = torch.rand(1, 3, 32, 32)
        >>> compute_metrics(image, content=image, style=image).clipped
        0.0
    """
    content = functional.interpolate(content, rendered.shape[2:], mode="bilinear", antialias=True)
    return compare(rendered, read_content(content), read_style(style))


def clipped(rendered: Tensor) -> float:
    """Return the share of values outside [0, 1].

    Args:
        rendered: An image of any shape.

    Example:
        >>> clipped(torch.tensor([0.5, 2.0, -1.0, 1.0]))
        0.5
    """
    return float(((rendered < 0) | (rendered > 1)).float().mean())


def ssim(a: Tensor, b: Tensor) -> float:
    """Return the mean structural similarity of the luminance of two images, (1, 3, H, W), at least 11 pixels a side.

    The window is Gaussian with a standard deviation of 1.5, 11 x 11.

    Args:
        a: (1, 3, H, W) in [0, 1].
        b: The same.

    Source:
        Wang, Bovik, Sheikh and Simoncelli 2004.

    Example:
        >>> image = torch.rand(1, 3, 16, 16)
        >>> round(ssim(image, image), 6)
        1.0
    """
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


def _features(image: Tensor) -> dict[str, Tensor]:
    found: dict[str, Tensor] = {}
    _held_out(image.device).forward_pass().forward(image, lambda layer, features, _: found.update({layer: features}))
    return {layer: found[layer] for layer in STYLE_LAYERS}


def _gram(features: Tensor) -> Tensor:
    vectors = features.flatten(2)
    return vectors @ vectors.transpose(1, 2) / vectors.shape[2]


def _projections(features: Tensor) -> Tensor:
    return sorted_projections(features.flatten(2), PROJECTIONS, HELD_OUT_SEED)


@lru_cache(maxsize=2)
def _held_out(device: torch.device) -> VggNetwork:
    vgg = Vgg("vgg19", STYLE_LAYERS)
    randomize(vgg, HELD_OUT_SEED)
    return VggNetwork(vgg.to(device))


def _similarities(features: Tensor) -> Tensor:
    """Return the cosine similarities of all pairs of positions of (1, C, H, W): (1, N, N)."""
    directions = functional.normalize(features.flatten(2) - features.flatten(2).mean(2, keepdim=True), dim=1)
    return directions.transpose(1, 2) @ directions
