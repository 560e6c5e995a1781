"""Products of matrices in float32 on a CPU by oneDNN.

torch gives them to MKL, which on processors of another maker than Intel takes half of the width of their vectors: there
oneDNN is twice as fast, and elsewhere it is no slower. Half precision goes to oneDNN as it is.
"""

from __future__ import annotations

import torch
from torch import Tensor


def has_onednn(*factors: Tensor) -> bool:
    """Return whether oneDNN multiplies these matrices: in float32, on a CPU, not empty, and without their gradients.

    Example:
        >>> has_onednn(torch.ones(1, 1, dtype=torch.float64))
        False
    """
    wanted = torch.is_grad_enabled() and any(factor.requires_grad for factor in factors)
    alike = all(
        factor.device.type == "cpu" and factor.dtype == torch.float32 and factor.numel() > 0 for factor in factors
    )
    return alike and not wanted and torch.backends.mkldnn.is_available()


def multiply(a: Tensor, b: Tensor, bias: Tensor | None = None) -> Tensor:
    """Return a b^T + bias.

    Args:
        a: (N, K), any float dtype.
        b: (M, K), of the same dtype and on the same device.
        bias: (M,); None for zero.

    Returns:
        (N, M), contiguous.

    Example:
        >>> multiply(torch.tensor([[1.0, 2.0]]), torch.tensor([[3.0, 4.0], [5.0, 6.0]]), torch.tensor([0.0, 1.0]))
        tensor([[11., 18.]])
    """
    if has_onednn(*(factor for factor in (a, b, bias) if factor is not None)):
        # Of a part of a larger matrix oneDNN has no fast kernel, and a bias it takes for whole.
        a, b, bias = a.contiguous(), b.contiguous(), None if bias is None else bias.contiguous()
        product: Tensor = torch.ops.mkldnn._linear_pointwise(a, b, bias, "none", [], "")
        return product
    return a @ b.mT if bias is None else torch.addmm(bias, a, b.mT)


def add_product(total: Tensor, a: Tensor, b: Tensor) -> Tensor:
    """Return `total` + a b^T, computed in place.

    Args:
        total: (N, M), contiguous along its rows.
        a: (N, K), of the same dtype and on the same device.
        b: (M, K), likewise.

    Example:
        >>> add_product(torch.ones(1, 1), torch.tensor([[1.0, 2.0]]), torch.tensor([[3.0, 4.0]]))
        tensor([[12.]])
    """
    return total.add_(multiply(a, b)) if has_onednn(a, b) else total.addmm_(a, b.mT)


def multiply_batches(a: Tensor, b: Tensor) -> Tensor:
    """Return a b^T of each pair of matrices.

    Args:
        a: (B, N, K), any float dtype.
        b: (B, M, K), of the same dtype and on the same device.

    Returns:
        (B, N, M); on a CPU each product has the bits that it has alone.

    Example:
        >>> multiply_batches(torch.ones(2, 1, 3), torch.ones(2, 1, 3)).flatten().tolist()
        [3.0, 3.0]
    """
    if has_onednn(a, b):
        return torch.stack([multiply(left, right) for left, right in zip(a, b, strict=True)])
    return a @ b.mT


def add_product_of_batches(total: Tensor, a: Tensor, b: Tensor) -> Tensor:
    """Return `total` + a b^T for each pair of matrices, computed in place.

    Args:
        total: (B, N, M).
        a: (B, N, K), of the same dtype and on the same device.
        b: (B, M, K), likewise.

    Example:
        >>> add_product_of_batches(torch.ones(2, 1, 1), torch.ones(2, 1, 3), torch.ones(2, 1, 3)).flatten().tolist()
        [4.0, 4.0]
    """
    if not has_onednn(a, b):
        return total.baddbmm_(a, b.mT)
    for each, left, right in zip(total, a, b, strict=True):
        each.add_(multiply(left, right))
    return total
