"""Which activations of a layer are positive, in the least room: on a CPU a bit each."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor


class Signs:
    """Of activations of `shape` (B, C, H, W), set and asked for by rows."""

    def __init__(self, shape: Sequence[int], device: torch.device) -> None:
        self.shape = tuple(shape)
        self.packed = device.type == "cpu"  # numpy packs bits, and only there
        last = math.ceil(shape[3] / 8) if self.packed else shape[3]
        kind = torch.uint8 if self.packed else torch.bool
        self.values = torch.empty((*shape[:3], last), dtype=kind, device=device)

    @classmethod
    def of(cls, activations: Tensor) -> Signs:
        """Those of a whole layer."""
        signs = cls(activations.shape, activations.device)
        signs.set(slice(None), activations)
        return signs

    def set(self, rows: slice, activations: Tensor) -> None:
        """Keeps those of some rows, (B, C, N rows, W)."""
        positive = activations > 0
        if self.packed:
            positive = torch.from_numpy(np.packbits(positive.numpy(), axis=3))
        self.values[:, :, rows] = positive

    def applied(self, rows: slice, slope: Tensor) -> Tensor:
        """The gradient before the ReLU of that after it, for some rows; may be in its place."""
        kept = self.values[:, :, rows]
        if self.packed:
            kept = torch.from_numpy(np.unpackbits(kept.numpy(), axis=3, count=self.shape[3])).view(torch.bool)
        return slope.mul_(kept)
