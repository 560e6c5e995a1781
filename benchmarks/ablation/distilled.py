"""VGG-19 distilled to a sixteenth, as a network to measure with; the files of its weights are not part of the project.

Source:
    Wang, Li, Vickers, Yuan and Yang 2020, "Collaborative Distillation for Ultra-Resolution Universal Style Transfer";
    `encoder5.pth` of the authors' own files.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from pathlib import Path

import torch
from torch import Tensor
from torch.nn import functional

from stylefarm.worker.engine.losses.content import mse_per_image

# Each convolution up to relu4_1, by its name in the file, and whether it is max-pooled.
CONVOLUTIONS = {
    "conv11": False,
    "conv12": True,
    "conv21": False,
    "conv22": True,
    "conv31": False,
    "conv32": False,
    "conv33": False,
    "conv34": True,
    "conv41": False,
}
MEASURED = ("conv11", "conv21", "conv31", "conv41")
# Positions are compared on a grid of this stride: at every pixel there would be too many pairs.
STRIDE = 8


@torch.no_grad()
def distilled_distances(folder: Path, image: Tensor, content: Tensor, style: Tensor) -> dict[str, float]:
    """Distances of an image on relu1_1, relu2_1, relu3_1 and relu4_1, each the mean over the layers.

    Args:
        folder: Holds `encoder5.pth`.
        image: (1, 3, H, W) in [0, 1].
        content: The same size.
        style: (1, 3, H', W') in [0, 1].

    Returns:
        `vgg_gram`: the relative squared distance of Gram matrices to the style. `vgg_self_similarity`: the root mean
        square difference, to the content, of the cosine similarities of all pairs of positions.
    """
    own, of_content, of_style = (_features(folder, picture.clamp(0, 1).cpu()) for picture in (image, content, style))
    grams, similarities = [], []
    for layer in MEASURED:
        target = _gram(of_style[layer])
        grams.append(mse_per_image(_gram(own[layer]), target) / target.square().mean())
        grid = content.shape[2] // STRIDE, content.shape[3] // STRIDE
        found, wanted = (_similarities(features[layer], grid) for features in (own, of_content))
        similarities.append(mse_per_image(found, wanted).sqrt())
    return {
        "vgg_gram": float(torch.stack(grams).mean()),
        "vgg_self_similarity": float(torch.stack(similarities).mean()),
    }


def _features(folder: Path, x: Tensor) -> Mapping[str, Tensor]:
    state, found = _state(folder), {}
    x = functional.conv2d(x, state["conv0.weight"], state["conv0.bias"])
    for name, pooled in CONVOLUTIONS.items():
        x = functional.pad(x, (1, 1, 1, 1), "reflect")
        x = functional.conv2d(x, state[f"{name}.weight"], state[f"{name}.bias"]).relu()
        found[name] = x
        if pooled:
            x = functional.max_pool2d(x, 2)
    return found


@cache
def _state(folder: Path) -> Mapping[str, Tensor]:
    state: Mapping[str, Tensor] = torch.load(folder / "encoder5.pth", map_location="cpu", weights_only=True)["model"]
    return state


def _gram(features: Tensor) -> Tensor:
    vectors = features.flatten(2)
    return vectors @ vectors.transpose(1, 2) / vectors.shape[2]


def _similarities(features: Tensor, grid: tuple[int, int]) -> Tensor:
    """Cosine similarities (1, N, N) of the features around their mean, at the N positions of a grid."""
    vectors = functional.adaptive_avg_pool2d(features, grid).flatten(2)
    directions = functional.normalize(vectors - vectors.mean(2, keepdim=True), dim=1)
    return directions.transpose(1, 2) @ directions
