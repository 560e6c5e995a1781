"""How a painting stands to its content and its style, on features that nothing optimised.

None of these numbers has been validated against people's judgement; they compare methods, and rank nothing. Pictures
are (1, 3, H, W), float32 in [0, 1].
"""

from __future__ import annotations

from copy import deepcopy
from dataclasses import dataclass
from functools import lru_cache

import torch
from torch import Tensor
from torch.nn import functional

from worker.engine.colour import luminance
from worker.engine.features import Vgg, calibrate, randomise
from worker.engine.losses import squared_error
from worker.engine.style import Source, style_target

STYLE_LAYERS = ("relu1_1", "relu2_1", "relu3_1", "relu4_1")
SIMILARITY_LAYER = "relu4_1"
# Far from the seeds that people count up from when they look for a network that paints well.
HELD_OUT_SEEDS = (7_000_001, 7_000_002)


@dataclass(frozen=True)
class Metrics:
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


@torch.no_grad()
def measure(painted: Tensor, content: Tensor, style: Tensor) -> Metrics:
    """The metrics of a painting; the content is brought to its size."""
    content = functional.interpolate(content, painted.shape[2:], mode="bilinear", antialias=True)
    shown = painted.clamp(0, 1)
    gram, sliced, similarity = torch.tensor([_on(seed, shown, content, style) for seed in HELD_OUT_SEEDS]).mean(0)
    return Metrics(float(gram), float(sliced), float(similarity), ssim(shown, content), clipped(painted))


def clipped(painted: Tensor) -> float:
    """The share of values outside [0, 1] of a picture of any shape."""
    return float(((painted < 0) | (painted > 1)).float().mean())


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


def _on(seed: int, painted: Tensor, content: Tensor, style: Tensor) -> tuple[float, float, float]:
    """Gram and sliced distance to the style, and self-similarity to the content, on one random network."""
    vgg = deepcopy(_held_out(seed)).to(painted.device)
    calibrate(vgg, [content, style])
    of_painted, of_content, of_style = vgg(painted), vgg(content), vgg(style)
    distances = []
    for name in ("gram", "sliced"):
        targets = {layer: style_target(name, [Source(of_style[layer])]) for layer in STYLE_LAYERS}
        relative = [targets[x].distance(of_painted[x], None, seed) / targets[x].magnitude() for x in STYLE_LAYERS]
        distances.append(float(torch.stack(relative).mean()))
    similar = squared_error(_similarities(of_painted[SIMILARITY_LAYER]), _similarities(of_content[SIMILARITY_LAYER]))
    return distances[0], distances[1], float(similar.sqrt())


@lru_cache(maxsize=len(HELD_OUT_SEEDS))
def _held_out(seed: int) -> Vgg:
    vgg = Vgg("vgg19", STYLE_LAYERS)
    randomise(vgg, seed)
    return vgg


def _similarities(features: Tensor) -> Tensor:
    """The cosine similarities of all pairs of positions of (1, C, H, W): (1, N, N)."""
    directions = functional.normalize(features.flatten(2) - features.flatten(2).mean(2, keepdim=True), dim=1)
    return directions.transpose(1, 2) @ directions
