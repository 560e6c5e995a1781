"""L-BFGS, against torch's own once it starts with a first step as long as ours, and its departures from it."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from stylefarm.worker.engine.optim.lbfgs import LBFGS
from stylefarm.worker.engine.optim.optimizer import LearningRate
from tests.unit.torch_lbfgs import torch_lbfgs

STEPS = 10


@pytest.mark.parametrize("history_size", [3, 100])
# Of few numbers, of one whole part and some more, of parts without a rest.
@pytest.mark.parametrize("size", [(4, 4), (75, 100), (128, 128)])
def test_a_quadratic_is_followed_as_torch_does(history_size: int, size: tuple[int, int]) -> None:
    """Given a quadratic, if more steps are made than pairs are kept, or fewer, I expect torch's iterates."""
    count = 3 * size[0] * size[1]
    scale = torch.linspace(0.5, 20, count, dtype=torch.float64).view(1, 3, *size)
    start = torch.linspace(-1, 2, count, dtype=torch.float64).view(1, 3, *size).sin()

    def loss(x: Tensor) -> Tensor:
        return (scale * x.square()).sum() / 2

    lbfgs = LBFGS(LearningRate(1.0), history_size, longest_step=None)
    ours = [lbfgs.step(start, scale * start)]
    for _ in range(STEPS):
        ours.append(lbfgs.step(ours[-1], scale * ours[-1]))
    for found, expected in zip(ours[1:], torch_lbfgs(loss, start, ours[0], history_size, STEPS), strict=True):
        torch.testing.assert_close(found, expected, rtol=1e-6, atol=1e-9)


def test_the_first_step_of_lbfgs_is_one_grey_level() -> None:
    """Given any gradient, I expect the first step to move the picture by 1/255, root mean square."""
    start, gradient = torch.linspace(0, 1, 2 * 2 * 192).view(2, 2, 3, 8, 8)
    moved = LBFGS(LearningRate(1.0)).step(start, gradient * 1e6) - start
    torch.testing.assert_close(moved.square().mean((1, 2, 3)).sqrt(), torch.full((2,), 1 / 255))


def test_no_step_of_lbfgs_is_longer_than_its_bound() -> None:
    """Given a gradient that almost stops growing, which asks for a huge step, I expect the bound for it alone."""
    lbfgs, start = LBFGS(LearningRate(1.0), longest_step=0.2), torch.zeros(2, 3, 4, 4)
    first = lbfgs.step(start, torch.ones(2, 3, 4, 4))
    grad = torch.tensor([0.999999, 0.9]).view(2, 1, 1, 1)
    second = lbfgs.step(first, grad.expand(2, 3, 4, 4).contiguous())
    lengths = (second - first).square().mean((1, 2, 3)).sqrt()
    torch.testing.assert_close(lengths, torch.tensor([0.2, 9 / 255]), rtol=1e-4, atol=1e-6)


def test_a_pair_without_curvature_is_left_out() -> None:
    """Given a step along which the gradient does not change, I expect the next step to be finite."""
    lbfgs, gradient = LBFGS(LearningRate(1.0)), torch.ones(1, 3, 4, 4)
    image = torch.zeros(1, 3, 4, 4)
    for _ in range(4):
        image = lbfgs.step(image, gradient)
    assert image.isfinite().all()


@pytest.mark.parametrize("size", [(5, 3), (65, 91)])
def test_an_image_of_a_batch_takes_the_steps_that_it_takes_alone(size: tuple[int, int]) -> None:
    """Given images of an odd number of values, if they are optimized in a batch, I expect the bits of each alone."""
    start, target, scale = torch.rand(3, 3, 3, *size, generator=torch.Generator().manual_seed(1))

    def optimized(images: slice) -> Tensor:
        lbfgs = LBFGS(LearningRate(1.0))
        x: Tensor = start[images]
        for _ in range(STEPS):
            x = lbfgs.step(x, (scale[images] + 0.1) * (x - target[images]))
        return x

    alone = torch.cat([optimized(slice(index, index + 1)) for index in range(3)])
    assert torch.equal(optimized(slice(None)), alone)
