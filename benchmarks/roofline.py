"""What an iteration with SqueezeNet asks of a machine at least: operations and bytes, and what a machine can give."""

from __future__ import annotations

import time
from dataclasses import dataclass
from statistics import median

import torch

from stylefarm.shared.spec.networks import FIRES, SQUEEZENET_FIRST_CHANNELS
from stylefarm.shared.spec.presets import SQUEEZENET_AUTO

BYTES_COPIED = 1 << 28


@dataclass(frozen=True)
class Demand:
    """Floating-point operations and bytes of one iteration; `itemsize` bytes a value."""

    operations: float
    bytes: float

    def seconds(self, rate: float, bandwidth: float) -> float:
        """Return the least time, of a machine with so many operations, and bytes, a second."""
        return max(self.operations / rate, self.bytes / bandwidth)


def demand(height: int, width: int, itemsize: int) -> Demand:
    """Return what an iteration of the preset `auto` asks for, forward and back to the pixels.

    Of bytes it counts that every feature is written and read once in either direction, and once more in either where
    it has a style loss; weights and what stays in the caches are left out.
    """
    styled = set(SQUEEZENET_AUTO["style_layers"])
    rows, columns = ((length - 4) // 2 + 1 for length in (height, width))
    channels = SQUEEZENET_FIRST_CHANNELS
    products = 48 * channels * rows * columns
    values = 3 * height * width + (2 if "relu1" in styled else 1) * channels * rows * columns
    products += _style(channels, rows * columns, "relu1" in styled)
    for name, fire in FIRES.items():
        if name > max(styled - {"relu1"}):
            break
        if fire.pooled:
            rows, columns = (rows - 1) // 2, (columns - 1) // 2
            products, values = products + 9 * channels * rows * columns, values + channels * rows * columns
        outputs, positions = 2 * fire.expand, rows * columns
        products += (channels * fire.squeeze + 10 * fire.squeeze * fire.expand) * positions
        products += _style(outputs, positions, name in styled)
        values += (fire.squeeze + outputs * (2 if name in styled else 1)) * positions
        channels = outputs
    # Forward and backward, a multiplication and an addition each; a write and a read each.
    return Demand(4.0 * products, 4.0 * values * itemsize)


def _style(channels: int, positions: int, has_loss: bool) -> int:
    """Return the products of a second moment, half of whose values are the others; its gradient takes twice as many."""
    return round(channels * channels * positions * 0.75) if has_loss else 0


def bandwidth(device: torch.device) -> float:
    """Return the bytes a second that a copy reads and writes, the median of 9."""
    source = torch.ones(BYTES_COPIED // 4, device=device)
    target, seconds = torch.empty_like(source), []
    for _ in range(10):
        started = time.perf_counter()
        target.copy_(source)
        float(target[-1])  # waits for the device
        seconds.append(time.perf_counter() - started)
    return 2 * BYTES_COPIED / median(seconds[1:])
