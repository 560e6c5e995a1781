"""Names and priorities of queues: which workers a job may go to, and how urgent it is."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal, get_args

Device = Literal["auto", "cpu", "gpu"]
DEVICES: tuple[Device, ...] = get_args(Device)

# For users, a higher number is more urgent.
LOWEST, HIGHEST = 0, 9
DEFAULT_PRIORITY = 5


@dataclass(frozen=True)
class Hint:
    """A job that can be claimed, and where it is announced."""

    job_id: str
    queue: str
    priority: int


def queue_name(device: str, label: str) -> str:
    """Return the queue of the jobs for that device and label; an empty label is none."""
    return f"stylefarm.{device}.{label}" if label else f"stylefarm.{device}"


def queues_of(devices: Iterable[str], labels: Iterable[str]) -> list[str]:
    """Return the queues of a worker for jobs of these devices, those of its labels among them."""
    return [queue_name(device, label) for device in devices for label in ("", *labels)]


def to_redis(priority: int) -> int:
    """Convert our priority to Celery's on Redis, where 0 is consumed first; also the way back."""
    return HIGHEST - priority
