"""The presets that use L-BFGS, against torch's own, once it starts with a first step as long as ours."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from stylefarm.worker.engine.optim.lbfgs import LBFGS
from stylefarm.worker.engine.optim.optimizer import LearningRate
from stylefarm.worker.render.options import make_optimizer
from tests.parity.engines import engine_of, pictures, random_network, relative_error, spec_of
from tests.parity.programs import PROGRAMS

STEPS = 10
Loss = Callable[[Tensor], Tensor]


def grad(loss: Loss, x: Tensor) -> Tensor:
    leaf = x.clone().requires_grad_()
    return torch.autograd.grad(loss(leaf), leaf)[0]


def of_torch(loss: Loss, start: Tensor, first: Tensor, history_size: int) -> list[Tensor]:
    """The pictures of torch.optim.LBFGS, as if its first step had gone from `start` to `first`."""
    x = first.clone().requires_grad_()
    optimizer = torch.optim.LBFGS(
        [x], lr=1, max_iter=1, history_size=history_size, tolerance_grad=0, tolerance_change=0, line_search_fn=None
    )
    optimizer.state[x].update(
        d=(first - start).flatten(),
        t=1.0,
        old_dirs=[],
        old_stps=[],
        ro=[],
        H_diag=1.0,
        n_iter=1,
        func_evals=1,
        prev_flat_grad=grad(loss, start).flatten(),
        prev_loss=0.0,
    )

    def closure() -> float:
        optimizer.zero_grad()
        value = loss(x)
        value.backward()
        return value.item()

    seen = []
    for _ in range(STEPS):
        optimizer.step(closure)
        seen.append(x.detach().clone())
    return seen


@pytest.mark.parametrize("history_size", [3, 100])
def test_a_quadratic_is_followed_as_torch_does(history_size: int) -> None:
    """Given a quadratic, if more steps are made than pairs are kept, or fewer, I expect torch's iterates."""
    scale = torch.linspace(0.5, 20, 48, dtype=torch.float64).view(1, 3, 4, 4)
    start = torch.linspace(-1, 2, 48, dtype=torch.float64).view(1, 3, 4, 4).sin()

    def loss(x: Tensor) -> Tensor:
        return (scale * x.square()).sum() / 2

    lbfgs = LBFGS(LearningRate(1.0), history_size, longest_step=None)
    ours = [lbfgs.step(start, scale * start)]
    for _ in range(STEPS):
        ours.append(lbfgs.step(ours[-1], scale * ours[-1]))
    for found, expected in zip(ours[1:], of_torch(loss, start, ours[0], history_size), strict=True):
        torch.testing.assert_close(found, expected, rtol=1e-6, atol=1e-9)


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
    for found, expected in zip(ours[2:], of_torch(loss, x, ours[1][0], spec.corrections), strict=True):
        assert relative_error(found[0] - x, expected - x) < 1e-8
    assert relative_error(ours[-1][0], x) > 0.01
