"""Each style loss against closed forms and plain loops, and the laws that all of them keep."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from torch import Tensor

from stylefarm.shared.spec.parameters import STYLE_LOSSES
from stylefarm.worker.engine.losses.matrix_sqrt import matrix_sqrt, newton_schulz, trace_sqrt
from stylefarm.worker.engine.losses.moment_losses import RIDGE, MomentLoss
from stylefarm.worker.engine.losses.moments import PositionWeights, compute_moments
from stylefarm.worker.engine.losses.options import StyleOptions
from stylefarm.worker.engine.losses.style import load_loss
from tests.unit.style_targets import StyleSource, style_target

EVERY: tuple[str, ...] = STYLE_LOSSES
# An unbiased estimate, which draws some of the positions: it knows neither their order nor an exact zero.
EXACT = tuple(name for name in EVERY if name != "mmd-gaussian")

LAWS = settings(max_examples=25, deadline=None)
SHAPE = (4, 2, 4)


def features(seed: int, channels: int, height: int, width: int) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(1, channels, height, width, generator=generator, dtype=torch.float64)


def any_features() -> st.SearchStrategy[Tensor]:
    """Of four channels at eight positions: all alike, of low rank, zero, of any size up to 10."""
    drawn = arrays(np.float64, SHAPE, elements=st.floats(-10, 10, allow_subnormal=False))
    return drawn.map(lambda array: torch.from_numpy(array)[None])


def distance(name: str, x: Tensor, y: Tensor, options: StyleOptions | None = None, seed: int = 0) -> Tensor:
    return style_target(name, [StyleSource(y)], options).distance(x, None, seed)[0]


def vectors(x: Tensor) -> list[list[float]]:
    """The feature vector of each position."""
    listed: list[list[float]] = x[0].flatten(1).T.tolist()
    return listed


def dot(a: list[float], b: list[float]) -> float:
    return sum(p * q for p, q in zip(a, b, strict=True))


def biased_mmd(x: Tensor, y: Tensor, kernel: Callable[[list[float], list[float]], float]) -> float:
    """Gretton et al. 2012, eq. 5: the mean over all pairs, a vector with itself too."""

    def mean(first: Tensor, second: Tensor) -> float:
        values = [kernel(a, b) for a in vectors(first) for b in vectors(second)]
        return sum(values) / len(values)

    return mean(x, x) + mean(y, y) - 2 * mean(x, y)


def test_mean_std_is_a_sum_over_channels() -> None:
    """Given two sets of features, I expect (1 / C) sum[(mu - mu')^2 + (sigma - sigma')^2], written as loops."""
    x, y = features(0, 3, 4, 5), 2 * features(1, 3, 3, 2) + 1
    expected = 0.0
    for channel in range(3):
        moments = []
        for values in (x[0, channel].flatten().tolist(), y[0, channel].flatten().tolist()):
            mean = sum(values) / len(values)
            moments.append((mean, math.sqrt(sum((v - mean) ** 2 for v in values) / len(values))))
        (mu, sigma), (mu_y, sigma_y) = moments
        expected += ((mu - mu_y) ** 2 + (sigma - sigma_y) ** 2) / 3
    assert distance("mean-std", x, y).item() == pytest.approx(expected, rel=1e-12)


def test_mmd_linear_is_the_mmd_of_the_dot_product() -> None:
    """Given two sets of features, I expect the MMD over all pairs of positions with the kernel x.y."""
    x, y = features(0, 3, 3, 4), features(1, 3, 2, 5) + 0.5
    assert distance("mmd-linear", x, y).item() == pytest.approx(biased_mmd(x, y, dot), rel=1e-9)


@pytest.mark.parametrize("offset", [0.0, 1.0, 7.5])
def test_mmd_poly_is_the_mmd_of_the_polynomial_kernel(offset: float) -> None:
    """Given an offset c, I expect the MMD over all pairs of positions with the kernel (x.y + c)^2."""
    x, y = features(0, 3, 3, 4), features(1, 3, 2, 5) + 0.5
    expected = biased_mmd(x, y, lambda a, b: (dot(a, b) + offset) ** 2)
    assert distance("mmd-poly", x, y, StyleOptions(offset=offset)).item() == pytest.approx(expected, rel=1e-9)


@given(any_features(), any_features())
@LAWS
def test_gram_is_the_mmd_of_the_squared_dot_product(x: Tensor, y: Tensor) -> None:
    """Given any features, I expect C^2 times the Gram distance to be the biased MMD^2 with the kernel (x.y)^2."""
    expected = biased_mmd(x, y, lambda a, b: dot(a, b) ** 2)
    largest = max(dot(a, a) for a in (*vectors(x), *vectors(y)))
    found = SHAPE[0] ** 2 * distance("gram", x, y).item()
    assert found == pytest.approx(expected, rel=1e-9, abs=1e-12 * largest**2 + 1e-300)


def test_wasserstein_in_one_dimension_compares_means_and_deviations() -> None:
    """Given one channel, I expect (mu - mu')^2 + (sigma - sigma')^2, the ridge within sigma^2."""
    x, y = features(0, 1, 4, 5), 3 * features(1, 1, 3, 4) - 2
    (mu, sigma), (mu_y, sigma_y) = ((v.mean(), (v.var(correction=0) + RIDGE).sqrt()) for v in (x, y))
    torch.testing.assert_close(distance("wasserstein", x, y), (mu - mu_y) ** 2 + (sigma - sigma_y) ** 2)


def test_wasserstein_of_commuting_covariances_compares_their_eigenvalues() -> None:
    """Given features and the same ones scaled and moved, I expect (|b|^2 + sum(sqrt l - sqrt l')^2) / C."""
    x = features(0, 4, 5, 6)
    y = 2.5 * x + 0.3
    eigenvalues = torch.linalg.eigvalsh(torch.cov(x[0].flatten(1), correction=0))
    roots, scaled = (eigenvalues + RIDGE).sqrt(), (2.5**2 * eigenvalues + RIDGE).sqrt()
    moved = (x - y).mean((2, 3)).square().sum()
    torch.testing.assert_close(distance("wasserstein", x, y), (moved + (roots - scaled).square().sum()) / 4)


@pytest.mark.parametrize("width", [1, 2, 20])
def test_wasserstein_is_that_of_exact_roots(width: int) -> None:
    """Given random features, of full rank or not, I expect the formula with exactly decomposed covariances."""
    x, y = features(0, 6, 2, width), 1.5 * features(1, 6, 2, width) + 0.2
    ridge = RIDGE * torch.eye(6, dtype=torch.float64)
    s, t = (torch.cov(v[0].flatten(1), correction=0) + ridge for v in (x, y))
    values, basis = torch.linalg.eigh(t)
    root = basis @ torch.diag(values.sqrt()) @ basis.T
    both = torch.linalg.eigvalsh(root @ s @ root).sqrt().sum()
    means = (x - y).mean((2, 3)).square().mean()
    expected = means + (s.trace() + t.trace() - 2 * both) / 6
    torch.testing.assert_close(distance("wasserstein", x, y), expected, rtol=1e-6, atol=1e-8)


def test_wasserstein_stays_finite_where_positions_are_few() -> None:
    """Given 512 channels at four positions, in float32, I expect a finite distance with a finite gradient."""
    x, y = (features(seed, 512, 2, 2).float().relu() for seed in (0, 1))
    target = style_target("wasserstein", [StyleSource(y)])
    for start in (x, y, torch.zeros_like(x)):
        leaf = start.clone().requires_grad_()
        value = target.distance(leaf, None, 0).sum()
        (gradient,) = torch.autograd.grad(value, leaf)
        assert value.isfinite()
        assert gradient.isfinite().all()


def test_the_trace_of_a_root_has_its_gradient() -> None:
    """Given positive definite matrices, I expect roots whose squares they are, and the gradient of finite steps."""
    factors = torch.stack([features(seed, 1, 4, 4)[0, 0] for seed in (0, 1)])

    def product(factor: Tensor) -> Tensor:
        """Symmetric however one of the factor's numbers is moved."""
        return factor @ factor.mT + 0.1 * torch.eye(4, dtype=torch.float64)

    root = matrix_sqrt(product(factors))
    torch.testing.assert_close(root @ root, product(factors))
    torch.testing.assert_close(trace_sqrt(product(factors)), root.diagonal(dim1=1, dim2=2).sum(1))
    assert torch.autograd.gradcheck(lambda factor: trace_sqrt(product(factor)), factors.requires_grad_())


def test_products_of_matrices_find_the_roots_that_eigenvalues_give() -> None:
    """Given the product under Wasserstein's root, 512 channels at four positions, I expect its trace on any device."""
    flat = features(0, 512, 2, 2)[0].flatten(1).relu()
    matrix = (torch.cov(flat, correction=0) + RIDGE * torch.eye(512, dtype=torch.float64))[None]
    matrix = matrix @ matrix
    expected = trace_sqrt(matrix)
    for dtype, tolerance in ((torch.float64, 1e-6), (torch.float32, 1e-3)):
        root, inverse = newton_schulz(matrix.to(dtype))
        assert inverse.isfinite().all()
        found = root.double().diagonal(dim1=1, dim2=2).sum(1)
        torch.testing.assert_close(found, expected, rtol=tolerance, atol=0)


def test_sliced_in_one_dimension_is_the_distance_of_sorted_values() -> None:
    """Given one channel, I expect the mean squared difference of both sets, each in order, for any projections."""
    x, y = features(0, 1, 3, 4), 2 * features(1, 1, 4, 3)
    pairs = zip(sorted(x.flatten().tolist()), sorted(y.flatten().tolist()), strict=True)
    expected = sum((a - b) ** 2 for a, b in pairs) / 12
    assert distance("sliced", x, y).item() == pytest.approx(expected, rel=1e-12)


def test_sliced_knows_a_style_by_its_distribution_not_its_size() -> None:
    """Given a style that shows each vector twice, I expect the distance to the vectors themselves to be zero."""
    x = features(0, 3, 4, 5)
    assert distance("sliced", x, torch.cat([x, x], 3)).item() == pytest.approx(0, abs=1e-12)


def test_sliced_measures_a_translation_in_all_directions_alike() -> None:
    """Given features moved by t, I expect |t|^2 / C on average over many directions, drawn anew for each seed."""
    x, t = features(0, 4, 3, 4), features(1, 4, 1, 1)
    options = StyleOptions(projections=4096)
    found = torch.stack([distance("sliced", x + t, x, options, seed) for seed in range(20)])
    torch.testing.assert_close(found.mean(), t.square().mean(), rtol=0.02, atol=0)
    assert len(set(found.tolist())) == 20


def gaussian(y: Tensor) -> Callable[[list[float], list[float]], float]:
    """The kernel whose squared bandwidth is the mean squared distance of all pairs of `y`."""
    squares = [sum((p - q) ** 2 for p, q in zip(a, b, strict=True)) for a in vectors(y) for b in vectors(y)]
    bandwidth = sum(squares) / len(squares)
    return lambda a, b: math.exp(-sum((p - q) ** 2 for p, q in zip(a, b, strict=True)) / (2 * bandwidth))


def test_mmd_gaussian_of_two_positions_is_one_quadruple() -> None:
    """Given two positions each, I expect k(x1, x2) + k(y1, y2) less the kernels across, in one of both orders."""
    x, y = features(0, 3, 1, 2), features(1, 3, 1, 2)
    kernel, (x1, x2), (y1, y2) = gaussian(y), vectors(x), vectors(y)
    alike = kernel(x1, x2) + kernel(y1, y2)
    orders = (alike - kernel(x1, y2) - kernel(x2, y1), alike - kernel(x1, y1) - kernel(x2, y2))
    found = {round(distance("mmd-gaussian", x, y, seed=seed).item(), 12) for seed in range(20)}
    assert found == {round(order, 12) for order in orders}


def test_mmd_gaussian_is_unbiased() -> None:
    """Given many seeds, I expect their mean to be the MMD over all pairs of different positions, within its error."""
    x, y = features(0, 3, 3, 4), 1.3 * features(1, 3, 3, 3) + 0.4
    kernel = gaussian(y)
    within = 0.0
    for listed in (vectors(x), vectors(y)):
        count = len(listed)
        pairs = [kernel(listed[i], listed[j]) for i in range(count) for j in range(count) if i != j]
        within += sum(pairs) / len(pairs)
    across = [kernel(a, b) for a in vectors(x) for b in vectors(y)]
    target = style_target("mmd-gaussian", [StyleSource(y)])
    found = torch.stack([target.distance(x, None, 2 * seed)[0] for seed in range(3000)])
    error = found.std() / len(found) ** 0.5
    assert abs(found.mean() - (within - 2 * sum(across) / len(across))) < 3.5 * error
    assert error < 0.01


@pytest.mark.parametrize("name", EXACT)
@given(x=any_features())
@LAWS
def test_features_are_at_no_distance_from_themselves(name: str, x: Tensor) -> None:
    """Given any features, I expect no distance from themselves, but for rounding."""
    assert distance(name, x, x).item() == pytest.approx(0, abs=1e-6 * (1 + x.square().sum().item()))


@pytest.mark.parametrize("name", EVERY)
@given(x=any_features(), y=any_features(), share=st.floats(0, 1), seed=st.integers(0, 2**32))
@LAWS
def test_two_equal_styles_are_one(name: str, x: Tensor, y: Tensor, share: float, seed: int) -> None:
    """Given one style twice, at any shares, I expect the distance to it alone."""
    twice = style_target(name, [StyleSource(y, share=share), StyleSource(y, share=1 - share)])
    torch.testing.assert_close(twice.distance(x, None, seed)[0], distance(name, x, y, seed=seed), rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("name", EVERY)
@given(x=any_features(), y=any_features(), seed=st.integers(0, 2**32))
@LAWS
def test_a_region_that_is_everywhere_is_none(name: str, x: Tensor, y: Tensor, seed: int) -> None:
    """Given regions of ones for both sides, I expect what is found without them."""
    everywhere = torch.ones(1, 1, *SHAPE[1:], dtype=torch.float64)
    found = style_target(name, [StyleSource(y, everywhere)]).distance(x, everywhere, seed)[0]
    torch.testing.assert_close(found, distance(name, x, y, seed=seed), rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("name", EXACT)
@given(x=any_features(), y=any_features(), order=st.permutations(range(8)))
@LAWS
def test_style_does_not_know_where_things_are(name: str, x: Tensor, y: Tensor, order: list[int]) -> None:
    """Given features whose positions change places, on either side, I expect the same distance."""
    moved_x, moved_y = (features.flatten(2)[:, :, order].view_as(features) for features in (x, y))
    expected = distance(name, x, y)
    torch.testing.assert_close(distance(name, moved_x, y), expected, rtol=1e-6, atol=1e-6)
    torch.testing.assert_close(distance(name, x, moved_y), expected, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("kind", [kind for kind in map(load_loss, EVERY) if issubclass(kind, MomentLoss)])
def test_a_written_out_gradient_is_autograd_s(kind: type[MomentLoss]) -> None:
    """Given a loss of moments, if its gradient for them is computed, I expect autograd's of its distance."""
    style, found = (
        compute_moments(features(seed, 3, 5, 4), kind.moments, PositionWeights(20), slice(None)) for seed in (1, 2)
    )
    loss = kind.for_styles([(1.0, style)], StyleOptions())
    distance, gradient = loss.distance_and_grad(found)
    by_autograd, expected = MomentLoss.distance_and_grad(loss, found)
    torch.testing.assert_close(distance, by_autograd)
    for moment in kind.moments:
        mine, its = (_symmetric(getattr(each, moment)) for each in (gradient, expected))
        torch.testing.assert_close(mine, its)


def _symmetric(gradient: Tensor) -> Tensor:
    """Return the part of a gradient that counts: a second moment is symmetric."""
    return gradient + gradient.mT if gradient.ndim == 3 else gradient
