"""Products of matrices by whichever library is faster."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

from stylefarm.worker.engine.products import add_product, add_product_of_batches, has_onednn, multiply, multiply_batches

TOLERANCES = {torch.float64: 1e-12, torch.float32: 1e-5, torch.bfloat16: 2e-2}


def matrix(rows: int, columns: int, seed: int, dtype: torch.dtype) -> Tensor:
    """Random numbers."""
    return torch.randn(rows, columns, generator=torch.Generator().manual_seed(seed)).to(dtype)


@pytest.mark.parametrize("dtype", TOLERANCES)
@pytest.mark.parametrize("layout", ["whole", "part of a wider one", "transposed"])
def test_a_product_is_that_of_float64(dtype: torch.dtype, layout: str) -> None:
    """Given matrices in any layout, if they are multiplied, or added to others, I expect the exact product."""
    a, b, bias, total = (matrix(*shape, seed, dtype) for seed, shape in enumerate([(70, 24), (9, 24), (1, 9), (70, 9)]))
    if layout == "part of a wider one":
        a = torch.cat([a, a], 1)[:, :24]
    elif layout == "transposed":
        a, b = a.T.contiguous().T, b.T.contiguous().T
    exact = a.double() @ b.double().T
    limits: dict[str, Any] = {"rtol": TOLERANCES[dtype], "atol": 5 * TOLERANCES[dtype]}
    torch.testing.assert_close(multiply(a, b).double(), exact, **limits)
    torch.testing.assert_close(multiply(a, b, bias[0]).double(), exact + bias.double(), **limits)
    apart = bias[0].repeat_interleave(2)[::2]
    torch.testing.assert_close(multiply(a, b, apart).double(), exact + bias.double(), **limits)
    pairs = [torch.stack([a, -a]), torch.stack([b, b])]
    torch.testing.assert_close(multiply_batches(*pairs).double(), torch.stack([exact, -exact]), **limits)
    sums = add_product_of_batches(torch.stack([total, total]), *pairs)
    torch.testing.assert_close(sums.double(), total.double() + torch.stack([exact, -exact]), **limits)
    expected = total.double() + exact
    torch.testing.assert_close(add_product(total, a, b).double(), expected, **limits)
    torch.testing.assert_close(total.double(), expected, **limits)


def test_a_product_has_a_gradient() -> None:
    """Given a factor whose gradient is wanted, if matrices are multiplied, I expect it, and no other library."""
    a, b = matrix(3, 4, 0, torch.float32).requires_grad_(), matrix(2, 4, 1, torch.float32)
    assert not has_onednn(a, b)
    (gradient,) = torch.autograd.grad(multiply(a, b).sum(), a)
    torch.testing.assert_close(gradient, b.sum(0).expand(3, -1))


def test_a_product_over_nothing_is_zero() -> None:
    """Given factors without columns, if they are multiplied, I expect zeros."""
    assert torch.equal(multiply(torch.ones(3, 0), torch.ones(4, 0)), torch.zeros(3, 4))
