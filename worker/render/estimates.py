"""What an estimate says: time and memory, by scale."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True)
class ScaleEstimate:
    """One scale: its size in pixels, iterations, how it fits into memory, bytes, and the seconds of an iteration."""

    width: int
    height: int
    iterations: int
    way: str
    bytes: int
    iteration_seconds: float


@dataclass(frozen=True)
class Estimate:
    """What a job takes. `bytes` is the peak of the process on its device, `available` what is left there."""

    device: str
    path: str
    seconds: float
    bytes: int
    available: int
    scales: tuple[ScaleEstimate, ...]

    def as_json(self) -> dict[str, Any]:
        """Return plain JSON values."""
        return asdict(self)
