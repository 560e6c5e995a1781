"""The reference of the parameters says what the spec says."""

from __future__ import annotations

import pytest

from stylefarm.shared.spec.canonical import DEFAULTS, without_effect
from stylefarm.shared.spec.presets import PRESETS
from stylefarm.shared.spec.reference import EFFECTS, reference
from stylefarm.shared.spec.spec import JobSpec, parse_spec

BY_NAME = {entry.name: entry for entry in reference()}

# Specs in which, between them, each parameter that can be without effect is.
IDLE = (
    {"optimizer": "adam", "pooling": "max"},
    {"optimizer": "sgd", "learning_rate": 1.0, "features": "squeezenet"},
    {"style_weight": 0.0, "content_weight": 1.0},
    {"content_weight": 0.0, "tv_weight": 0.0, "features": "random"},
    {"features": "vgg19", "weights": "vgg"},
)
# These are checked before the canonical form: given where they have no effect, they are refused, or not read.
ELSEWHERE = {"init_image", "first_iterations"}


def test_every_parameter_is_explained() -> None:
    """Given the spec, I expect each parameter once, in a group, with its default, values in words, and presets."""
    assert BY_NAME.keys() == JobSpec.model_fields.keys()
    assert len(reference()) == len(BY_NAME)
    for name, entry in BY_NAME.items():
        assert entry.description
        assert entry.values
        assert entry.group
        assert entry.presets.keys() >= {preset for preset, values in PRESETS.items() if name in values}
        if name not in ("content", "style"):
            default = DEFAULTS[name]
            assert entry.default == (list(default) if isinstance(default, tuple) else default)


def test_effects_are_those_of_the_canonical_form() -> None:
    """Given specs in which parameters are idle, I expect a condition for each of them, and for no others."""
    pictures = {"content": "a", "style": "b", "size": 64}
    idle = {name for fields in IDLE for name in without_effect(parse_spec({**pictures, **fields}))}
    assert idle | ELSEWHERE == EFFECTS.keys()


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("seed", "whole number, 0 to 4294967295"),
        ("tv_weight", "number, 0 to 1e12"),
        ("beta2", "number, 0 or more, below 1"),
        ("size", "whole number, 16 to 16384 | auto"),
        ("min_size", "whole number, 16 to 16384 | none"),
        ("quality", "draft | normal | fine | whole number, 1 to 100"),
        ("noise_range", "list of number, -1e6 to 1e6"),
        ("clamp", "true | false"),
        ("style_loss", "names with weights"),
    ],
)
def test_values_are_told_in_words(name: str, values: str) -> None:
    """Given a parameter, I expect the values that it takes as a person would say them."""
    assert BY_NAME[name].values == values
