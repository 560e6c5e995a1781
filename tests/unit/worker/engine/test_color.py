"""The content's colours, kept or handed to the style."""

from __future__ import annotations

import numpy as np
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from torch import Tensor

from stylefarm.worker.engine.color import luminance, match_colours, match_luminance, with_colours_of

LAWS = settings(max_examples=100, deadline=None)
# Y, I and Q of red, green and blue.
YIQ = torch.tensor([[0.299, 0.587, 0.114], [0.5959, -0.2746, -0.3213], [0.2115, -0.5227, 0.3112]], dtype=torch.float64)
# What keeps a covariance invertible where a picture has fewer than three colours.
RIDGE = 1e-5 * torch.eye(3, dtype=torch.float64)


def any_pictures() -> st.SearchStrategy[Tensor]:
    drawn = arrays(np.float64, (1, 3, 2, 3), elements=st.floats(0, 1))
    return drawn.map(torch.from_numpy)


def mild(seed: int, mean: float, deviation: float, height: int = 12, width: int = 10) -> Tensor:
    """A picture of coloured noise, well within [0, 1]."""
    generator = torch.Generator().manual_seed(seed)
    # Near the identity, so that no direction has so little variance that the ridge would show.
    mixing = torch.eye(3, dtype=torch.float64) + 0.4 * torch.randn(3, 3, generator=generator, dtype=torch.float64)
    noise = torch.rand(3, height * width, generator=generator, dtype=torch.float64) - 0.5
    coloured = mixing @ noise
    return (mean + deviation * coloured / coloured.std()).view(1, 3, height, width)


def colours(image: Tensor) -> Tensor:
    """(3, pixels)."""
    return image[0].flatten(1)


def yiq(image: Tensor) -> Tensor:
    return YIQ @ colours(image)


@given(any_pictures(), any_pictures())
@LAWS
def test_the_content_s_chroma_is_kept(content: Tensor, painted: Tensor) -> None:
    """Given any two pictures, if one lends the other its colours, I expect its own I and Q, within black and white."""
    found = with_colours_of(content, painted)
    torch.testing.assert_close(yiq(found)[1:], yiq(content)[1:], rtol=0, atol=1e-12)
    assert found.min() >= 0
    assert found.max() <= 1


@given(any_pictures(), any_pictures())
@LAWS
def test_the_painted_brightness_is_taken_where_there_is_room(content: Tensor, painted: Tensor) -> None:
    """Given any two pictures, I expect the painted brightness, or as near to it as the content's colour may come."""
    found, wanted = with_colours_of(content, painted), yiq(painted)[0]
    at_bound = (found.amin(1) <= 1e-12) | (found.amax(1) >= 1 - 1e-12)
    exact = (yiq(found)[0] - wanted).abs() < 1e-12
    assert (exact | at_bound.flatten()).all()
    # It lies between the content's brightness and the painted one.
    past = (yiq(found)[0] - yiq(content)[0]) * (wanted - yiq(found)[0])
    assert (past >= -1e-12).all()


@given(any_pictures())
@LAWS
def test_a_picture_lends_itself_nothing(content: Tensor) -> None:
    """Given one picture for both, I expect it back."""
    torch.testing.assert_close(with_colours_of(content, content), content, rtol=0, atol=1e-12)


def test_a_matched_style_has_the_content_s_mean_and_covariance() -> None:
    """Given pictures that need no clipping, I expect the content's moments, the covariance but for its ridge."""
    style, content = mild(0, 0.6, 0.05), mild(1, 0.45, 0.07, 9, 14)
    matched = match_colours(style, content)
    assert 0 < matched.min() < matched.max() < 1
    torch.testing.assert_close(colours(matched).mean(1), colours(content).mean(1))
    found, expected = (torch.cov(colours(image)) for image in (matched, content))
    torch.testing.assert_close(found, expected, rtol=0, atol=5e-5)
    assert (found - expected).norm() < 0.02 * expected.norm()


def test_colours_are_turned_as_little_as_they_can_be() -> None:
    """Given the same, I expect the symmetric map C^1/2 S^-1/2 of the regularised covariances, pixel by pixel."""
    style, content = mild(0, 0.6, 0.05), mild(1, 0.45, 0.07)
    roots = []
    for image, exponent in ((content, 0.5), (style, -0.5)):
        values, vectors = torch.linalg.eigh(torch.cov(colours(image)) + RIDGE)
        roots.append(vectors @ torch.diag(values**exponent) @ vectors.T)
    centred = colours(style) - colours(style).mean(1, keepdim=True)
    expected = roots[0] @ roots[1] @ centred + colours(content).mean(1, keepdim=True)
    torch.testing.assert_close(colours(match_colours(style, content)), expected)


@given(any_pictures())
@LAWS
def test_matching_a_picture_to_itself_changes_nothing(image: Tensor) -> None:
    """Given any picture as both, even of a single colour, I expect it back."""
    torch.testing.assert_close(match_colours(image, image), image, rtol=0, atol=1e-9)


def test_matched_brightness_has_the_content_s_mean_and_deviation() -> None:
    """Given pictures that need no clipping, I expect a grey style with the content's mean and deviation of Y."""
    style, content = mild(0, 0.6, 0.05), mild(1, 0.45, 0.07, 9, 14)
    matched = match_luminance(style, content)
    assert 0 < matched.min() < matched.max() < 1
    assert torch.equal(matched[:, 0], matched[:, 1])
    assert torch.equal(matched[:, 0], matched[:, 2])
    torch.testing.assert_close(luminance(matched).mean(), yiq(content)[0].mean())
    torch.testing.assert_close(luminance(matched).std(), yiq(content)[0].std())


def test_a_flat_style_gets_the_content_s_mean_brightness() -> None:
    """Given a style of one colour, I expect the content's mean brightness everywhere."""
    content = mild(1, 0.45, 0.07)
    matched = match_luminance(torch.full((1, 3, 4, 4), 0.7, dtype=torch.float64), content)
    torch.testing.assert_close(matched, yiq(content)[0].mean().expand(1, 3, 4, 4))
