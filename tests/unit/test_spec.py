"""The language of the farm: what is taken, what is refused, and with which words."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.errors import FarmError, InvalidSpec
from shared.spec import FEATURES_SEEDS, SEEDS, WEBP_LONGEST_SIDE, JobSpec, load_spec, parse_spec
from shared.vgg import layer_names, smallest_side

PAIR = {"content": "a.jpg", "style": "b.jpg"}

JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=10), inner, max_size=4),
    max_leaves=8,
)


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({"style_weight": -3}, "style_weight = -3: must be greater than or equal to 0"),
        ({"stlye_weight": 3}, "unknown parameter 'stlye_weight': did you mean 'style_weight'?"),
        ({"iterations": 0}, "iterations = 0: must be greater than or equal to 1"),
        ({"iterations": 1.5}, "iterations = 1.5: must be a valid integer"),
        ({"iterations": True}, "iterations = True: must be a valid integer"),
        ({"size": "huge"}, "size = 'huge'"),
        ({"content_weight": float("nan")}, "content_weight = nan"),
        ({"content_weight": 0, "style_weight": 0}, "nothing is asked for"),
        ({"style_layers": ["relu9_1"]}, "no layer 'relu9_1': did you mean"),
        ({"style_layers": ["relu1_1", "relu1_1"]}, "named twice"),
        ({"style_layers": []}, "style_layers = []"),
        ({"features": "vgg16", "content_layers": ["relu4_4"]}, "VGG-16 has no layer 'relu4_4'"),
        ({"features": "random", "weights": "w.pth"}, "takes no weights"),
        ({"optimizer": "sgd"}, "optimizer = 'sgd': must be 'lbfgs' or 'adam'"),
        ({"method": "gattys"}, "method = 'gattys'"),
        ({"content": ""}, "content = ''"),
        ({"seed": 2**32}, "seed = 4294967296: must be less than 4294967296"),
        ({"features_seed": 2**24}, "features_seed = 16777216: must be less than 16777216"),
        ({"format": "webp", "size": 16384}, "format = webp holds at most 16,383 pixels a side, and size = 16384"),
    ],
)
def test_what_cannot_be_done_is_said_in_a_sentence(fields: dict[str, object], sentence: str) -> None:
    """Given a pair of pictures, if a parameter will not do, I expect a sentence that names it and its value."""
    with pytest.raises(InvalidSpec) as refused:
        parse_spec({**PAIR, **fields})
    assert sentence in str(refused.value)
    assert "\n" not in str(refused.value)


def test_all_that_is_wrong_is_said_at_once() -> None:
    """Given three mistakes, I expect one sentence that names all three."""
    with pytest.raises(InvalidSpec, match=r"style is missing.*iterations = 0.*'seeed'|'seeed'.*style is missing"):
        parse_spec({"content": "a.jpg", "iterations": 0, "seeed": 1})


def test_a_whole_number_is_a_weight_and_a_list_is_layers() -> None:
    """Given values as JSON and YAML write them, I expect them taken."""
    spec = parse_spec({**PAIR, "style_weight": 5, "style_layers": ["relu1_1", "conv2_1"]})
    assert spec.style_weight == 5.0
    assert spec.style_layers == ("relu1_1", "conv2_1")


def test_the_largest_seeds_and_sizes_are_taken() -> None:
    """Given the last seeds of the generator, and the largest size of each format, I expect them taken."""
    assert parse_spec({**PAIR, "seed": SEEDS - 1, "features_seed": FEATURES_SEEDS - 1}).seed == SEEDS - 1
    assert parse_spec({**PAIR, "format": "webp", "size": WEBP_LONGEST_SIDE}).size == WEBP_LONGEST_SIDE
    assert parse_spec({**PAIR, "format": "png", "size": 16384}).size == 16384


@given(st.dictionaries(st.sampled_from([*JobSpec.model_fields, "x"]) | st.text(max_size=8), JSON_VALUES, max_size=8))
def test_nothing_but_our_own_errors_comes_out(fields: dict[str, object]) -> None:
    """Given any fields at all, I expect a spec or an InvalidSpec of one line."""
    try:
        spec = parse_spec(fields)
    except FarmError as error:
        assert isinstance(error, InvalidSpec)
        assert str(error)
    else:
        assert parse_spec(spec.model_dump()) == spec


VALID = st.fixed_dictionaries(
    {"content": st.text(min_size=1), "style": st.text(min_size=1)},
    optional={
        "size": st.just("auto") | st.integers(16, 16384),
        "iterations": st.integers(1, 100_000),
        "style_weight": st.floats(0.001, 1e12),
        "tv_weight": st.floats(0, 1e12),
        "style_layers": st.lists(st.sampled_from(layer_names("vgg19")), min_size=1, unique=True),
        "init": st.sampled_from(["content", "noise", "blend"]),
        "seed": st.integers(0, SEEDS - 1),
    },
)


@given(VALID, VALID)
def test_the_key_is_the_content_of_the_spec(one: dict[str, object], other: dict[str, object]) -> None:
    """Given two specs, I expect equal keys exactly if they are equal, also after a way through JSON."""
    first, second = parse_spec(one), parse_spec(other)
    assert (first.key == second.key) == (first == second)
    assert load_spec(json.loads(json.dumps(first.model_dump(mode="json")))).key == first.key


def test_a_spec_of_another_release_says_so() -> None:
    """Given a stored spec with a field of the future, if it is loaded, I expect a sentence that says why it is not."""
    with pytest.raises(InvalidSpec, match="another release"):
        load_spec({**PAIR, "hue": 3})


def test_each_pooling_halves_the_picture() -> None:
    """Given the five blocks, I expect the smallest sides 1, 2, 4, 8 and 16."""
    assert [smallest_side(f"relu{block}_1") for block in range(1, 6)] == [1, 2, 4, 8, 16]
