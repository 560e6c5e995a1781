"""The first ten pictures of the presets that use Adam or SGD, against each program's own rule written out."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import pairwise

import pytest
import torch
from torch import Tensor

from stylefarm.shared.spec.spec import JobSpec
from stylefarm.worker.engine.methods.iterative import Scale, UpdateRules, optimize
from stylefarm.worker.engine.optim.first_order import Sgd
from stylefarm.worker.engine.optim.optimizer import LearningRate
from stylefarm.worker.render.options import make_optimizer
from tests.parity.engines import (
    engine_of,
    pictures,
    random_network,
    reference_gradient,
    relative_error,
    scaled,
    spec_of,
)
from tests.parity.programs import PROGRAMS, nine_points, wasserstein
from tests.parity.references import Network, Program, ProgramLosses, as_it_is, maximum, normalized, total, vgg19

STEPS = 10
Gradient = Callable[[Tensor], Tensor]


def adam(x: Tensor, gradient: Gradient, rate: float, betas: tuple[float, float]) -> Iterator[Tensor]:
    """Kingma and Ba 2015, algorithm 1, each x from the start on."""
    m, v = torch.zeros_like(x), torch.zeros_like(x)
    yield x
    for t in range(1, STEPS + 1):
        g = gradient(x)
        m = betas[0] * m + (1 - betas[0]) * g
        v = betas[1] * v + (1 - betas[1]) * g**2
        x = x - rate * (m / (1 - betas[0] ** t)) / ((v / (1 - betas[1] ** t)).sqrt() + 1e-8)
        yield x


def sgd(x: Tensor, gradient: Gradient, rate: Callable[[int], float]) -> Iterator[Tensor]:
    """MXNet's, momentum .9, weight decay 5e-4: the momentum's vector holds the rate that it was gathered with."""
    vector = torch.zeros_like(x)
    yield x
    for step in range(STEPS):
        vector = 0.9 * vector
        vector = vector - rate(step) * (gradient(x) + 5e-4 * x)
        x = x + vector
        yield x


def clamped_and_averaged(x: Tensor, gradient: Gradient) -> Iterator[Tensor]:
    """crowsonkb's: Adam with betas .9, .99, clamped after each step; what is shown is the average, bias-corrected."""
    m, v = torch.zeros_like(x), torch.zeros_like(x)
    average, left = 0.01 * x, 0.99
    yield average / (1 - left)
    for t in range(1, STEPS + 1):
        g = gradient(x)
        m, v = 0.9 * m + 0.1 * g, 0.99 * v + 0.01 * g**2
        x = x - 0.02 * (m / (1 - 0.9**t)) / ((v / (1 - 0.99**t)).sqrt() + 1e-8)
        x = x.clamp(0, 1)
        average, left = 0.99 * average + 0.01 * x, 0.99 * left
        yield average / (1 - left)


def rendered(spec: JobSpec, content: Tensor, style: Tensor, network: Network, start: Tensor) -> list[Tensor]:
    """The engine's pictures, each (3, H, W) in [0, 1], from the start on."""
    objective = engine_of(spec, content, style, network, start)
    rules = UpdateRules.of(spec)
    scale = Scale(STEPS, lambda: (start[None], objective))
    return [progress.image[0] for progress in optimize([scale], make_optimizer(spec), rules)]


def check(found: list[Tensor], expected: Iterator[Tensor], program: Program) -> None:
    """Compare the ways that the pictures went, whose length says how much there is to agree on."""
    wanted = [program.picture(x) for x in expected]
    assert len(found) == len(wanted) == STEPS + 1
    torch.testing.assert_close(found[0], wanted[0], rtol=0, atol=1e-12)
    for image, picture in zip(found[1:], wanted[1:], strict=True):
        assert relative_error(image - found[0], picture - wanted[0]) < 1e-8


@pytest.mark.parametrize(("preset", "rate"), [("udacity", 0.003), ("tensorflow", 2.0)])
def test_the_presets_with_adam_take_their_program_s_steps(preset: str, rate: float) -> None:
    """Given a preset with Adam, if ten steps are made, I expect the pictures of the program."""
    image, content, style = pictures(preset)
    network, program = random_network(biased=True), PROGRAMS[preset]
    start = program.coordinates(image)
    expected = adam(start, lambda x: reference_gradient(program, x, content, style, network), rate, (0.9, 0.999))
    check(rendered(spec_of(preset), content, style, network, start), expected, program)


def of_mxnet(network: Network, rate: Callable[[int], float], start: Tensor) -> Iterator[Tensor]:
    """The pictures of the MXNet program, in its coordinates."""
    program, clip = PROGRAMS["mxnet"], float(start.numel())
    _, content, style = pictures("mxnet")
    return sgd(start, lambda x: reference_gradient(program, x, content, style, network, clip), rate)


@pytest.mark.parametrize("gain", [1.0, 1e-2])
def test_mxnet_takes_its_program_s_steps(gain: float) -> None:
    """Given activations whose gradient is clipped, or is not, I expect the pictures of the program's SGD."""
    image, content, style = pictures("mxnet")
    network = scaled(random_network(biased=False), gain)
    start = PROGRAMS["mxnet"].coordinates(image)
    found = rendered(spec_of("mxnet", stop_change=0.0), content, style, network, start)
    check(found, of_mxnet(network, lambda _: 1e-3, start), PROGRAMS["mxnet"])


def test_mxnet_stops_when_a_step_changes_less_than_half_a_percent() -> None:
    """Given a rate that falls to a third each step, I expect the run to end where the program's change is below it."""
    image, content, style = pictures("mxnet")
    network, start = random_network(biased=True), 0.08 * PROGRAMS["mxnet"].coordinates(image)
    every = list(of_mxnet(network, lambda step: 1e-3 / 3**step, start))
    changes = [float((old - new).norm() / new.norm()) for old, new in pairwise(every)]
    last = next(index for index, change in enumerate(changes, 1) if change < 0.005)
    assert 2 < last < STEPS
    spec = spec_of("mxnet", learning_rate_decay=1 / 3, learning_rate_steps=1)
    found = rendered(spec, content, style, network, start)
    assert len(found) == last + 1
    torch.testing.assert_close(found[-1], PROGRAMS["mxnet"].picture(every[last]), rtol=0, atol=1e-9)


def shallow_multiscale(x: Tensor, content: Tensor, style: Tensor, network: Network) -> ProgramLosses:
    """`multiscale` at three layers, whose roots take less time."""
    f, p, a = (vgg19(normalized(image), network, maximum, "replicate") for image in (x, content, style))
    content_loss = (f["relu2_2"] - p["relu2_2"]).square().mean()
    weights = {"relu1_1": 0.5, "relu2_1": 0.3, "relu3_1": 0.2}
    layers = [weight * wasserstein(f[layer], a[layer]) for layer, weight in weights.items()]
    return ProgramLosses(0.015 * content_loss, total(layers), 2 * nine_points(x))


def test_multiscale_takes_its_program_s_steps_at_one_scale() -> None:
    """Given a start at black and white, I expect the averaged pictures of the program, clamped on the way."""
    image, content, style = pictures("multiscale")
    start = (3 * image - 1).clamp(0, 1)
    network, program = random_network(biased=True), Program(as_it_is, as_it_is, shallow_multiscale)
    layers = {"content_layers": ("relu2_2",), "style_layers": ("relu1_1", "relu2_1", "relu3_1")}
    spec = spec_of("multiscale", **layers, style_layer_weights=(0.5, 0.3, 0.2))
    expected = clamped_and_averaged(start, lambda x: reference_gradient(program, x, content, style, network))
    check(rendered(spec, content, style, network, start), expected, program)


def test_the_rate_of_mxnet_falls_by_a_tenth_each_eighty_steps() -> None:
    """Given a constant gradient, I expect the steps of MXNet's FactorScheduler(step=80, factor=.9)."""
    optimizer = make_optimizer(spec_of("mxnet", momentum=0.0, weight_decay=0.0))
    image = torch.zeros(1, 3, 2, 2, dtype=torch.float64)
    rate, count = 1e-3, 0
    for update in range(1, 251):
        # Updates count from 1; the scheduler compares before the update.
        if update > count + 80:
            count, rate = count + 80, rate * 0.9
        moved = optimizer.step(image, torch.ones_like(image))
        torch.testing.assert_close(image - moved, torch.full_like(image, rate), rtol=1e-9, atol=0)
        image = moved.clone().zero_()


def test_mxnet_s_rate_decays_under_its_momentum() -> None:
    """Given a gradient that changes, I expect 170 steps as MXNet writes them, momentum and weight decay and all."""
    optimizer = make_optimizer(spec_of("mxnet"))
    assert isinstance(optimizer, Sgd)
    assert optimizer.rate == LearningRate(1e-3, 0.9, 80)
    x = ours = torch.linspace(-100, 150, 12, dtype=torch.float64).view(1, 3, 2, 2)
    vector = torch.zeros_like(x)
    for step in range(170):
        rate = 1e-3 * 0.9 ** (step // 80)
        vector = 0.9 * vector - rate * (x.sin() + 5e-4 * x)
        x = x + vector
        ours = optimizer.step(ours, ours.sin())
        torch.testing.assert_close(ours, x, rtol=1e-9, atol=1e-9)
