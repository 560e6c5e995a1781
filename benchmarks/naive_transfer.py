"""AdaIN and WCT as their reference programs compute them, layer by layer, with the weights of a model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from stylefarm.worker.engine.feedforward.model import Model


@torch.no_grad()
def naive_transfer(model: Model, content: Tensor, style: Tensor, strength: float) -> Tensor:
    """Return the picture, for a content whose sides are multiples of the model's stride.

    Args:
        model: Of adain (naoto0804/pytorch-AdaIN) or wct (eridgd/WCT-TF, and its ports).
        content: (1, 3, H, W) in [0, 1].
        style: (1, 3, H, W) in [0, 1].
        strength: How much of the style the result gets.
    """
    blend = _adain if model.method == "adain" else _wct
    for number, level in enumerate(model.architecture["levels"]):
        content = content.clamp(0, 1) if number else content
        f, g = (_run(model, level["encoder"], image) for image in (content, style))
        content = _run(model, level["decoder"], strength * blend(f, g) + (1 - strength) * f)
    return content


def _run(model: Model, layers: Sequence[Mapping[str, Any]], x: Tensor) -> Tensor:
    for layer in layers:
        if layer["kind"] == "pool":
            x = functional.max_pool2d(x, 2, 2, ceil_mode=True)
        elif layer["kind"] == "up":
            x = functional.interpolate(x, scale_factor=2, mode="nearest")
        else:
            weight, bias = (model.tensors[f"{layer['name']}.{part}"] for part in ("weight", "bias"))
            margin = weight.shape[2] // 2
            x = functional.conv2d(functional.pad(x, (margin,) * 4, mode="reflect"), weight, bias)
            x = functional.relu(x) if layer.get("relu", True) else x
    return x


def _adain(f: Tensor, g: Tensor) -> Tensor:
    moments = [(x.flatten(2).mean(2), (x.flatten(2).var(2) + 1e-5).sqrt()) for x in (f, g)]
    (mean, deviation), (wanted_mean, wanted) = ([part[:, :, None, None] for part in each] for each in moments)
    return (f - mean) / deviation * wanted + wanted_mean


def _wct(f: Tensor, g: Tensor) -> Tensor:
    vectors, means = [], []
    for x in (f, g):
        flat = x[0].flatten(1)
        means.append(flat.mean(1, keepdim=True))
        vectors.append(flat - means[-1])
    left, values, _ = torch.linalg.svd(vectors[0] @ vectors[0].T / (vectors[0].shape[1] - 1))
    kept = values > 1e-5
    white = left[:, kept] @ torch.diag(values[kept].rsqrt()) @ left[:, kept].T @ vectors[0]
    left, values, _ = torch.linalg.svd(vectors[1] @ vectors[1].T / (vectors[1].shape[1] - 1))
    kept = values > 1e-5
    colored = left[:, kept] @ torch.diag(values[kept].sqrt()) @ left[:, kept].T @ white
    found: Tensor = (colored + means[1]).view(f.shape)
    return found
