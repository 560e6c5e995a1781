"""The trunk: its variants by plain references, as it is trained and as it is prepared, whole and in strips."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import Tensor

from stylefarm.shared.errors import InvalidRequest
from stylefarm.worker.engine.feedforward.mixture import Mixture
from stylefarm.worker.engine.feedforward.prepared_trunk import PreparedTrunk
from stylefarm.worker.engine.feedforward.trunk import load_trunk
from stylefarm.worker.engine.feedforward.trunk_shape import TrunkShape
from stylefarm.worker.engine.hardware.device import ComputePath
from tests.unit.worker.engine.feedforward import references
from tests.unit.worker.engine.feedforward.trunks import CPU, PLAIN, SHAPES, picture, random_trunk

REFERENCES = {
    "pytorch/examples": references.pytorch_examples,
    "johnson": references.fast_neural_style,
    "ulyanov": references.texture_nets,
    "cyclegan": references.cyclegan_generator,
}
BF16 = ComputePath(torch.device("cpu"), "bf16")


def mixture_for(shape: TrunkShape, size: tuple[int, int], *, by_place: bool = False) -> Mixture | None:
    if not shape.styles:
        return None
    draw = torch.Generator().manual_seed(1)
    maps = torch.rand(1, shape.styles, *size, generator=draw).softmax(1) if by_place else None
    return Mixture(torch.tensor([[0.5, 0.25, 0.25], [0.0, 0.0, 1.0]]), maps, torch.tensor([0.3]))


@pytest.mark.parametrize("name", REFERENCES)
def test_each_variant_agrees_with_its_program(name: str) -> None:
    """Given random weights, if they render a picture, I expect what the published program's calls give."""
    trunk, pixels = random_trunk(SHAPES[name]), picture(24, 32, batch=2)
    torch.testing.assert_close(trunk(pixels), REFERENCES[name](trunk.state_dict(), pixels), atol=2e-4, rtol=1e-4)


@pytest.mark.parametrize("name", SHAPES)
@pytest.mark.parametrize(("size", "strips"), [((24, 36), (None, 4, 8)), ((68, 64), (None, 20))])
def test_prepared_networks_agree_with_autograds(name: str, size: tuple[int, int], strips: tuple[int | None]) -> None:
    """Given a network of any variant, if it is prepared, I expect its pictures, also in strips of any height."""
    trunk, pixels = random_trunk(SHAPES[name]), picture(*size, batch=2)
    mixture = mixture_for(trunk.shape, size)
    expected = trunk(pixels, mixture)
    for rows in strips:
        found = PreparedTrunk(trunk, CPU)(pixels, mixture, rows)
        torch.testing.assert_close(found, expected, atol=1e-3 * float(expected.std()), rtol=1e-4)


@pytest.mark.parametrize("name", ["cin", "adjustable"])
def test_strips_have_the_styles_of_their_place(name: str) -> None:
    """Given styles by place, if the picture is rendered in strips, I expect the whole one's pixels."""
    trunk, pixels = random_trunk(SHAPES[name]), picture(48, 40)
    mixture = mixture_for(trunk.shape, (48, 40), by_place=True)
    prepared = PreparedTrunk(trunk, CPU)
    torch.testing.assert_close(prepared(pixels, mixture, 12), prepared(pixels, mixture), atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("by_place", [False, True])
@pytest.mark.parametrize("name", SHAPES)
def test_half_precision_keeps_the_picture(name: str, *, by_place: bool) -> None:
    """Given bfloat16, if pictures are rendered whole or in strips, I expect the same pictures but for its rounding."""
    trunk, pixels = random_trunk(SHAPES[name]), picture(48, 48, batch=2)
    mixture = mixture_for(trunk.shape, (48, 48), by_place=by_place)
    exact, prepared = PreparedTrunk(trunk, CPU)(pixels, mixture), PreparedTrunk(trunk, BF16)
    for rows in (None, 12):
        found = prepared(pixels, mixture, rows)
        assert found.dtype == torch.float32
        assert float((found - exact).square().mean().sqrt()) < 0.05 * max(1.0, float(exact.std()))


def test_one_conditional_style_is_instance_normalization() -> None:
    """Given a cin network of one style, if the weights are put into ulyanov's, I expect the same pictures."""
    cin = random_trunk(replace(PLAIN, norm="conditional", styles=1))
    weights = {name: _only_style(tensor) for name, tensor in cin.state_dict().items()}
    ulyanov, pixels = load_trunk(PLAIN, weights), picture(20, 24)
    torch.testing.assert_close(ulyanov(pixels), cin(pixels, Mixture.of_indices([0], 1)), atol=1e-5, rtol=1e-5)


def _only_style(tensor: Tensor) -> Tensor:
    return tensor[0] if tensor.dim() == 2 else tensor


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"channels": [4, 8]}, "channels"),
        ({"channels": [4, 8, -1]}, "channels"),
        ({"blocks": True}, "blocks"),
        ({"blocks": 10**9}, "blocks"),
        ({"kernel": 4}, "kernel"),
        ({"norm": "group"}, "group"),
        ({"norm": "conditional"}, "conditional"),
        ({"border": 3}, "border"),
        ({"depth": 3}, "depth"),
        ({"last_norm": 1}, "last_norm"),
    ],
)
def test_damaged_architectures_are_refused(change: dict[str, object], sentence: str) -> None:
    """Given an architecture with a field that cannot be, if it is read, I expect a sentence that names it."""
    with pytest.raises(InvalidRequest, match=sentence):
        TrunkShape.of({**PLAIN.document(), **change})


@pytest.mark.parametrize("fault", ["missing", "other shape", "one more"])
def test_weights_that_do_not_fit_are_refused(fault: str) -> None:
    """Given weights that are not the architecture's, if they are loaded, I expect a sentence that names the first."""
    weights = dict(random_trunk(PLAIN).state_dict())
    name = "extra" if fault == "one more" else "up.2.conv.weight"
    if fault == "missing":
        del weights[name]
    else:
        weights[name] = torch.zeros(1)
    with pytest.raises(InvalidRequest, match=name):
        load_trunk(PLAIN, weights)
