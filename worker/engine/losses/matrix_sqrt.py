"""Square roots of symmetric positive definite matrices, together with their inverses.

On a CPU by eigenvalues, which is seven times as fast there. On a GPU by the coupled Newton-Schulz iteration: matrix
products alone, since an eigensolver would wait for the device.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

# Each step brings a small eigenvalue's root nearer by half its own. In float64 so many reach the smallest; in float32
# rounding errors outgrow that after some 20, so the smallest eigenvalues stay short of their roots, by their size.
STEPS = {torch.float64: 40, torch.float32: 18}


def matrix_sqrt(matrix: Tensor) -> Tensor:
    """Return the square root of matrices (B, C, C), symmetric and positive definite.

    Example:
        >>> matrix_sqrt(torch.tensor([[[4.0, 0.0], [0.0, 9.0]]]))[0].diagonal().tolist()
        [2.0, 3.0]
    """
    if matrix.device.type != "cpu":
        return newton_schulz(matrix)[0]
    roots, _, vectors = _eigen(matrix)
    return vectors * roots[:, None, :] @ vectors.mT


def trace_sqrt(matrix: Tensor) -> Tensor:
    """Return the trace of the square root of matrices (B, C, C), symmetric and positive definite: (B,).

    d tr(M^1/2) / dM = 1/2 M^-1/2, which is computed along with it, so that autograd follows no decomposition.

    Example:
        >>> trace_sqrt(torch.tensor([[[4.0, 0.0], [0.0, 9.0]]])).item()
        5.0
    """
    trace: Tensor = _TraceSqrt.apply(matrix)
    return trace


class _TraceSqrt(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, matrix: Tensor) -> Tensor:
        trace, inverse = _trace_and_inverse(matrix)
        ctx.save_for_backward(inverse)
        return trace

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Tensor:
        (inverse,) = ctx.saved_tensors
        gradient: Tensor = gradients[0][:, None, None] * inverse / 2
        return gradient


def _trace_and_inverse(matrix: Tensor) -> tuple[Tensor, Tensor]:
    """Return the trace of the root, (B,), and the inverse of the root, (B, C, C)."""
    if matrix.device.type != "cpu":
        root, inverse = newton_schulz(matrix)
        return root.diagonal(dim1=1, dim2=2).sum(1), inverse
    roots, divisors, vectors = _eigen(matrix)
    return roots.sum(1), vectors / divisors[:, None, :] @ vectors.mT


def _eigen(matrix: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Return the roots of the eigenvalues, (B, C), what the inverse divides by in their place, and the eigenvectors."""
    values, vectors = torch.linalg.eigh(matrix)
    # What rounding leaves of an eigenvalue below this says nothing of it, and may be negative.
    floor = 4 * torch.finfo(matrix.dtype).eps * values[:, -1:]
    return values.clamp_min(0).sqrt(), values.maximum(floor).sqrt(), vectors


def newton_schulz(matrix: Tensor) -> tuple[Tensor, Tensor]:
    """Return the square root of matrices (B, C, C), symmetric and positive definite, and its inverse.

    Y_0 = M / |M|, Z_0 = I; T = (3 I - Z_k Y_k) / 2; Y_{k+1} = Y_k T, Z_{k+1} = T Z_k. Then Y -> (M / |M|)^1/2 and Z to
    its inverse.

    Source:
        Higham 2008, "Functions of Matrices", eq. 6.35.

    Example:
        >>> root, inverse = newton_schulz(torch.tensor([[[4.0, 0.0], [0.0, 9.0]]], dtype=torch.float64))
        >>> [round(value, 6) for value in (root @ inverse)[0].diagonal().tolist()]
        [1.0, 1.0]
    """
    norm = matrix.square().sum((1, 2), keepdim=True).sqrt().clamp_min(1e-30)
    identity = torch.eye(matrix.shape[1], dtype=matrix.dtype, device=matrix.device)
    root, inverse = matrix / norm, identity.expand_as(matrix)
    for _ in range(STEPS[matrix.dtype]):
        step = 1.5 * identity - 0.5 * inverse @ root
        root, inverse = root @ step, step @ inverse
    return root * norm.sqrt(), inverse / norm.sqrt()
