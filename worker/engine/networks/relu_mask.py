"""Which activations of a layer are positive, in the least room: on a CPU a bit each."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

# Of the dimensions (B, C, H, W) those that run from the outermost to the innermost in memory; bits are packed along the
# last one, as they lie.
_ORDERS = {torch.contiguous_format: (0, 1, 2, 3), torch.channels_last: (0, 2, 3, 1)}


class ReluMask:
    """Of activations of `shape` (B, C, H, W) that lie in memory as `layout` says, set and asked for by rows."""

    def __init__(self, shape: Sequence[int], layout: torch.memory_format, device: torch.device) -> None:
        self.shape = tuple(shape)
        self.order = _ORDERS[layout]
        *outer, inner = (shape[dimension] for dimension in self.order)
        self.packed = device.type == "cpu"  # numpy packs bits, and only there
        last, kind = ((inner + 7) // 8, torch.uint8) if self.packed else (inner, torch.bool)
        self.values = torch.empty((*outer, last), dtype=kind, device=device)

    def set(self, rows: slice, activations: Tensor) -> None:
        """Keeps those of some rows, (B, C, N rows, W)."""
        ordered = activations.permute(self.order)
        if not self.packed:
            self._of(rows).copy_(ordered > 0)
            return
        # A number of half precision, which NumPy does not know, is positive where its bits are, as an integer.
        known = ordered if ordered.itemsize >= 4 else ordered.view(torch.int16)
        self._of(rows).copy_(torch.from_numpy(np.packbits(known.numpy() > 0, axis=3)))

    def applied(self, rows: slice, grad: Tensor) -> Tensor:
        """The gradient before the ReLU of that after it, for some rows; may be in its place."""
        kept = self._of(rows)
        if self.packed:
            kept = torch.from_numpy(np.unpackbits(kept.numpy(), axis=3, count=self.shape[self.order[3]]))
        within = grad.permute(self.order)
        # Of one dtype, which is several times as fast as a product with truth values.
        torch.ops.aten.threshold_backward.grad_input(within, kept.to(grad.dtype), 0, grad_input=within)
        return grad

    def _of(self, rows: slice) -> Tensor:
        lines = range(self.values.shape[self.order.index(2)])[rows]
        return self.values.narrow(self.order.index(2), lines.start, len(lines))
