"""The numbers that compare methods, against scikit-image and against what they must be of a thing and itself."""

from __future__ import annotations

import pytest
import torch
from skimage.metrics import structural_similarity
from torch import Tensor

from stylefarm.worker.engine.color import luminance
from stylefarm.worker.engine.metrics import compute_metrics, ssim


def picture(seed: int, height: int = 40, width: int = 48) -> Tensor:
    return torch.rand(1, 3, height, width, generator=torch.Generator().manual_seed(seed))


def test_ssim_is_scikit_image_s() -> None:
    """Given two pictures, I expect the mean of scikit-image's map where its Gaussian window lies within them."""
    one, other = picture(0), picture(0) * 0.7 + 0.3 * picture(1)
    _, full = structural_similarity(
        *(luminance(image)[0, 0].double().numpy() for image in (one, other)),
        gaussian_weights=True,
        sigma=1.5,
        use_sample_covariance=False,
        data_range=1.0,
        full=True,
    )
    assert ssim(one, other) == pytest.approx(float(full[5:-5, 5:-5].mean()), abs=1e-4)


def test_a_picture_is_itself() -> None:
    """Given a rendering that is its content, or its style, I expect no distance to that one, and some to the other."""
    content, style = picture(0), picture(1) * 0.3
    of_content, of_style = compute_metrics(content, content, style), compute_metrics(style, content, style)
    assert (of_content.self_similarity, of_content.ssim) == pytest.approx((0, 1), abs=1e-5)
    assert (of_style.gram, of_style.sliced) == pytest.approx((0, 0), abs=1e-6)
    assert of_content.gram > 0.01
    assert of_style.ssim < 0.9
    assert of_content.clipped == of_style.clipped == 0


def test_what_lies_outside_is_counted() -> None:
    """Given a rendering of which a quarter lies outside [0, 1], I expect a share of a quarter."""
    rendered = picture(0)
    rendered[..., :24] = torch.cat([rendered[..., :12] + 2, rendered[..., 12:24]], dim=3)
    assert compute_metrics(rendered, picture(0), picture(1)).clipped == pytest.approx(0.25)
