"""Which parameters have an effect: the canonical form of a spec beside the pictures that are rendered of it."""

from __future__ import annotations

import json
from functools import cache, partial
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from stylefarm.shared.images.encode import Output
from stylefarm.shared.spec.canonical import canonical, without_effect
from stylefarm.shared.spec.parameters import ModelParameters
from stylefarm.shared.spec.spec import JobSpec, load_spec, parse_spec
from stylefarm.worker.engine.hardware.device import choose
from stylefarm.worker.engine.methods.iterative import Scale, UpdateRules, optimize
from stylefarm.worker.render.cache import ModelCache
from stylefarm.worker.render.inputs import JobImages
from stylefarm.worker.render.network import random_network
from stylefarm.worker.render.options import make_optimizer
from stylefarm.worker.render.pictures import encode_tensor
from stylefarm.worker.render.scale import RenderContext, prepare_scale

BASE: dict[str, Any] = {
    "content": "content.png",
    "style": ["style.png"],
    "features": "random",
    "content_layers": ["relu2_1"],
    "style_layers": ["relu1_1", "relu2_1"],
    "style_loss": "gram",
    "style_weight": 100.0,
    "learning_rate": 1.0,
    "size": 24,
    "iterations": 3,
    "precision": "fp32",
}

SQUEEZENET: dict[str, Any] = {
    "features": "squeezenet",
    "content_layers": ["fire2"],
    "style_layers": ["relu1"],
    "first_layer": "strided",
    "pooling": "average",
}

# For each parameter: in which spec its value changes the picture, and to what.
WITNESSES: dict[str, tuple[dict[str, Any], Any]] = {
    "style_weights": ({"style": ["style.png", "other.png"]}, [1, 3]),
    "style_scale": ({}, 0.5),
    "style_aspect": ({}, "squash"),
    "color": ({}, "luminance"),
    "iterations": ({}, 4),
    "min_size": ({}, 17),
    "scale_factor": ({"min_size": 16}, 1.3),
    "first_iterations": ({"min_size": 16}, 5),
    "stop_change": ({}, 0.9),
    "stop_loss_change": ({"stop_loss_steps": 1}, 0.99),
    "stop_loss_steps": ({"stop_loss_change": 0.99}, 1),
    "content_weight": ({}, 10.0),
    "style_weight": ({}, 10.0),
    "tv_weight": ({}, 10.0),
    "content_layers": ({}, ["relu1_1"]),
    "style_layers": ({}, ["relu1_1"]),
    "style_layer_weights": ({}, [1, 0]),
    "content_normalization": ({}, "sum"),
    "style_loss": ({}, "mean-std"),
    "style_normalization": ({}, "none"),
    "mmd_offset": ({"style_loss": "mmd-poly"}, 100.0),
    "projections": ({"style_loss": "sliced"}, 3),
    "tv_norm": ({}, "l1"),
    "tv_reduction": ({}, "sum"),
    "normalize_gradients": ({}, True),
    "features_seed": ({}, 1),
    "features_deviation": ({"content_normalization": "mean"}, 3.0),
    "pooling": ({}, "max"),
    "rescale_pooling": ({**SQUEEZENET, "content_normalization": "mean"}, True),
    "first_layer": (SQUEEZENET, "dense"),
    "padding": ({}, "replicate"),
    "input_range": ({}, 255.0),
    "input_mean": ({}, [0.1, 0.2, 0.3]),
    "input_deviation": ({}, [0.1, 0.2, 0.3]),
    "channel_order": ({}, "bgr"),
    "optimize_in": ({"optimizer": "adam"}, "input"),
    "optimizer": ({}, "adam"),
    "learning_rate": ({}, 0.5),
    "corrections": ({}, 1),
    "beta1": ({"optimizer": "adam"}, 0.1),
    "beta2": ({"optimizer": "adam"}, 0.1),
    "momentum": ({"optimizer": "sgd"}, 0.1),
    "weight_decay": ({"optimizer": "sgd"}, 0.5),
    "learning_rate_decay": ({"learning_rate_steps": 1}, 0.1),
    "learning_rate_steps": ({"learning_rate_decay": 0.1}, 1),
    "gradient_clip": ({"optimizer": "sgd"}, 1e-6),
    "average": ({}, 0.9),
    "clamp": ({"learning_rate": 50.0}, True),
    "init": ({}, "style"),
    "noise": ({"init": "noise"}, "normal"),
    "noise_range": ({"init": "noise"}, [0.4, 0.6]),
    "noise_ratio": ({"init": "blend"}, 0.1),
    "seed": ({"init": "noise"}, 1),
    "format": ({}, "jpeg"),
    "quality": ({"format": "jpeg"}, 30),
}

# Of pictures, files and packages that are not here, of what the pixels do not show, or of how they are computed.
ELSEWHERE = (
    {"content", "style", "size", "init_image", "content_masks", "style_masks", "weights", "features", "method"}
    | {"preset", "snapshot_every", "bits", "icc", "exif", "alpha", "denoise"}
    | {"precision", "rescale_filters"}
    | ModelParameters.model_fields.keys()
)

# Values that change nothing in the spec BASE.
IN_VAIN: dict[str, Any] = {
    "strength": st.floats(0, 1),
    "direction": st.just("backward"),
    "seed": st.integers(1, 9),
    "noise": st.just("normal"),
    "noise_ratio": st.floats(0, 1),
    "noise_range": st.just([0.2, 0.3]),
    "momentum": st.floats(0, 0.9),
    "weight_decay": st.floats(0, 1),
    "beta1": st.floats(0, 0.9),
    "learning_rate_decay": st.floats(0.1, 1),
    "projections": st.integers(1, 9),
    "mmd_offset": st.floats(0, 9),
    "scale_factor": st.floats(1.1, 9),
    "min_size": st.just(24),
    "quality": st.integers(1, 100),
    "style_weights": st.lists(st.floats(1, 9), min_size=1, max_size=1),
}


def picture(seed: int, size: tuple[int, int]) -> Image.Image:
    noise = np.random.default_rng(seed).integers(0, 256, (3, 4, 3), dtype=np.uint8)
    return Image.fromarray(noise).resize(size, Image.Resampling.BICUBIC)


@cache
def painted(document: str) -> bytes:
    """Return the file that is rendered of a spec, without its metadata."""
    spec = load_spec(json.loads(document))
    pictures = {"style.png": picture(1, (24, 20)), "other.png": picture(2, (20, 24))}
    inputs = JobImages(spec, picture(0, (24, 18)), [pictures[name] for name in spec.style], [], [], None)
    path = choose("fp32")
    network = random_network(spec, [inputs.sized(24, path.device).content], path)
    context = RenderContext(path, network, ModelCache(0), lambda: 1 << 32)
    scales = [Scale(n, partial(prepare_scale, [inputs], edge, context)) for edge, n in spec.schedule]
    *_, last = optimize(scales, make_optimizer(spec), UpdateRules.of(spec))
    return encode_tensor(last.image[0], Output(spec.format, quality=spec.quality), {})


def spec_of(**fields: Any) -> JobSpec:
    return parse_spec({**BASE, **fields})


@pytest.mark.parametrize("name", WITNESSES)
def test_a_parameter_that_is_kept_changes_some_picture(name: str) -> None:
    """Given a spec in which a parameter counts, if it changes, I expect another key and another picture."""
    context, other = WITNESSES[name]
    one, two = spec_of(**context), spec_of(**{**context, name: other})
    assert name not in without_effect(two)
    assert canonical(one).key != canonical(two).key
    assert painted(one.document()) != painted(two.document())


def test_every_parameter_has_its_witness() -> None:
    """Given all parameters, I expect each among the witnesses, or among those that are tested elsewhere."""
    assert WITNESSES.keys() | ELSEWHERE == set(JobSpec.model_fields)


@settings(max_examples=25, deadline=None)
@given(st.fixed_dictionaries({}, optional=IN_VAIN))
def test_what_has_no_effect_changes_neither_the_key_nor_the_picture(fields: dict[str, Any]) -> None:
    """Given values of parameters without effect, if they are given, I expect key and picture as without them."""
    plain, with_them = spec_of(), spec_of(**fields)
    assert canonical(with_them) == canonical(plain)
    assert painted(with_them.document()) == painted(plain.document())


# Values that fit any others.
FREE = {
    name: st.just(value)
    for name, (context, value) in WITNESSES.items()
    if name != "style_layers" and context.keys().isdisjoint(("style", "min_size", "features"))
}


@settings(max_examples=25, deadline=None)
@given(st.fixed_dictionaries({}, optional=FREE))
def test_a_canonical_form_gives_the_picture_of_its_spec(fields: dict[str, Any]) -> None:
    """Given any spec, if its canonical form is rendered, I expect the same picture, and nothing more to leave out."""
    spec = spec_of(**fields)
    form = canonical(spec)
    assert canonical(form) == form
    assert painted(form.document()) == painted(spec.document())
