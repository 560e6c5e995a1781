"""What a machine can do, and what an iteration asks of it."""

from __future__ import annotations

import time
from statistics import median

import torch

from stylefarm.worker.engine.networks.vgg import convolutions

SIDE = {"cpu": 2048, "cuda": 8192}


def matmul_rate(device: torch.device, dtype: torch.dtype) -> float:
    """Floating-point operations a second of a product of square matrices, the median of 9."""
    side = SIDE[device.type]
    a = torch.randn(side, side, device=device).to(dtype)
    seconds = []
    for _ in range(10):
        started = time.perf_counter()
        product = a @ a
        float(product[0, 0])  # waits for the device
        seconds.append(time.perf_counter() - started)
    return 2 * side**3 / median(seconds[1:])


def iteration_flops(height: int, width: int) -> float:
    """The operations of plain convolutions from the pixels to relu5_1 of VGG-19, forward and back to the pixels."""
    total = 0.0
    for convolution in convolutions("vgg19")[:13]:
        rows, columns = convolution.size((height, width))
        total += 2 * 9 * convolution.inputs * convolution.outputs * rows * columns
    return 2 * total
