"""Each preset's losses and first gradient against the program that it is named for."""

from __future__ import annotations

from functools import partial

import pytest
import torch
from torch import Tensor

from tests.parity.engines import (
    engine_of,
    pictures,
    random_network,
    reference_gradient,
    relative_error,
    scaled,
    spec_of,
)
from tests.parity.programs import PROGRAMS, laplacian, multiscale
from tests.parity.references import Network, Pool, Program, ProgramLosses, length, twice_the_average


def measured(
    preset: str, network: Network, program: Program, **changes: object
) -> tuple[Tensor, Tensor, ProgramLosses, Tensor]:
    """The engine's losses and gradient, and the program's."""
    image, content, style = pictures(preset)
    x = program.coordinates(image)
    objective = engine_of(spec_of(preset, **changes), content, style, network, x)
    losses, gradient = objective.gradient(x[None])
    clip = float(x.numel()) if preset == "mxnet" else None
    expected = program.losses(x, content, style, network)
    return losses[0], gradient[0], expected, reference_gradient(program, x, content, style, network, clip)


def check(
    preset: str, network: Network, program: Program | None = None, within: float = 1e-9, **changes: object
) -> None:
    program = program or PROGRAMS[preset]
    losses, gradient, expected, expected_gradient = measured(preset, network, program, **changes)
    for found, term in zip(losses[1:], expected, strict=True):
        torch.testing.assert_close(found, term.to(found), rtol=within, atol=0)
    torch.testing.assert_close(losses[0], losses[1:].sum())
    assert relative_error(gradient, expected_gradient) < within


@pytest.mark.parametrize("preset", PROGRAMS)
def test_a_preset_has_the_losses_and_the_gradient_of_its_program(preset: str) -> None:
    """Given a network with biases, if a picture is measured, I expect the program's terms and its gradient."""
    check(preset, random_network(biased=True))


@pytest.mark.parametrize("preset", sorted(set(PROGRAMS) - {"multiscale"}))
def test_a_preset_has_them_without_biases_too(preset: str) -> None:
    """Given a network without biases, as random features are, I expect the same agreement."""
    check(preset, random_network(biased=False))


@pytest.mark.parametrize(("pooling", "pool"), [("average", twice_the_average), ("l2", length)])
def test_multiscale_rescales_other_poolings(pooling: str, pool: Pool) -> None:
    """Given multiscale with another pooling than maximum, I expect the program with that pooling, rescaled."""
    program = PROGRAMS["multiscale"]._replace(losses=partial(multiscale, pool=pool))
    # The engine's root of an empty window is 1e-6, not 0.
    check("multiscale", random_network(biased=True), program, within=1e-6, pooling=pooling)


def test_mxnet_leaves_a_short_gradient_as_it_is() -> None:
    """Given small activations, whose gradient is shorter than 3HW, I expect the program's gradient, unclipped."""
    network = scaled(random_network(biased=False), 1e-2)
    image, content, style = pictures("mxnet")
    x = PROGRAMS["mxnet"].coordinates(image)
    unclipped = reference_gradient(PROGRAMS["mxnet"], x, content, style, network)
    assert 1e-2 * laplacian(x).norm() < unclipped.norm() < x.numel()
    check("mxnet", network)


def test_mxnet_adds_the_laplacian_behind_the_clipping() -> None:
    """Given a long gradient, I expect what remains of it without the Laplacian to have the length 3HW exactly."""
    image, content, style = pictures("mxnet")
    x = PROGRAMS["mxnet"].coordinates(image)
    objective = engine_of(spec_of("mxnet"), content, style, random_network(biased=True), x)
    gradient = objective.gradient(x[None])[1][0]
    clipped = gradient - 1e-2 * laplacian(x)
    torch.testing.assert_close(clipped.norm(), torch.tensor(float(x.numel())).double(), rtol=1e-9, atol=0)
