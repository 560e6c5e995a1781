"""Which layers of SqueezeNet stand for those of VGG, where a preset names VGG's and the user asks for SqueezeNet."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from stylefarm.shared.spec.networks import network_layers

# By stride. SqueezeNet starts at stride 2; where two of its layers stand for one, they share its weight.
SQUEEZENET_ROLES: Mapping[int, tuple[str, ...]] = {
    1: ("relu1",),
    2: ("relu1",),
    4: ("fire2", "fire3"),
    8: ("fire4",),
    16: ("fire6", "fire8"),
}


def squeezenet_values(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return the parameters that name VGG's layers, with SqueezeNet's of the same strides in their place.

    A layer before its ReLU becomes one before its ReLU where SqueezeNet has it. The weights of style layers keep their
    sum.

    Args:
        values: May hold `content_layers`, `style_layers` and `style_layer_weights`, as a preset gives them.

    Returns:
        Those of the three that `values` holds, for SqueezeNet.

    Example:
        >>> squeezenet_values({"style_layers": ("relu3_1", "relu4_1"), "style_layer_weights": (1.0, 3.0)})
        {'style_layers': ('fire2', 'fire3', 'fire4'), 'style_layer_weights': (0.5, 0.5, 3.0)}
    """
    found: dict[str, Any] = {}
    content = values.get("content_layers", "auto")
    if content != "auto":
        # Of several candidates the first: deeper features of the content keep less of its forms.
        found["content_layers"] = tuple(dict.fromkeys(_stand_ins(layer)[0] for layer in content))
    if "style_layers" in values:
        weights = values.get("style_layer_weights", ())
        found["style_layers"], shared = _style(values["style_layers"], weights)
        if weights:
            found["style_layer_weights"] = shared
    return found


def _style(layers: Sequence[str], weights: Sequence[float]) -> tuple[tuple[str, ...], tuple[float, ...]]:
    shares: dict[str, float] = {}
    for layer, weight in zip(layers, weights or [1.0] * len(layers), strict=True):
        names = _stand_ins(layer)
        for name in names:
            shares[name] = shares.get(name, 0.0) + weight / len(names)
    return tuple(shares), tuple(shares.values())


def _stand_ins(layer: str) -> tuple[str, ...]:
    names = SQUEEZENET_ROLES[network_layers("vgg19")[layer].stride]
    return tuple(name.replace("relu", "conv") if layer.startswith("conv") else name for name in names)
