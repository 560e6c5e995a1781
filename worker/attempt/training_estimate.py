"""Estimate what a training takes on this machine, from a few of its steps."""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass
from itertools import islice, pairwise
from typing import Any

import torch

from stylefarm.shared.errors import OutOfMemory
from stylefarm.shared.services import Services
from stylefarm.shared.spec.training import TrainingSpec
from stylefarm.worker.attempt.training_inputs import fetch_training_inputs
from stylefarm.worker.engine.hardware.device import choose
from stylefarm.worker.engine.hardware.memory import available_memory
from stylefarm.worker.training.trainer import load_trainer

# The first step is slower than the others; of these the quickest counts.
TIMED = 3


@dataclass(frozen=True)
class TrainingEstimate:
    """What a training takes: `bytes` is the peak of a step, `available` what is left on the device."""

    device: str
    path: str
    seconds: float
    step_seconds: float
    bytes: int
    available: int

    def as_json(self) -> dict[str, Any]:
        """Return plain JSON values."""
        return asdict(self)


def estimate_training(spec: TrainingSpec, services: Services) -> TrainingEstimate:
    """Estimate a resolved training.

    Args:
        spec: what it names is in the object store.
        services: the farm's.

    Raises:
        OutOfMemory: it cannot fit.
        NotFound: something that it names was deleted.
        ServiceUnavailable: a service does not answer.
    """
    if services.settings.threads is not None:
        torch.set_num_threads(services.settings.threads)
    path = choose(spec.precision)
    folder = services.settings.home.expanduser() / "cache"
    trainer = load_trainer(fetch_training_inputs(spec, services, folder, path))
    available = available_memory(path.device, services.settings.memory)
    if trainer.bytes() > available:
        raise OutOfMemory(
            f"a step of {spec.batch_size} pictures of {spec.image_size} px takes about {trainer.bytes() / 1e9:.1f} GB"
            f" of memory, and {available / 1e9:.1f} GB are left: ask for a smaller batch_size or image_size"
        )
    moments = [time.perf_counter()]
    for progress in islice(trainer.run(), TIMED + 2):
        progress.losses.sum().item()  # waits for the device
        moments.append(time.perf_counter())
    steps = [after - before for before, after in pairwise(moments[1:])]
    each = min(steps)
    start = moments[1] - moments[0]
    return TrainingEstimate(
        path.device_name, str(path), start + each * spec.iterations, each, trainer.bytes(), available
    )
