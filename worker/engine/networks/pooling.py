"""Pooling by two, and its gradient, written out without autograd."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional

Pooling = Literal["average", "max", "l2", "blur"]

# Keeps the square root's gradient finite where all inputs are zero.
MIN_SQUARE = 1e-12


@dataclass(frozen=True)
class Pool:
    """Pooling of (B, C, H, W) to (B, C, H // 2, W // 2).

    Args:
        kind: "average", "max", or "l2": the square root of the sum of four squares.
        scale: What the pooled values are multiplied by.

    Raises:
        ValueError: The kind is "blur", which is for overlapping windows.

    Example:
        >>> Pool("l2")(torch.tensor([[[[3.0, 4.0], [0.0, 0.0]]]])).item()
        5.0
    """

    kind: Pooling
    scale: float = 1.0

    def __post_init__(self) -> None:
        """Refuse a kind that these windows, which do not overlap, have no use for."""
        if self.kind == "blur":
            raise ValueError("blur pooling is for windows that overlap, as SqueezeNet's do")

    @property
    def linear(self) -> bool:
        """Whether the gradient needs nothing of the input."""
        return self.kind == "average"

    def __call__(self, x: Tensor) -> Tensor:
        """Return the pooled (B, C, H // 2, W // 2); autograd can follow it."""
        if self.kind == "max":
            x = functional.max_pool2d(x, 2)
        elif self.kind == "average":
            x = functional.avg_pool2d(x, 2)
        else:
            x = (4 * functional.avg_pool2d(x.square(), 2)).clamp_min(MIN_SQUARE).sqrt()
        return x if self.scale == 1 else x * self.scale

    def gradient(self, grad: Tensor, size: Sequence[int], x: Tensor | None) -> Tensor:
        """Return the gradient for the input.

        Args:
            grad: The gradient for the pooled values, (B, C, H // 2, W // 2).
            size: Height and width of the input.
            x: The input, (B, C, H, W); None is allowed if the pooling is `linear`.

        Raises:
            TypeError: `x` is None, and the pooling is not linear.
        """
        if self.scale != 1:
            grad = grad * self.scale
        if self.kind == "average":
            return _spread_quarters(grad, size[0], size[1])
        if x is None:
            raise TypeError(f"the gradient of {self.kind} pooling needs its input")
        if self.kind == "max":
            _, positions = functional.max_pool2d(x, 2, return_indices=True)
            back: Tensor = torch.ops.aten.max_pool2d_with_indices_backward(
                grad, x, [2, 2], [2, 2], [0, 0], [1, 1], False, positions
            )
            return back
        square = 4 * functional.avg_pool2d(x.square(), 2)
        # d sqrt(s) / dx = x / sqrt(s); where the bound holds, the gradient is zero.
        ratio = torch.where(square > MIN_SQUARE, grad / square.clamp_min(MIN_SQUARE).sqrt(), 0)
        return (4 * x).mul_(_spread_quarters(ratio, x.shape[2], x.shape[3]))


def _spread_quarters(grad: Tensor, height: int, width: int) -> Tensor:
    """Return a quarter of each value at each of its four places; zero in an odd row or column that is not pooled."""
    spread = functional.interpolate(grad * 0.25, scale_factor=2, mode="nearest")
    odd = (0, width - spread.shape[3], 0, height - spread.shape[2])
    return functional.pad(spread, odd) if any(odd) else spread
