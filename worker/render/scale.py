"""Prepare one scale of a batch: how it fits into memory, its starts and its objective."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from stylefarm.shared.errors import OutOfMemory
from stylefarm.shared.spec.spec import JobSpec
from stylefarm.worker.engine.hardware.budget import choose_plan, largest_edge
from stylefarm.worker.engine.hardware.device import ComputePath
from stylefarm.worker.engine.hardware.graphs import CapturedObjective
from stylefarm.worker.engine.losses.targets import TargetReader
from stylefarm.worker.engine.methods.batch import batch_objectives
from stylefarm.worker.engine.methods.method import load_method
from stylefarm.worker.engine.methods.objective import Objective, ObjectiveFunction
from stylefarm.worker.engine.networks.feature_network import FeatureNetwork, ForwardPass
from stylefarm.worker.engine.networks.memory_plan import MemoryPlan, Workload
from stylefarm.worker.engine.space import to_input
from stylefarm.worker.render.cache import ModelCache, content_key, network_key, style_key
from stylefarm.worker.render.inputs import JobImages, ScaledImages
from stylefarm.worker.render.options import by_autograd, loss_settings


@dataclass(frozen=True)
class RenderContext:
    """Where a job is rendered: its network on a device, what is kept between jobs, and the memory left, in bytes.

    `on_capture` is told whether the evaluation is replayed as a CUDA graph, or why not. `start_by_model` renders the
    start by a trained model, (1, 3, H, W) in [0, 1], where the spec asks for one.
    """

    path: ComputePath
    backbone: FeatureNetwork
    cache: ModelCache
    available: Callable[[], int]
    on_capture: Callable[[str], None] = lambda _: None
    start_by_model: Callable[[JobImages, ScaledImages], Tensor] | None = None


def prepare_scale(
    batch: Sequence[JobImages], edge: int, context: RenderContext, on_plan: Callable[[MemoryPlan], None] | None = None
) -> tuple[Tensor, ObjectiveFunction]:
    """Return the starts and the objective of one scale, of that long edge; `on_plan` gets the memory plan.

    The pictures of a batch go through one network, and are of one size. Raises OutOfMemory where they cannot, with the
    size that can.
    """
    device, spec = context.path.device, batch[0].spec
    at_once = device.type == "cuda"
    sized = [inputs.sized(edge, device) for inputs in batch]
    work = load_method(spec.method).workload(spec, sized[0].content.shape[2], sized[0].content.shape[3])
    work = replace(work, batch=len(batch)) if at_once else replace(work, waiting=len(batch) - 1)
    chosen = fastest_plan(context.backbone, work, context.available())
    if len(batch) > 1 and chosen.kind != "whole":
        # Strips would cost more time than a batch gains.
        raise OutOfMemory(f"{len(batch)} pictures of {work.width} x {work.height} pixels do not fit together")
    if on_plan is not None:
        on_plan(chosen)
    forward_pass = context.backbone.forward_pass(chosen)
    starts, objectives = [], []
    for inputs, pictures in zip(batch, sized, strict=True):
        start = _start(inputs, pictures, context)
        starts.append(start)
        objectives.append(_objective(inputs.spec, pictures, start, forward_pass, context))
    objective = batch_objectives(objectives, at_once=at_once)
    if at_once and (chosen.kind != "whole" or by_autograd(spec)):
        context.on_capture("not captured: strips, and losses over samples, go by way of the CPU")
    elif at_once:
        objective = CapturedObjective(objective, context.on_capture)
    return torch.cat(starts), objective


def _start(inputs: JobImages, pictures: ScaledImages, context: RenderContext) -> Tensor:
    if context.start_by_model is None:
        return inputs.start(pictures)
    return to_input(inputs.spec.moved_space, context.start_by_model(inputs, pictures))


def _objective(
    spec: JobSpec, sized: ScaledImages, start: Tensor, forward_pass: ForwardPass, context: RenderContext
) -> Objective:
    styles = [style.named(style_key(spec, index)) for index, style in enumerate(sized.styles)]
    return Objective(
        forward_pass,
        sized.content,
        styles,
        loss_settings(spec),
        start=start,
        space=spec.moved_space,
        targets=TargetReader(forward_pass, context.cache.targets, network_key(spec, context.path)),
        content_key=content_key(spec),
    )


def fastest_plan(network: FeatureNetwork, work: Workload, available: int) -> MemoryPlan:
    """Return the fastest plan that fits into `available` bytes. Raises OutOfMemory with the size that does."""
    chosen = choose_plan(network, work, available)
    if chosen is None:
        raise OutOfMemory(too_large_message(network, work, available))
    return chosen


def too_large_message(network: FeatureNetwork, work: Workload, available: int) -> str:
    """Return the sentence for a picture that does not fit, which names the size that does."""
    least = min(plan.bytes for plan in network.memory_plans(work))
    largest = largest_edge(network, work, available)
    why = " (sliced, mmd-gaussian and normalize_gradients need the whole picture at once)" if work.needs_whole else ""
    remedy = f"ask for size = {largest} or less" if largest else "free memory, or use another worker"
    fewer = ", or for fewer corrections" if work.optimizer_vectors > 12 and largest else ""
    return (
        f"a picture of {work.width} x {work.height} pixels needs about {_gigabytes(least)} of memory{why} and"
        f" {_gigabytes(available)} are left: {remedy}{fewer}"
    )


def _gigabytes(count: int) -> str:
    return f"{count / 1e9:.1f} GB"
