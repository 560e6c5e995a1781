"""The four transforms: what they give the statistics of a style, and that nothing degenerate breaks them."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from stylefarm.shared.spec.models import Transform
from stylefarm.worker.engine.feedforward.distribution_matching import efdm, order
from stylefarm.worker.engine.feedforward.styling import Regions, Styling, know
from stylefarm.worker.engine.feedforward.transforms import AFFINE, adain, measure, ot, wct

TRANSFORMS: tuple[Transform, ...] = ("adain", "wct", "efdm", "ot")
SHAPES = ("random", "flat", "two colors", "grey", "sparse", "large", "tiny")


def features(seed: int, channels: int, height: int, width: int, kind: str = "random", batch: int = 1) -> Tensor:
    """Features with correlated channels; of degenerate kinds those of such pictures."""
    generator = torch.Generator().manual_seed(seed)
    found = torch.randn(batch, channels, height * width, generator=generator)
    turn = torch.randn(channels, channels, generator=generator)
    shift = torch.randn(channels, 1, generator=generator)
    if kind == "flat":
        found = torch.zeros_like(found)
    if kind == "two colors":
        found = (found[:, :1] > 0).float().expand_as(found)
    if kind == "grey":
        found = found[:, :1].expand_as(found)
    found = turn @ found + shift
    scale = {"large": 1e4, "tiny": 1e-6}.get(kind, 1.0)
    found = found.relu() if kind == "sparse" else found * scale
    return found.reshape(batch, channels, height, width)


def styled(
    transform: Transform, content: Tensor, *styles: Tensor, strength: float = 1.0, regions: Regions | None = None
) -> Tensor:
    known = [know(style, None, transform) for style in styles]
    styling = Styling(transform, known, [1 / len(styles)] * len(styles), regions, strength)
    rows = slice(0, content.shape[2])
    styling.observe(content, rows)
    return styling.apply(content, rows)


def covariance(x: Tensor) -> Tensor:
    return torch.cov(x[0].flatten(1).double())


def test_adain_gives_the_statistics_of_the_style() -> None:
    """given features of a content and a style, if adain maps the content, I expect each channel's mean and deviation of
    the style."""
    content, style = features(1, 6, 8, 9) * 3 + 1, features(2, 6, 5, 7)
    found = styled("adain", content, style).double()
    torch.testing.assert_close(found.mean((2, 3)), style.double().mean((2, 3)), atol=1e-6, rtol=1e-5)
    torch.testing.assert_close(
        found.var((2, 3), correction=0), style.double().var((2, 3), correction=0), atol=1e-4, rtol=1e-4
    )


@pytest.mark.parametrize("transform", ["wct", "ot"])
def test_coloring_gives_mean_and_covariance_of_the_style(transform: Transform) -> None:
    """given correlated features, if they are whitened and colored or transported, I expect the style's mean and
    covariance; and the identity covariance if the style's is the identity."""
    content, style = features(1, 6, 8, 9), features(2, 6, 5, 7)
    found = styled(transform, content, style)
    torch.testing.assert_close(covariance(found), covariance(style), atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(found.mean((2, 3)), style.mean((2, 3)), atol=1e-5, rtol=1e-5)
    style = torch.linalg.solve_triangular(
        torch.linalg.cholesky(covariance(style)), style[0].flatten(1).double(), upper=False
    ).view(style.shape)
    white = styled(transform, content.double(), style)
    torch.testing.assert_close(covariance(white), torch.eye(6, dtype=torch.float64), atol=1e-6, rtol=0)


def test_transport_moves_features_least() -> None:
    """given features, if wct and ot give them the same covariance, I expect ot to move them less, and not at all to
    their own."""
    content, style = features(1, 6, 8, 9), features(2, 6, 5, 7)
    moved = [(styled(name, content, style) - content).square().mean() for name in ("ot", "wct")]
    assert moved[0] < moved[1]
    torch.testing.assert_close(styled("ot", content, content), content, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("positions", [(4, 6), (7, 5), (2, 3)])
def test_efdm_gives_the_values_of_the_style(positions: tuple[int, int]) -> None:
    """given a style of the same, a larger or a smaller number of positions, if values are matched, I expect the order
    of the content in each channel and the style's values, interpolated where the numbers differ."""
    content, style = features(1, 3, 4, 6), features(2, 3, *positions)
    found = styled("efdm", content, style).flatten(2)
    assert (found.gather(2, content.flatten(2).argsort(2)).diff(dim=2) >= 0).all()
    ordered = style.flatten(2).sort(2).values
    if ordered.shape[2] == 24:
        assert torch.equal(found.sort(2).values, ordered)
    else:
        middles = (torch.arange(24) + 0.5) / 24 * ordered.shape[2] - 0.5
        low = middles.clamp(0, ordered.shape[2] - 1).floor().long()
        assert (found.sort(2).values >= ordered[:, :, low] - 1e-6).all()
        assert found.min() >= style.min() and found.max() <= style.max()


@pytest.mark.parametrize("transform", TRANSFORMS)
def test_a_uniform_weight_changes_nothing(transform: Transform) -> None:
    """given features, if all positions have the weight 1, I expect what none gives."""
    content, style = features(1, 4, 5, 6).flatten(2), features(2, 4, 3, 7).flatten(2)
    ones = [torch.ones(1, x.shape[2]) for x in (content, style)]
    if transform == "efdm":
        torch.testing.assert_close(efdm(content, order(style, ones[1]), ones[0]), efdm(content, order(style)))
    else:
        maps = [
            AFFINE[transform](
                *(measure(x, weights, full=True) for x, weights in zip((content, style), pair, strict=True))
            )
            for pair in (ones, [None, None])
        ]
        torch.testing.assert_close(maps[0](content), maps[1](content))


@pytest.mark.parametrize("transform", TRANSFORMS)
def test_strength_goes_from_the_content_to_the_style(transform: Transform) -> None:
    """given features, if the strength is 0, I expect the content's; if it is a half, the middle of both."""
    content, style = features(1, 4, 5, 6), features(2, 4, 3, 7)
    none, half, full = (styled(transform, content, style, strength=strength) for strength in (0.0, 0.5, 1.0))
    assert torch.equal(none, content)
    torch.testing.assert_close(half, (content + full) / 2, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("transform", TRANSFORMS)
def test_styles_mix_by_share_and_stay_in_their_regions(transform: Transform) -> None:
    """given two styles, if they have equal shares everywhere, I expect the mean of what each gives; if each has half of
    the picture, there what it gives to that half alone."""
    content, one, two = features(1, 4, 5, 6), features(2, 4, 3, 7), features(3, 4, 4, 4)
    mean = (styled(transform, content, one) + styled(transform, content, two)) / 2
    torch.testing.assert_close(styled(transform, content, one, two), mean, atol=1e-4, rtol=1e-4)
    left = torch.zeros(1, 1, 5, 6)
    left[..., :3] = 1
    regions = Regions.of([(0.5, left), (0.5, 1 - left)], (5, 6))
    found = styled(transform, content, one, two, regions=regions)
    torch.testing.assert_close(found[..., :3], styled(transform, content[..., :3], one), atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(found[..., 3:], styled(transform, content[..., 3:], two), atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("transform", TRANSFORMS)
def test_nothing_changes_outside_of_all_regions(transform: Transform) -> None:
    """given a style whose mask leaves a part out, I expect the content's features there."""
    content, style, mask = features(1, 4, 5, 6), features(2, 4, 3, 7), torch.zeros(1, 1, 5, 6)
    mask[..., :2, :] = 1
    found = styled(transform, content, style, regions=Regions.of([(1.0, mask)], (5, 6)))
    torch.testing.assert_close(found[:, :, 2:], content[:, :, 2:])
    assert (found[:, :, :2] - content[:, :, :2]).abs().mean() > 0.1


@pytest.mark.parametrize("full", [True, False])
def test_moments_of_parts_are_those_of_the_whole(full: bool) -> None:
    """given features far from zero, if their moments are merged from strips, I expect those of the whole."""
    x = features(1, 4, 10, 6).flatten(2) + 1000
    weights = torch.rand(1, 60, generator=torch.Generator().manual_seed(0))
    for some in (None, weights):
        whole = measure(x, some, full=full)
        merged = measure(x[..., :7], None if some is None else some[:, :7], full=full)
        merged = merged.merged(measure(x[..., 7:], None if some is None else some[:, 7:], full=full))
        for name in ("count", "mean", "scatter"):
            torch.testing.assert_close(getattr(merged, name), getattr(whole, name), atol=1e-3, rtol=1e-4)


@pytest.mark.parametrize("make", [wct, ot])
def test_a_single_position_falls_back_to_adain(make: object) -> None:
    """given a style of one position, which has no covariance, if it is whitened or transported, I expect adain's
    map."""
    content = measure(features(1, 4, 5, 6).flatten(2), None, full=True)
    style = measure(features(2, 4, 1, 1).flatten(2), None, full=True)
    assert callable(make)
    assert torch.equal(make(content, style).matrix, adain(content, style).matrix)


side = st.integers(1, 6)
picture = st.tuples(st.integers(0, 2**31), side, side, st.sampled_from(SHAPES))


def check_finite(transform: Transform, seeds: tuple[int, int], sizes: list[int], kinds: tuple[str, str]) -> None:
    content = features(seeds[0], 5, sizes[0], sizes[1], kinds[0])
    style = features(seeds[1], 5, sizes[2], sizes[3], kinds[1])
    found = styled(transform, content, style)
    assert found.isfinite().all()
    # Nothing is blown up, either: in no channel does the result leave what the style has by more than rounding allows.
    reach = (style - style.mean((2, 3), keepdim=True)).square().sum((1, 2, 3)).sqrt() * 30
    allowed = reach + 0.1 + 1e-3 * content.abs().max() + 1e-3 * style.abs().max()
    assert (found - style.mean((2, 3), keepdim=True)).abs().max() <= allowed


@settings(max_examples=60, deadline=None)
@given(transform=st.sampled_from(TRANSFORMS), content=picture, style=picture)
def test_degenerate_features_give_finite_ones(
    transform: Transform, content: tuple[int, int, int, str], style: tuple[int, int, int, str]
) -> None:
    """given random, flat, grey, two-colored, sparse, huge or tiny features of any size, down to one position, if any
    transform maps one to the other, I expect finite features around the style's mean."""
    check_finite(
        transform, (content[0], style[0]), [content[1], content[2], style[1], style[2]], (content[3], style[3])
    )
