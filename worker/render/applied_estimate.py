"""Estimate what a trained model takes on this machine, by a picture that it renders."""

from __future__ import annotations

import time
from collections.abc import Callable

import torch
from PIL import Image

from stylefarm.shared.images.decode import long_edge_size
from stylefarm.shared.services import connect_services
from stylefarm.shared.settings import Settings
from stylefarm.shared.spec.spec import JobSpec
from stylefarm.worker.engine.hardware.device import choose
from stylefarm.worker.engine.hardware.memory import available_memory, resident_memory
from stylefarm.worker.render.applied import apply_to, load_applier, load_model, model_hash
from stylefarm.worker.render.estimates import Estimate, ScaleEstimate
from stylefarm.worker.render.inputs import JobImages

# A picture is timed at no larger size; beyond it time goes with the number of pixels.
LARGEST_TIMED = 512
TIMED = 2


def estimate_applied(spec: JobSpec, fetch: Callable[[str], Image.Image], settings: Settings) -> Estimate:
    """Estimate a resolved spec that a trained model renders.

    Args:
        spec: its pictures and its model are content hashes.
        fetch: returns the picture of a content hash.
        settings: the memory and the threads that may be used, and where the model is.

    Raises:
        NotFound: the model is not there, or is still being trained.
        OutOfMemory: it cannot fit.
        ServiceUnavailable: a service does not answer.
    """
    if spec.model is None or not isinstance(spec.size, int):
        raise TypeError("a model, and the size, are resolved when a job is submitted")
    path, services = choose(spec.precision), connect_services(settings)
    model = load_model(model_hash(spec.model, services), services, settings.home.expanduser() / "cache")
    applier = load_applier(model, path)
    inputs = JobImages.fetched(spec, fetch)
    available = available_memory(path.device, settings.memory)
    width, height = long_edge_size(inputs.content.size, spec.size)
    whole = applier.bytes(height, width)
    edge = min(spec.size, LARGEST_TIMED)
    seconds = []
    for _ in range(TIMED):
        began = time.perf_counter()
        sized = inputs.sized(edge, path.device)
        apply_to(applier, model.method, [inputs], [sized], available)
        if path.device.type == "cuda":
            torch.cuda.synchronize(path.device)
        seconds.append(time.perf_counter() - began)
    each = min(seconds) * (spec.size / edge) ** 2
    way = "model, whole" if whole <= available else "model, in strips"
    taken = min(whole, available)
    scale = ScaleEstimate(width, height, 1, way, taken, each)
    return Estimate(path.device_name, str(path), each, resident_memory(path.device) + taken, available, (scale,))
