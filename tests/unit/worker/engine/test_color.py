"""The content's colors, kept or handed to the style."""

from __future__ import annotations

import numpy as np
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from torch import Tensor

from stylefarm.worker.engine.color import keep_colors, luminance, match_colors, match_luminance

LAWS = settings(max_examples=100, deadline=None)
# Y, I and Q of red, green and blue.
YIQ = torch.tensor([[0.299, 0.587, 0.114], [0.5959, -0.2746, -0.3213], [0.2115, -0.5227, 0.3112]], dtype=torch.float64)
# The ridge that keeps a covariance invertible where a picture has fewer than three colors.
RIDGE = 1e-5 * torch.eye(3, dtype=torch.float64)


def any_pictures() -> st.SearchStrategy[Tensor]:
    drawn = arrays(np.float64, (1, 3, 2, 3), elements=st.floats(0, 1))
    return drawn.map(torch.from_numpy)


def mild(seed: int, mean: float, std: float, height: int = 12, width: int = 10) -> Tensor:
    """A picture of colored noise, well within [0, 1]."""
    generator = torch.Generator().manual_seed(seed)
    # Near the identity, so that no direction has so little variance that the ridge would show.
    mixing = torch.eye(3, dtype=torch.float64) + 0.4 * torch.randn(3, 3, generator=generator, dtype=torch.float64)
    noise = torch.rand(3, height * width, generator=generator, dtype=torch.float64) - 0.5
    colored = mixing @ noise
    return (mean + std * colored / colored.std()).view(1, 3, height, width)


def colors(image: Tensor) -> Tensor:
    """(3, pixels)."""
    return image[0].flatten(1)


def yiq(image: Tensor) -> Tensor:
    return YIQ @ colors(image)


@given(any_pictures(), any_pictures())
@LAWS
def test_the_content_s_chroma_is_kept(content: Tensor, rendered: Tensor) -> None:
    """Given any two pictures, if one lends the other its colors, I expect its own I and Q, within black and white."""
    found = keep_colors(content, rendered)
    torch.testing.assert_close(yiq(found)[1:], yiq(content)[1:], rtol=0, atol=1e-12)
    assert found.min() >= 0
    assert found.max() <= 1


@given(any_pictures(), any_pictures())
@LAWS
def test_the_rendered_brightness_is_taken_where_there_is_room(content: Tensor, rendered: Tensor) -> None:
    """Given any two pictures, I expect the rendered brightness, or as near to it as the content's color may come."""
    found, wanted = keep_colors(content, rendered), yiq(rendered)[0]
    at_bound = (found.amin(1) <= 1e-12) | (found.amax(1) >= 1 - 1e-12)
    exact = (yiq(found)[0] - wanted).abs() < 1e-12
    assert (exact | at_bound.flatten()).all()
    # It lies between the content's brightness and the rendered one.
    past = (yiq(found)[0] - yiq(content)[0]) * (wanted - yiq(found)[0])
    assert (past >= -1e-12).all()


@given(any_pictures())
@LAWS
def test_a_picture_lends_itself_nothing(content: Tensor) -> None:
    """Given one picture for both, I expect it back."""
    torch.testing.assert_close(keep_colors(content, content), content, rtol=0, atol=1e-12)


def test_a_matched_style_has_the_content_s_mean_and_covariance() -> None:
    """Given pictures that need no clipping, I expect the content's moments, the covariance but for its ridge."""
    style, content = mild(0, 0.6, 0.05), mild(1, 0.45, 0.07, 9, 14)
    matched = match_colors(style, content)
    assert 0 < matched.min() < matched.max() < 1
    torch.testing.assert_close(colors(matched).mean(1), colors(content).mean(1))
    found, expected = (torch.cov(colors(image)) for image in (matched, content))
    torch.testing.assert_close(found, expected, rtol=0, atol=5e-5)
    assert (found - expected).norm() < 0.02 * expected.norm()


def test_colors_are_turned_as_little_as_they_can_be() -> None:
    """Given the same, I expect the symmetric map C^1/2 S^-1/2 of the regularised covariances, pixel by pixel."""
    style, content = mild(0, 0.6, 0.05), mild(1, 0.45, 0.07)
    roots = []
    for image, exponent in ((content, 0.5), (style, -0.5)):
        values, vectors = torch.linalg.eigh(torch.cov(colors(image)) + RIDGE)
        roots.append(vectors @ torch.diag(values**exponent) @ vectors.T)
    centered = colors(style) - colors(style).mean(1, keepdim=True)
    expected = roots[0] @ roots[1] @ centered + colors(content).mean(1, keepdim=True)
    torch.testing.assert_close(colors(match_colors(style, content)), expected)


@given(any_pictures())
@LAWS
def test_matching_a_picture_to_itself_changes_nothing(image: Tensor) -> None:
    """Given any picture as both, even of a single color, I expect it back."""
    torch.testing.assert_close(match_colors(image, image), image, rtol=0, atol=1e-9)


def test_matched_brightness_has_the_content_s_mean_and_deviation() -> None:
    """Given pictures that need no clipping, I expect a gray style with the content's mean and deviation of Y."""
    style, content = mild(0, 0.6, 0.05), mild(1, 0.45, 0.07, 9, 14)
    matched = match_luminance(style, content)
    assert 0 < matched.min() < matched.max() < 1
    assert torch.equal(matched[:, 0], matched[:, 1])
    assert torch.equal(matched[:, 0], matched[:, 2])
    torch.testing.assert_close(luminance(matched).mean(), yiq(content)[0].mean())
    torch.testing.assert_close(luminance(matched).std(), yiq(content)[0].std())


def test_a_flat_style_gets_the_content_s_mean_brightness() -> None:
    """Given a style of one color, I expect the content's mean brightness everywhere."""
    content = mild(1, 0.45, 0.07)
    matched = match_luminance(torch.full((1, 3, 4, 4), 0.7, dtype=torch.float64), content)
    torch.testing.assert_close(matched, yiq(content)[0].mean().expand(1, 3, 4, 4))
