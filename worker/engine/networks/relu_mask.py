"""The mask of a ReLU, which activations are positive: on a CPU one bit each."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

# The dimensions of (B, C, H, W) from the outermost to the innermost in memory; bits are packed along the last one.
_ORDERS = {torch.contiguous_format: (0, 1, 2, 3), torch.channels_last: (0, 2, 3, 1)}


class ReluMask:
    """The mask of activations (B, C, H, W), set and applied by rows.

    Args:
        shape: Shape of the activations, (B, C, H, W).
        layout: Their memory format.
        device: Their device.

    Example:
        >>> mask = ReluMask((1, 1, 1, 3), torch.contiguous_format, torch.device("cpu"))
        >>> mask.set(slice(None), torch.tensor([[[[1.0, 0.0, 2.0]]]]))
        >>> mask.apply(slice(None), torch.tensor([[[[5.0, 6.0, 7.0]]]])).flatten().tolist()
        [5.0, 0.0, 7.0]
    """

    def __init__(self, shape: Sequence[int], layout: torch.memory_format, device: torch.device) -> None:
        self.shape = tuple(shape)
        self.order = _ORDERS[layout]
        *outer, inner = (shape[dimension] for dimension in self.order)
        self.packed = device.type == "cpu"  # numpy packs bits, and only there
        last, kind = ((inner + 7) // 8, torch.uint8) if self.packed else (inner, torch.bool)
        self.values = torch.empty((*outer, last), dtype=kind, device=device)

    def set(self, rows: slice, activations: Tensor) -> None:
        """Store the mask of some rows of activations, (B, C, N rows, W).

        Args:
            rows: Which rows they are.
            activations: (B, C, N rows, W).
        """
        ordered = activations.permute(self.order)
        if not self.packed:
            self._rows(rows).copy_(ordered > 0)
            return
        # A number of half precision, which NumPy does not know, is positive where its bits are, as an integer.
        known = ordered if ordered.itemsize >= 4 else ordered.view(torch.int16)
        self._rows(rows).copy_(torch.from_numpy(np.packbits(known.numpy() > 0, axis=3)))

    def apply(self, rows: slice, grad: Tensor) -> Tensor:
        """Return the gradient before the ReLU of that after it, (B, C, N rows, W), computed in place.

        Args:
            rows: Which rows they are.
            grad: The gradient after the ReLU, (B, C, N rows, W).
        """
        kept = self._rows(rows)
        if self.packed:
            kept = torch.from_numpy(np.unpackbits(kept.numpy(), axis=3, count=self.shape[self.order[3]]))
        within = grad.permute(self.order)
        # With operands of one dtype, which is several times as fast as a product with a boolean mask.
        torch.ops.aten.threshold_backward.grad_input(within, kept.to(grad.dtype), 0, grad_input=within)
        return grad

    def _rows(self, rows: slice) -> Tensor:
        lines = range(self.values.shape[self.order.index(2)])[rows]
        return self.values.narrow(self.order.index(2), lines.start, len(lines))
