"""What the packaged SqueezeNet takes photographs for: a test of its weights, of their layout, and of its input."""

from __future__ import annotations

from pathlib import Path

import h5py
import pytest
import skimage.data
import torch
from PIL import Image
from torch import Tensor
from torch.nn import functional

from stylefarm.worker.engine.networks.squeezenet import SqueezeNet
from stylefarm.worker.engine.networks.weights import load_squeezenet, read_weights
from stylefarm.worker.engine.space import to_input

SIDE = 227
# Of the thousand classes of ImageNet.
ESPRESSO, TRIPOD = 967, 872
TABBY, TIGER_CAT, EGYPTIAN_CAT = 281, 282, 285


def photograph(name: str) -> Tensor:
    """The middle of a photograph of scikit-image, (1, 3, 227, 227) in [0, 1]."""
    image = Image.fromarray(getattr(skimage.data, name)()).convert("RGB")
    side = min(image.size)
    left, top = (image.width - side) // 2, (image.height - side) // 2
    small = image.crop((left, top, left + side, top + side)).resize((SIDE, SIDE), Image.Resampling.BICUBIC)
    pixels = torch.frombuffer(bytearray(small.tobytes()), dtype=torch.uint8).view(SIDE, SIDE, 3)
    return pixels.permute(2, 0, 1)[None] / 255


def classify(path: Path, image: Tensor) -> Tensor:
    """The probabilities of the classes, by the classifier in the file, of which the farm makes no use."""
    weights = read_weights(path)
    network = SqueezeNet("max")
    load_squeezenet(network, weights.tensors)
    with h5py.File(path) as file:
        group = file["conv10"]
        kernel, bias = (torch.from_numpy(group[f"conv10_{kind}:0"][()]) for kind in ("W", "b"))
    features = network(to_input(weights.space, image))
    scores = functional.relu(functional.conv2d(features, kernel.permute(3, 2, 0, 1), bias)).mean((0, 2, 3))
    return scores.softmax(0)


@pytest.mark.parametrize(("name", "expected", "least"), [("coffee", ESPRESSO, 0.9), ("camera", TRIPOD, 0.8)])
def test_things_are_recognized(real_package: Path, name: str, expected: int, least: float) -> None:
    """Given a photograph of a thing, I expect its class, with little doubt."""
    found = classify(real_package, photograph(name))
    assert found.argmax() == expected
    assert found[expected] > least


def test_a_cat_is_a_cat(real_package: Path) -> None:
    """Given a photograph of a cat, I expect the three classes of such cats before all others."""
    found = classify(real_package, photograph("chelsea"))
    assert set(found.topk(3).indices.tolist()) == {EGYPTIAN_CAT, TABBY, TIGER_CAT}


def test_the_order_of_the_channels_matters(real_package: Path) -> None:
    """Given red for blue, I expect the network to be far less sure: the file is read for the order that it has."""
    image = photograph("coffee")
    right, wrong = (classify(real_package, pixels)[ESPRESSO] for pixels in (image, image.flip(1)))
    assert right > 2 * wrong
