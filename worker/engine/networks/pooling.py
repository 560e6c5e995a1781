"""Pooling by two, and the way back through it, written out: nothing of it is known to autograd."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional

Pooling = Literal["average", "max", "l2"]

# Keeps the root's gradient finite where all is zero.
LEAST_SQUARE = 1e-12


@dataclass(frozen=True)
class Pool:
    """Pooling of (B, C, H, W) to (B, C, H // 2, W // 2), times `scale`.

    l2 is the root of the sum of four squares.
    """

    kind: Pooling
    scale: float = 1.0

    @property
    def linear(self) -> bool:
        """Whether the way back needs nothing of what was pooled."""
        return self.kind == "average"

    def __call__(self, x: Tensor) -> Tensor:
        """What is pooled; known to autograd."""
        if self.kind == "max":
            x = functional.max_pool2d(x, 2)
        elif self.kind == "average":
            x = functional.avg_pool2d(x, 2)
        else:
            x = (4 * functional.avg_pool2d(x.square(), 2)).clamp_min(LEAST_SQUARE).sqrt()
        return x if self.scale == 1 else x * self.scale

    def gradient(self, grad: Tensor, size: Sequence[int], x: Tensor | None) -> Tensor:
        """The gradient for x, of height and width `size`, of that for what was pooled; `linear` needs no x."""
        if self.scale != 1:
            grad = grad * self.scale
        if self.kind == "average":
            return _upsample_quarter(grad, size[0], size[1])
        if x is None:
            raise TypeError(f"the way back through {self.kind} pooling needs what was pooled")
        if self.kind == "max":
            _, positions = functional.max_pool2d(x, 2, return_indices=True)
            back: Tensor = torch.ops.aten.max_pool2d_with_indices_backward(
                grad, x, [2, 2], [2, 2], [0, 0], [1, 1], False, positions
            )
            return back
        square = 4 * functional.avg_pool2d(x.square(), 2)
        # d sqrt(s) / dx = x / sqrt(s); of what the bound holds fast the gradient is zero.
        ratio = torch.where(square > LEAST_SQUARE, grad / square.clamp_min(LEAST_SQUARE).sqrt(), 0)
        return (4 * x).mul_(_upsample_quarter(ratio, x.shape[2], x.shape[3]))


def _upsample_quarter(grad: Tensor, height: int, width: int) -> Tensor:
    """A quarter of each value at each of its four places; zero in an odd row or column that was not pooled."""
    spread = functional.interpolate(grad * 0.25, scale_factor=2, mode="nearest")
    odd = (0, width - spread.shape[3], 0, height - spread.shape[2])
    return functional.pad(spread, odd) if any(odd) else spread
