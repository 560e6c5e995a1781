"""A picture gone through in strips has the losses and the gradient that it has as a whole."""

from __future__ import annotations

from typing import get_args

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from stylefarm.shared.spec.parameters import STYLE_LOSSES
from stylefarm.worker.engine.losses.moment_losses import MomentLoss
from stylefarm.worker.engine.losses.style import load_loss
from stylefarm.worker.engine.losses.targets import StyleImage
from stylefarm.worker.engine.methods.objective import LossSettings, Objective
from stylefarm.worker.engine.networks.feature_network import ForwardPass
from stylefarm.worker.engine.networks.pooling import Pooling
from stylefarm.worker.engine.networks.strips import StripPass
from stylefarm.worker.engine.networks.vgg import Padding, Vgg, randomize
from stylefarm.worker.engine.networks.vgg_network import VggNetwork
from stylefarm.worker.engine.networks.whole_pass import WholePass

LAYERS = ("relu1_1", "conv2_1", "relu3_1", "relu4_1")


def picture(seed: int, height: int, width: int) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.rand(1, 3, height, width, generator=generator, dtype=torch.float64)


def network(pooling: Pooling, padding: Padding, layers: tuple[str, ...] = LAYERS) -> VggNetwork:
    vgg = Vgg("vgg19", [*layers, "relu3_2"], pooling, padding=padding)
    randomize(vgg, 3)
    return VggNetwork(vgg.double())


def evaluated(
    forward_pass: ForwardPass, size: tuple[int, int], loss: str, mask: Tensor | None
) -> tuple[Tensor, Tensor]:
    chosen = LossSettings(
        {"relu3_2": 1.0},
        dict.fromkeys(LAYERS, 0.25),
        style_weight=10.0,
        content_normalization="initial",
        style_normalization="initial",
        style_losses={loss: 1.0},
    )
    style = StyleImage(picture(2, 37, 50), mask=mask)
    start = picture(3, *size)
    objective = Objective(forward_pass, picture(1, *size), [style], chosen, start=start)
    losses, gradient = objective.gradient(0.9 * start)
    assert torch.allclose(losses, objective.losses(0.9 * start), rtol=1e-12)
    return losses, gradient


@pytest.mark.parametrize("pooling", ["average", "max", "l2"])
@pytest.mark.parametrize("padding", get_args(Padding))
def test_strips_give_the_gradient_of_the_whole(pooling: Pooling, padding: Padding) -> None:
    """given a picture of odd sides; if it is read in strips of two rows; I expect the whole picture's gradient."""
    net = network(pooling, padding)
    whole = evaluated(WholePass(net), (45, 39), "gram", None)
    strips = evaluated(StripPass(net, 1), (45, 39), "gram", None)
    for found, expected in zip(strips, whole, strict=True):
        assert (found - expected).norm() <= 1e-12 * expected.norm()


@pytest.mark.parametrize("loss", [name for name in STYLE_LOSSES if issubclass(load_loss(name), MomentLoss)])
def test_every_loss_of_moments_can_be_read_in_strips(loss: str) -> None:
    """given a mask with soft edges; if the picture is read in strips; I expect the same loss and gradient."""
    net = network("average", "zeros")
    mask = torch.linspace(0, 1, 40 * 40, dtype=torch.float64).view(1, 1, 40, 40)
    whole = evaluated(WholePass(net), (40, 40), loss, mask)
    strips = evaluated(StripPass(net, 200_000), (40, 40), loss, mask)
    for found, expected in zip(strips, whole, strict=True):
        assert (found - expected).norm() <= 1e-9 * expected.norm()


@settings(max_examples=20, deadline=None)
@given(st.integers(8, 70), st.integers(8, 40), st.integers(1, 2_000_000))
def test_any_size_can_be_cut_into_strips_of_any_height(height: int, width: int, strip_bytes: int) -> None:
    """given any size; if it is cut into strips of any height; I expect every row of every layer once, and its sums."""
    net = network("average", "zeros")
    seen: dict[str, list[Tensor]] = {}

    def on_features(layer: str, features: Tensor, rows: slice) -> None:
        found = seen.setdefault(layer, [])
        if rows != slice(None):
            assert rows.start == sum(part.shape[2] for part in found)
        found.append(features.clone())

    image = picture(4, height, width)
    WholePass(net).forward(image, on_features)
    whole = {layer: parts[0] for layer, parts in seen.items()}
    seen.clear()
    StripPass(net, strip_bytes).forward(image, on_features)
    for layer, parts in seen.items():
        assert torch.allclose(torch.cat(parts, 2), whole[layer], rtol=1e-10, atol=1e-12)


def test_a_loss_over_samples_says_that_it_needs_the_whole() -> None:
    """given the sliced loss; if the picture comes in strips; I expect a refusal, and no wrong number."""
    with pytest.raises(TypeError, match="all of its layer at once"):
        evaluated(StripPass(network("average", "zeros"), 200_000), (40, 40), "sliced", None)
