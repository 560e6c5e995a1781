"""The spec of a training: its presets, and what it refuses."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from stylefarm.shared.spec.models import TRAINABLE
from stylefarm.shared.spec.training import TrainingSpec
from stylefarm.shared.spec.training_presets import TRAINING_PRESETS

STYLES: dict[str, dict[str, Any]] = {
    "johnson": {"style": ["a.png"]},
    "ulyanov": {"style": ["a.png"]},
    "cin": {"style": ["a.png", "b.png"]},
    "adain": {"style_set": "paintings"},
    "wct": {"style_set": "paintings"},
    "cyclegan": {"style_set": "paintings"},
}


def spec(method: str, **fields: Any) -> TrainingSpec:
    return TrainingSpec.model_validate({"method": method, "name": "a", **STYLES[method], **fields})


@pytest.mark.parametrize("method", TRAINABLE)
@pytest.mark.parametrize("preset", ["best", "as-published"])
def test_a_preset_stands_in_for_what_is_not_given(method: str, preset: str) -> None:
    """Given a preset of a method, if a spec names it, I expect its values, and a value that is given in their place."""
    values = TRAINING_PRESETS[method][preset]  # type: ignore[index]
    found = spec(method, preset=preset)
    for name, value in values.items():
        assert getattr(found, name) == value, name
    assert spec(method, preset=preset, iterations=7).iterations == 7
    assert TrainingSpec.model_validate_json(found.model_dump_json()) == found
    assert found.loss_terms[0] == "total"


def test_johnson_and_ulyanov_differ_in_their_normalization() -> None:
    """Given the two methods of one style, if they are trained, I expect batch and instance normalization."""
    assert [spec(method).norm for method in ("johnson", "ulyanov")] == ["batch", "instance"]


def test_published_layers_have_stand_ins_on_squeezenet() -> None:
    """Given published layers of VGG, if SqueezeNet is asked for, I expect its layers of the same strides."""
    found = spec("johnson", preset="as-published", features="squeezenet")
    assert found.content_layers == ("fire2",)
    assert found.style_layers == ("relu1", "fire2", "fire3", "fire4")


@pytest.mark.parametrize(
    ("method", "fields", "sentence"),
    [
        ("johnson", {"style": []}, "johnson learns one style, and none are given"),
        ("ulyanov", {"style": ["a.png", "b.png"]}, "ulyanov learns one style, and 2 are given"),
        ("cin", {"style": []}, "style is missing"),
        ("cin", {"style_weights": [1.0]}, "1 weight for 2 styles"),
        ("cin", {"style_set": "paintings"}, "cin learns no set of styles"),
        ("cin", {"norm": "batch"}, "norm = batch is for johnson and ulyanov"),
        ("johnson", {"adjustable": True}, "adjustable is for cin"),
        ("johnson", {"content_weight": 0.0, "style_weight": 0.0}, "both 0"),
        ("johnson", {"learning_rate_decay": 0.5}, "never acts: give learning_rate_steps"),
        ("johnson", {"image_size": 130}, "image_size = 130 is no multiple of 4"),
        ("johnson", {"features": "squeezenet", "style_layers": ["relu1_1"]}, "SqueezeNet has no layer 'relu1_1'"),
        ("johnson", {"content_layers": ["fire44"]}, "no layer 'fire44'"),
        ("johnson", {"preset": "bset"}, "preset must be one of best, as-published"),
        ("johnson", {"content_scales": [0.5]}, "content_scales"),
        ("adain", {"style_set": None}, "adain learns from many styles"),
        ("adain", {"pooling": "blur"}, "pooling = blur is for losses"),
        ("wct", {"base": "b"}, "base is for johnson, ulyanov, cin"),
        ("cyclegan", {"style_set": None}, "cyclegan translates between two sets"),
        ("cyclegan", {"style": ["a.png"]}, "cyclegan translates between two sets"),
        ("cyclegan", {"content_set": "paintings"}, "content_set and style_set are one set"),
        ("cyclegan", {"cycle_weight": 0.0}, "identity_weight is a share of cycle_weight"),
    ],
)
def test_what_contradicts_itself_is_refused(method: str, fields: dict[str, Any], sentence: str) -> None:
    """Given parameters that do not go together, if a spec is made, I expect one clear sentence."""
    with pytest.raises(ValidationError, match=sentence):
        spec(method, **fields)
