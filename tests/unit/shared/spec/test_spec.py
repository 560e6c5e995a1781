"""The language of the farm: what is taken, what is refused, and with which words."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stylefarm.shared.errors import FarmError, InvalidSpec
from stylefarm.shared.spec.consistency import LONGEST_SIDES
from stylefarm.shared.spec.networks import layer_names, smallest_side
from stylefarm.shared.spec.presets import PRESETS, SQUEEZENET_PRESETS
from stylefarm.shared.spec.spec import ADDED, FEATURES_SEEDS, SEEDS, JobSpec, load_spec, parse_spec

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
        ({"features": "squeezenet", "content_layers": ["relu4_2"]}, "SqueezeNet has no layer 'relu4_2'"),
        ({"features": "squeezenet", "style_layers": ["fire1"]}, "no layer 'fire1': did you mean 'fire"),
        ({"style_layers": ["fire2"]}, "VGG-19 has no layer 'fire2': ask for features = squeezenet"),
        ({"features": "vgg19", "first_layer": "dense"}, "first_layer = dense is for SqueezeNet"),
        ({"features": "random", "weights": "w.pth"}, "takes no weights"),
        ({"optimizer": "sdg"}, "optimizer = 'sdg': must be 'lbfgs', 'adam' or 'sgd'"),
        ({"optimizer": "sgd"}, "sgd has no step length that suits every loss: give learning_rate"),
        ({"preset": "gaty"}, "no preset 'gaty': did you mean 'gatys'?"),
        ({"preset": ["gatys"]}, "no preset"),
        ({"preset": "pytorch", "style_loss": "sliced"}, "style_normalization = pytorch of the preset pytorch"),
        (
            {"preset": "gatys", "style_layers": ["relu1_1"]},
            "style_layer_weights (perhaps those of the preset gatys) has 5 weights",
        ),
        ({"preset": "multiscale", "min_size": None}, "first_iterations are those of the coarsest scale"),
        (
            {"style": ["b.jpg", "c.jpg"], "style_weights": [1]},
            "style_weights has 1 weight for 2 styles: give one for each",
        ),
        ({"style": ["b.jpg", "c.jpg"], "style_weights": [0, 0]}, "the style_weights have the sum 0"),
        ({"style_layer_weights": [0, 0, 0, 0, 0]}, "the style_layer_weights are all 0"),
        ({"content_masks": ["m.png", "n.png"]}, "content_masks has 2 masks for 1 style: name a style"),
        ({"style": ["b.jpg", "c.jpg"], "style_masks": ["m.png"]}, "style_masks has 1 mask for 2 styles: give one"),
        ({"style_loss": "gramm"}, "no style loss 'gramm': did you mean 'gram'?"),
        ({"style_loss": "gram=x"}, "as in gram=1,sliced=0.5"),
        ({"style_loss": {"gram": 0}}, "no style loss counts"),
        ({"style": []}, "style is missing: name a picture, or give style_weight = 0"),
        ({"init": "image"}, "init = image and init_image belong together"),
        ({"noise_range": [1, 0]}, "its first number must be less than its second"),
        ({"noise_range": [1]}, "noise_range"),
        ({"bits": 16, "format": "jpeg"}, "format = jpeg holds 8 bits a channel"),
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
    with pytest.raises(InvalidSpec, match=r"content is missing.*iterations = 0.*'seeed'"):
        parse_spec({"style": "a.jpg", "iterations": 0, "seeed": 1})


def test_a_whole_number_is_a_weight_and_a_list_is_layers() -> None:
    """Given values as JSON and YAML write them, I expect them taken."""
    spec = parse_spec({**PAIR, "style_weight": 5, "style_layers": ["relu1_1", "conv2_1"]})
    assert spec.style_weight == 5.0
    assert spec.style_layers == ("relu1_1", "conv2_1")


def test_the_largest_seeds_and_sizes_are_taken() -> None:
    """Given the last seeds of the generator, and the largest size of each format, I expect them taken."""
    assert parse_spec({**PAIR, "seed": SEEDS - 1, "features_seed": FEATURES_SEEDS - 1}).seed == SEEDS - 1
    assert parse_spec({**PAIR, "format": "webp", "size": LONGEST_SIDES["webp"]}).size == LONGEST_SIDES["webp"]
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
        "preset": st.sampled_from(["auto", "tensorflow", "reconstruct-style"]),
        "style_loss": st.sampled_from(["gram", "gram=2", {"gram": 1.0}]),
        "color": st.sampled_from(["style", "luminance", "match"]),
        "size": st.just("auto") | st.integers(16, 16384),
        "iterations": st.integers(1, 100_000),
        "style_weight": st.floats(0.001, 1e12),
        "tv_weight": st.floats(0, 1e12),
        "style_layers": st.lists(st.sampled_from(layer_names("vgg19")), min_size=5, max_size=5, unique=True),
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


def test_keys_follow_from_the_fields_and_the_engine_alone() -> None:
    """Given a spec, I expect the key that this version of the engine has always given it, by which it is found."""
    spec = JobSpec(content="sha256:" + "a" * 64, style=("sha256:" + "b" * 64,), size=64, learning_rate=1.0, seed=3)
    assert spec.key == "b88e27ee23edd87f382b11f561462371e0022058fdd4a5f46708c2b1d19d8986"
    assert not {"kind", *ADDED} & json.loads(spec.document()).keys()
    for changes in ({"alpha": "keep"}, {"color": "gray"}):
        other = spec.model_copy(update=changes)
        assert other.key != spec.key
        assert load_spec(json.loads(other.document())) == other


def test_a_dense_first_layer_is_part_of_the_key() -> None:
    """Given SqueezeNet with either first layer, I expect two keys, and the default left out of the document."""
    fields = {"content": "a.png", "style": "s.png", "features": "squeezenet"}
    strided, dense = (parse_spec({**fields, "first_layer": first}) for first in ("strided", "dense"))
    assert strided.key != dense.key
    assert "first_layer" not in json.loads(strided.document())
    assert load_spec(json.loads(dense.document())).first_layer == "dense"


@pytest.mark.parametrize("name", [name for name in PRESETS if name not in SQUEEZENET_PRESETS])
def test_presets_mean_squeezenet_s_layers_where_it_is_asked_for(name: str) -> None:
    """Given a preset, if SqueezeNet is asked for, I expect its layers for VGG's, the weights with the same sum."""
    fields = {"content": "a.png", "style": "s.png", "preset": name}
    vgg, spec = parse_spec(fields), parse_spec({**fields, "features": "squeezenet"})
    assert set(spec.layers) <= set(layer_names("squeezenet"))
    assert sum(spec.style_layer_weights) == pytest.approx(sum(vgg.style_layer_weights))
    assert (vgg.content_layers == "auto") == (spec.content_layers == "auto")
    assert parse_spec(spec.model_dump()) == spec


@pytest.mark.parametrize("name", SQUEEZENET_PRESETS)
def test_the_farm_s_own_presets_follow_the_network(name: str) -> None:
    """Given a preset of the farm, if SqueezeNet is asked for, I expect its values, but for those that are given."""
    fields = {"content": "a.png", "style": "s.png", "preset": name}
    plain, spec = parse_spec(fields), parse_spec({**fields, "features": "squeezenet", "pooling": "max", "size": 300})
    expected = {**SQUEEZENET_PRESETS[name], "pooling": "max"}
    assert {key: getattr(spec, key) for key in expected} == expected
    assert (plain.pooling, plain.color) == ("average", "style")
    assert spec.model_fields_set == {*fields, "features", "pooling", "size"}


def test_a_quality_is_a_preset_by_name_or_a_file_s() -> None:
    """Given a quality as a name, I expect its preset, as a number that of the file, and otherwise a sentence."""
    fields = {"content": "a.png", "style": "s.png"}
    named = [parse_spec({**fields, "quality": quality}) for quality in ("draft", "normal", "fine")]
    assert [(spec.preset, spec.quality) for spec in named] == [("draft", 95), ("auto", 95), ("fine", 95)]
    assert parse_spec({**fields, "quality": 80}).quality == 80
    assert parse_spec({**fields, "quality": "fine", "preset": "fine"}) == named[2]
    with pytest.raises(InvalidSpec, match="no quality 'best': must be draft, normal or fine, or 1 to 100"):
        parse_spec({**fields, "quality": "best"})
    with pytest.raises(InvalidSpec, match="quality = fine and preset = gatys contradict: give one of them"):
        parse_spec({**fields, "quality": "fine", "preset": "gatys"})


def test_layers_that_the_user_names_stay() -> None:
    """Given SqueezeNet and a preset, if some layers are named, I expect those, and the preset's for the others."""
    fields = {"content": "a.png", "style": "s.png", "features": "squeezenet", "preset": "neural-style"}
    spec = parse_spec({**fields, "style_layers": ["conv1", "fire9"], "style_layer_weights": [1, 2]})
    assert (spec.style_layers, spec.content_layers) == (("conv1", "fire9"), ("fire4",))


def test_a_spec_is_of_the_kind_that_it_names() -> None:
    """Given a kind, I expect a spec of it, of the first one without; and of one that there is not, a sentence."""
    fields = {"content": "a.png", "style": "s.png"}
    assert parse_spec({**fields, "kind": "stylize"}) == parse_spec(fields) == load_spec({**fields, "kind": "stylize"})
    assert parse_spec(fields).kind == "stylize"
    with pytest.raises(InvalidSpec, match=r"^unknown kind 'stilize': did you mean 'stylize'\?$"):
        parse_spec({**fields, "kind": "stilize"})
    odd: list[object] = [None, 3, ["stylize"], {}]
    for kind in odd:
        with pytest.raises(InvalidSpec, match=r"^unknown kind .*(known are|did you mean) '?stylize"):
            parse_spec({**fields, "kind": kind})
    with pytest.raises(InvalidSpec, match="submitted by another release"):
        load_spec({**fields, "kind": "dream"})


def test_a_spec_of_another_release_says_so() -> None:
    """Given a stored spec with a field of the future, if it is loaded, I expect a sentence that says why it is not."""
    with pytest.raises(InvalidSpec, match="another release"):
        load_spec({**PAIR, "hue": 3})


def test_each_pooling_halves_the_picture() -> None:
    """Given the five blocks, I expect the smallest sides 1, 2, 4, 8 and 16."""
    assert [smallest_side(f"relu{block}_1") for block in range(1, 6)] == [1, 2, 4, 8, 16]


@pytest.mark.parametrize("name", PRESETS)
def test_a_preset_gives_its_numbers_and_yields_to_the_user_s(name: str) -> None:
    """Given a preset, I expect its values in the spec, but for what the user gives; and no more of it when stored."""
    spec = parse_spec({**PAIR, "preset": name, "seed": 5})
    values = {field: getattr(spec, field) for field in PRESETS[name]}
    assert values == {**PRESETS[name], **({"style": ("b.jpg",)} if "style" in values else {})}
    assert parse_spec({**PAIR, "preset": name, "tv_weight": 7}).tv_weight == 7
    assert load_spec(json.loads(json.dumps(spec.model_dump(mode="json")))) == spec


def test_a_preset_s_step_length_is_its_optimiser_s() -> None:
    """Given a preset of SGD, if another optimizer is asked for, I expect the latter's own numbers."""
    spec = parse_spec({**PAIR, "preset": "mxnet", "optimizer": "lbfgs"})
    assert (spec.learning_rate, spec.gradient_clip, spec.weight_decay) == ("auto", None, 0)
    assert spec.content_weight == 10
    assert parse_spec({**PAIR, "preset": "mxnet", "optimizer": "sgd"}).learning_rate == 1e-3


def test_scales_go_up_by_a_factor_to_the_size_itself() -> None:
    """Given the preset that goes from coarse to fine, I expect its sizes and iterations; of one scale, its own."""
    spec = parse_spec({**PAIR, "preset": "multiscale", "size": 512})
    assert spec.schedule == ((128, 1000), (181, 500), (256, 500), (362, 500), (512, 500))
    assert spec.total_iterations == 3000
    assert parse_spec({**PAIR, "preset": "multiscale", "size": 100}).schedule == ((100, 1000),)
    assert parse_spec({**PAIR, "size": 100}).schedule == ((100, 300),)


@given(st.integers(16, 16384), st.integers(16, 16384), st.floats(1.05, 16))
def test_every_scale_is_finer_than_the_one_before(size: int, smallest: int, factor: float) -> None:
    """Given any sizes, I expect the scales to rise from the smallest or above it to the size."""
    spec = parse_spec({**PAIR, "preset": "multiscale", "size": size, "min_size": smallest, "scale_factor": factor})
    assert list(spec.sizes) == sorted(set(spec.sizes))
    assert spec.sizes[-1] == size
    assert spec.sizes[0] >= min(smallest, size)
