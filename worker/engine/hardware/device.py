"""The device and the precision that the engine computes in."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch

from stylefarm.worker.engine.networks.conv3x3 import ConvAlgorithm, choose_algorithm

Precision = Literal["fp32", "tf32", "bf16"]


@dataclass(frozen=True)
class ComputePath:
    """A device and a precision of the convolutions; the image, the losses and the optimizer stay in float32.

    Args:
        device: A GPU or the CPU.
        precision: That of the convolutions.

    Example:
        >>> path = ComputePath(torch.device("cpu"), "bf16")
        >>> str(path.dtype), path.device_name
        ('torch.bfloat16', 'cpu')
    """

    device: torch.device
    precision: Precision

    @property
    def dtype(self) -> torch.dtype:
        """The dtype of the network."""
        return torch.bfloat16 if self.precision == "bf16" else torch.float32

    @property
    def algorithm(self) -> ConvAlgorithm:
        """How the convolutions are computed."""
        return choose_algorithm(self.device, self.dtype)

    @property
    def device_name(self) -> str:
        """The GPU's own name, or "cpu"."""
        return torch.cuda.get_device_name(self.device) if self.device.type == "cuda" else "cpu"

    def __str__(self) -> str:
        """Return device, precision and algorithm: "cpu fp32 winograd"."""
        return f"{self.device} {self.precision} {self.algorithm}"


def has_bf16(device: torch.device) -> bool:
    """Return whether `device` multiplies bfloat16 matrices in hardware, so that it is faster and not only smaller.

    Args:
        device: A GPU or the CPU.

    Example:
        >>> has_bf16(torch.device("cpu")) in (True, False)
        True
    """
    if device.type == "cuda":
        return torch.cuda.get_device_capability(device) >= (8, 0)
    # Private names, but the only ones that every supported torch has.
    return torch.cpu._is_amx_tile_supported() or torch.cpu._is_avx512_bf16_supported()


def choose(precision: Literal["auto", "fp32", "tf32", "bf16"] = "auto") -> ComputePath:
    """Return the first GPU where there is one, else the CPU, with a precision that it has.

    On a GPU it sets torch's precision and determinism for the process.

    Args:
        precision: "auto" is bf16 where the hardware has it. TF32 is float32 whose products are rounded to 10 bits, on
            GPUs since Ampere; elsewhere it becomes fp32.

    Example:
        >>> choose("fp32").precision
        'fp32'
    """
    device = torch.device("cuda", 0) if torch.cuda.is_available() else torch.device("cpu")
    if precision == "auto":
        precision = "bf16" if has_bf16(device) else "fp32"
    if precision == "tf32" and (device.type != "cuda" or torch.cuda.get_device_capability(device) < (8, 0)):
        precision = "fp32"
    if device.type == "cuda":
        # The same spec gives the same image on the same machine, and fp32 is fp32.
        rounding = "tf32" if precision == "tf32" else "ieee"
        torch.backends.cudnn.deterministic = True
        torch.backends.cudnn.conv.fp32_precision = rounding  # type: ignore[attr-defined]
        torch.backends.cuda.matmul.fp32_precision = rounding
    return ComputePath(device, precision)
