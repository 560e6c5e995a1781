"""Models of cyclegan, applied, and their discriminator."""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional

from stylefarm.shared.errors import InvalidRequest, InvalidSpec
from stylefarm.worker.engine.feedforward.applier import ApplyOptions, StyleIndex
from stylefarm.worker.engine.feedforward.cyclegan import CycleGanApplier, PatchDiscriminator
from stylefarm.worker.engine.feedforward.model import Model
from tests.unit.worker.engine.feedforward.trunks import CPU, PLENTY, SHAPES, picture, random_trunk


def model() -> Model:
    generators = {"forward": random_trunk(SHAPES["cyclegan"], 1), "backward": random_trunk(SHAPES["cyclegan"], 2)}
    tensors = {f"{way}.{name}": value for way, each in generators.items() for name, value in each.state_dict().items()}
    return Model("cyclegan", SHAPES["cyclegan"].document(), tensors)


def test_each_direction_has_its_generator() -> None:
    """Given a model, if a picture goes forward or backward, I expect that generator's picture, in [0, 1]."""
    ready, content = CycleGanApplier(model(), CPU), picture(20, 24)
    for direction, seed in (("forward", 1), ("backward", 2)):
        found = ready.apply(content, [], ApplyOptions(direction=direction), PLENTY)  # type: ignore[arg-type]
        torch.testing.assert_close(found, random_trunk(SHAPES["cyclegan"], seed)(content), atol=1e-4, rtol=1e-4)
        assert 0 <= float(found.min()) <= float(found.max()) <= 1


def test_what_cyclegan_does_not_know_is_refused() -> None:
    """Given a style, or weights of another method, if they are used with cyclegan, I expect a sentence."""
    with pytest.raises(InvalidSpec, match="leave style out"):
        CycleGanApplier(model(), CPU).apply(picture(8, 8), [StyleIndex(0)], ApplyOptions(), PLENTY)
    with pytest.raises(InvalidRequest, match=r"see down\.0"):
        CycleGanApplier(
            Model("cyclegan", SHAPES["cyclegan"].document(), random_trunk(SHAPES["cyclegan"]).state_dict()), CPU
        )


def test_the_discriminator_is_the_published_one() -> None:
    """Given random weights, if a picture is judged, I expect what NLayerDiscriminator's calls give."""
    torch.manual_seed(0)
    judge, x = PatchDiscriminator(4), picture(48, 40)
    state, y = judge.state_dict(), x
    for index, stride in enumerate((2, 2, 2, 1, 1)):
        y = functional.conv2d(y, state[f"convs.{index}.weight"], state[f"convs.{index}.bias"], stride, 1)
        if index in (1, 2, 3):
            mean, variance = y.mean((2, 3), keepdim=True), y.var((2, 3), correction=0, keepdim=True)
            y = (y - mean) / (variance + 1e-5).sqrt()
        if index < 4:
            y = torch.where(y > 0, y, 0.2 * y)
    torch.testing.assert_close(judge(x), y, atol=1e-5, rtol=1e-5)
    assert [len(state[f"convs.{index}.bias"]) for index in range(5)] == [4, 8, 16, 32, 1]
