"""SqueezeNet through an embedded farm: pictures, notes, presets, and what cannot be rendered."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from stylefarm import Farm
from stylefarm.shared.errors import InvalidImage
from stylefarm.shared.spec.parameters import STYLE_LOSSES
from tests.weights_files import keras_arrays, squeezenet_state, write_keras, write_torch

Fields = dict[str, Any]


@pytest.fixture
def farm() -> Iterator[Farm]:
    with Farm() as farm:
        yield farm


@pytest.fixture
def fields(pictures: Path) -> Fields:
    weights = str(write_torch(pictures / "w.pth", squeezenet_state()))
    common = {"features": "squeezenet", "weights": weights, "size": 64, "iterations": 3, "precision": "fp32"}
    return {"content": str(pictures / "a.png"), "style": str(pictures / "s.png"), **common}


def test_a_picture_is_rendered_and_its_layers_are_told(farm: Farm, fields: Fields) -> None:
    """Given weights in a file, if a job asks for SqueezeNet, I expect a picture, less loss, and the layers told."""
    job = farm.submit(**fields)
    assert job.result().image.size == (64, 48)
    losses = job.losses().total
    assert losses[-1] < losses[0]
    notes = job.status().notes
    assert any(note.startswith("features: pretrained squeezenet with the weights ") for note in notes)
    assert "style_weight: 16" in notes
    classic = farm.submit(**fields, preset="gatys").status().notes
    assert "content_layers: fire4, of about the strides of VGG's relu4_2" in classic


@pytest.mark.parametrize("change", [{}, {"first_layer": "strided"}, {"pooling": "max"}, {"padding": "replicate"}])
def test_the_same_spec_gives_the_same_bytes(farm: Farm, fields: Fields, change: Fields) -> None:
    """Given one spec, if two jobs render it, I expect one file; and another one than of the plain network."""
    one, two = (farm.submit(**fields, **change).result().data for _ in range(2))
    assert one == two
    assert not change or one != farm.submit(**fields).result().data


@pytest.mark.parametrize("preset", ["gatys", "udacity", "multiscale"])
def test_presets_are_rendered_with_it(farm: Farm, fields: Fields, preset: str) -> None:
    """Given a preset with layers of VGG, if it is rendered with SqueezeNet, I expect a picture."""
    scales = {"min_size": 48, "first_iterations": 2} if preset == "multiscale" else {}
    assert farm.submit(**fields, **scales, preset=preset).result().image.size == (64, 48)


def test_the_format_of_the_weights_brings_the_input(farm: Farm, fields: Fields, pictures: Path) -> None:
    """Given one network as torchvision and as Keras keep it, I expect two pictures, since they take other inputs."""
    keras = str(write_keras(pictures / "w.h5", keras_arrays(squeezenet_state())))
    one, other = farm.submit(**fields), farm.submit(**{**fields, "weights": keras})
    assert one.result().data != other.result().data


def test_a_picture_that_is_too_small_is_refused(farm: Farm, fields: Fields) -> None:
    """Given a size that leaves nothing at the deepest layer, I expect a sentence with the size."""
    with pytest.raises(
        InvalidImage, match=r"is 24 px on its short side at size = 32, too small for fire6: at least 32 px"
    ):
        farm.submit(**{**fields, "size": 32})


def test_a_narrow_picture_begins_at_a_larger_scale(farm: Farm, fields: Fields, pictures: Path) -> None:
    """Given a panorama of which the coarsest scale leaves nothing, I expect a larger one, told; or that of the user."""
    panorama = pictures / "panorama.png"
    Image.new("RGB", (300, 60), "teal").save(panorama)
    request = {**fields, "content": str(panorama), "size": 300, "iterations": 1}
    notes = farm.submit(**request).status().notes
    assert "min_size: 160 px, at which fire6 still has something of panorama.png" in notes
    with pytest.raises(InvalidImage, match=r"panorama\.png is 26 px on its short side at size = 130"):
        farm.submit(**request, min_size=130, scale_factor=300 / 130)


def test_everything_else_works_with_it(farm: Farm, fields: Fields, pictures: Path) -> None:
    """Given each style loss, masks, color and optimizer, if jobs ask for them, I expect pictures, each its own."""
    for name, box in (("left", (0, 0, 24, 36)), ("right", (24, 0, 48, 36))):
        mask = Image.new("L", (48, 36))
        mask.paste(255, box)
        mask.save(pictures / f"{name}.png")
    masks = [str(pictures / "left.png"), str(pictures / "right.png")]
    two = {"style": [fields["style"], str(pictures / "t.png")]}
    requests: list[Fields] = [
        *({"style_loss": name} for name in STYLE_LOSSES),
        {**two, "style_weights": [2, 1]},
        {**two, "content_masks": masks},
        *({"color": color} for color in ("style", "luminance", "match")),
        {"optimizer": "adam"},
        {"normalize_gradients": True},
    ]
    jobs = [farm.submit(**{**fields, **request}) for request in requests]
    assert len({job.result().data for job in jobs}) == len(requests)
