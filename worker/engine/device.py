"""Where the engine computes, and in which precision."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch

Precision = Literal["fp32", "bf16"]


@dataclass(frozen=True)
class ComputePath:
    """The device and the precision of the convolutions; the picture, the losses and the optimiser stay in float32."""

    device: torch.device
    precision: Precision

    @property
    def dtype(self) -> torch.dtype:
        """The dtype of the network."""
        return torch.bfloat16 if self.precision == "bf16" else torch.float32

    def __str__(self) -> str:
        return f"{self.device} {self.precision}"


def has_bf16(device: torch.device) -> bool:
    """Whether `device` multiplies bfloat16 matrices in hardware, so that it is faster and not only smaller."""
    if device.type == "cuda":
        return torch.cuda.get_device_capability(device) >= (8, 0)
    # Private names, but the only ones that every supported torch has.
    return torch.cpu._is_amx_tile_supported() or torch.cpu._is_avx512_bf16_supported()


def choose(precision: Literal["auto", "fp32", "bf16"] = "auto") -> ComputePath:
    """The first GPU where there is one, else the CPU; `auto` is bf16 where the hardware has it."""
    device = torch.device("cuda", 0) if torch.cuda.is_available() else torch.device("cpu")
    if device.type == "cuda":
        # The same spec gives the same picture on the same machine, and fp32 is fp32.
        torch.backends.cudnn.deterministic = True
        torch.backends.cudnn.conv.fp32_precision = "ieee"  # type: ignore[attr-defined]
    if precision == "auto":
        precision = "bf16" if has_bf16(device) else "fp32"
    return ComputePath(device, precision)
