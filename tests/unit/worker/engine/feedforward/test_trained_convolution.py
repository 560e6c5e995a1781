"""Convolutions of a training: their values and gradients are those of the plain ones."""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional

from stylefarm.worker.engine.feedforward import trained_convolution
from stylefarm.worker.engine.feedforward.trained_convolution import convolved


@pytest.mark.parametrize("biased", [True, False])
@pytest.mark.parametrize("shape", [(2, 64, 64, 34, 35), (1, 64, 96, 36, 34), (2, 8, 8, 34, 34), (1, 64, 64, 10, 10)])
def test_gradients_are_the_plain_ones(
    shape: tuple[int, int, int, int, int], biased: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Given features wide or narrow, large or small, if they are convolved, I expect conv2d's values and gradients."""
    if not torch.backends.nnpack.is_available():
        pytest.skip("this torch comes without NNPACK, or the processor is too old for it")
    monkeypatch.setattr(trained_convolution, "choose_algorithm", lambda *_: "winograd")
    batch, inputs, outputs, height, width = shape
    draw = torch.Generator().manual_seed(0)
    x = torch.randn(batch, inputs, height, width, generator=draw).requires_grad_()
    weight = (torch.randn(outputs, inputs, 3, 3, generator=draw) * 0.05).requires_grad_()
    bias = torch.randn(outputs, generator=draw).requires_grad_() if biased else None
    leaves = [leaf for leaf in (x, weight, bias) if leaf is not None]
    found, expected = convolved(x, weight, bias), functional.conv2d(x, weight, bias)
    torch.testing.assert_close(found, expected, atol=1e-3, rtol=1e-4)
    grad = torch.randn(expected.shape, generator=draw)
    for own, plain in zip(
        torch.autograd.grad(found, leaves, grad), torch.autograd.grad(expected, leaves, grad), strict=True
    ):
        torch.testing.assert_close(own, plain, atol=1e-3 * float(plain.abs().max()), rtol=1e-3)
