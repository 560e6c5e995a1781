"""The presets that use L-BFGS, against torch's own, once it starts with a first step as long as ours."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from stylefarm.worker.engine.optim.lbfgs import LBFGS
from stylefarm.worker.render.options import make_optimizer
from tests.parity.engines import engine_of, pictures, random_network, relative_error, spec_of
from tests.parity.programs import PROGRAMS
from tests.unit.torch_lbfgs import torch_lbfgs

STEPS = 10


@pytest.mark.parametrize("preset", ["gatys", "pytorch", "neural-style"])
def test_a_transfer_is_rendered_as_torch_does(preset: str) -> None:
    """Given a preset with L-BFGS, if no step is bounded, I expect torch's pictures of the program's own loss."""
    image, content, style = pictures(preset)
    network, program, spec = random_network(biased=True), PROGRAMS[preset], spec_of(preset)
    x = program.coordinates(image)

    def loss(leaf: Tensor) -> Tensor:
        return torch.stack([term.to(leaf) for term in program.losses(leaf, content, style, network)]).sum()

    objective = engine_of(spec, content, style, network, x)
    lbfgs = make_optimizer(spec)
    assert isinstance(lbfgs, LBFGS)
    lbfgs.longest_step = None
    ours = [x[None]]
    for _ in range(STEPS + 1):
        ours.append(lbfgs.step(ours[-1], objective.gradient(ours[-1])[1]))
    for found, expected in zip(ours[2:], torch_lbfgs(loss, x, ours[1][0], spec.corrections, STEPS), strict=True):
        assert relative_error(found[0] - x, expected - x) < 1e-8
    assert relative_error(ours[-1][0], x) > 0.01
