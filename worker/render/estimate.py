"""Estimate what a job takes on this machine: memory from its sizes, time from a few iterations."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial

import torch
from PIL import Image
from torch import Tensor

from stylefarm.shared.images.decode import long_edge_size
from stylefarm.shared.settings import Settings
from stylefarm.shared.spec.spec import JobSpec
from stylefarm.worker.engine.hardware.device import choose
from stylefarm.worker.engine.hardware.memory import available_memory, resident_memory
from stylefarm.worker.engine.methods.method import load_method
from stylefarm.worker.render.applied_estimate import estimate_applied
from stylefarm.worker.render.cache import ModelCache
from stylefarm.worker.render.estimates import Estimate, ScaleEstimate
from stylefarm.worker.render.inputs import JobImages
from stylefarm.worker.render.network import random_network
from stylefarm.worker.render.options import make_optimizer
from stylefarm.worker.render.scale import RenderContext, fastest_plan, prepare_scale

# Iterations are timed at no larger size; beyond it time goes with the number of pixels, as benchmarks show.
LARGEST_TIMED = 512
TIMED = 3

# What strips cost, for rows that are read twice and activations that are computed again.
STRIPS_FACTOR = 1.28


def estimate(spec: JobSpec, fetch: Callable[[str], Image.Image], settings: Settings) -> Estimate:
    """Estimate a resolved spec. Weights are not read: random ones take the same time and memory.

    Args:
        spec: its pictures are content hashes.
        fetch: returns the picture of a content hash.
        settings: the memory and the threads that may be used.

    Raises:
        OutOfMemory: it cannot fit; the sentence names the size that can.
    """
    if settings.threads is not None:
        torch.set_num_threads(settings.threads)
    if spec.is_applied:
        return estimate_applied(spec, fetch, settings)
    path, method = choose(spec.precision), load_method(spec.method)
    inputs = JobImages.fetched(spec, fetch)
    small = inputs.sized(min(spec.sizes[0], 128), path.device)
    network = random_network(spec, [small.content], path)
    available = available_memory(path.device, settings.memory)
    context = RenderContext(path, network, ModelCache(0), partial(available_memory, path.device, settings.memory))
    held = resident_memory(path.device)
    timed: dict[int, tuple[float, float]] = {}
    scales, seconds = [], 0.0
    for edge, iterations in spec.schedule:
        width, height = long_edge_size(inputs.content.size, edge)
        fit = fastest_plan(network, method.workload(spec, height, width), available)
        timed_edge = min(edge, LARGEST_TIMED)
        if timed_edge not in timed:
            timed[timed_edge] = _timed(inputs, timed_edge, context)
        factor = (edge / timed_edge) ** 2 * (STRIPS_FACTOR if fit.kind == "strips" else 1.0)
        start, each = (factor * value for value in timed[timed_edge])
        seconds += start + iterations * each
        scales.append(ScaleEstimate(width, height, iterations, str(fit), fit.bytes, each))
    most = held + max(scale.bytes for scale in scales)
    return Estimate(path.device_name, str(path), seconds, most, available, tuple(scales))


def _timed(inputs: JobImages, edge: int, context: RenderContext) -> tuple[float, float]:
    """Seconds to begin at that size, and of an iteration, the quickest of a few."""
    began = time.perf_counter()
    image, objective = prepare_scale([inputs], edge, context)
    _wait(image)
    start = time.perf_counter() - began
    optimizer = make_optimizer(inputs.spec)
    seconds = []
    for iteration in range(TIMED + 1):
        began = time.perf_counter()
        image = optimizer.step(image, objective.gradient(image, iteration)[1])
        _wait(image)
        seconds.append(time.perf_counter() - began)
    return start, min(seconds[1:])


def _wait(image: Tensor) -> None:
    if image.is_cuda:
        torch.cuda.synchronize(image.device)
