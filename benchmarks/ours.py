"""One run of the engine, measured: a child process of `benchmarks.engine`, which reads the JSON that it prints."""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable
from copy import deepcopy
from functools import partial
from itertools import islice
from pathlib import Path

# Before torch, since importing the worker says how OpenMP's threads are to wait.
from stylefarm.worker.engine.hardware.memory import available_memory

# isort: split
import torch
from PIL import Image
from torch.profiler import ProfilerActivity, profile

from stylefarm.shared.settings import Settings
from stylefarm.shared.spec.networks import layer_names
from stylefarm.shared.spec.space import CAFFE
from stylefarm.shared.spec.spec import JobSpec, parse_spec
from stylefarm.worker.engine.hardware.device import choose
from stylefarm.worker.engine.methods.iterative import Scale, UpdateRules, optimize
from stylefarm.worker.engine.methods.objective import ObjectiveFunction
from stylefarm.worker.engine.networks.memory_plan import MemoryPlan
from stylefarm.worker.engine.networks.vgg import Vgg, calibrate, randomize
from stylefarm.worker.engine.networks.vgg_network import VggNetwork
from stylefarm.worker.engine.space import to_input
from stylefarm.worker.render.cache import ModelCache
from stylefarm.worker.render.estimate import estimate
from stylefarm.worker.render.inputs import JobImages
from stylefarm.worker.render.options import make_optimizer
from stylefarm.worker.render.scale import RenderContext, prepare_scale

# Which operators of a profile belong to which part of an iteration; what is left is told as "rest".
PARTS = {
    "convolution": ("convolution", "mkldnn", "cudnn", "nnpack"),
    "Gram matrices and their gradients": ("bmm", "baddbmm", "matmul", "aten::mm", "aten::addmm"),
    "pooling": ("pool", "upsample", "nearest"),
    "ReLU": ("threshold", "relu", "clamp_min"),
}

# In half precision a loss is mostly a little less than in float32; where it is more than this times an aim, the aim is
# taken for not reached without looking. Where that is wrong, the run tells more iterations than it needed.
NEAR = 1.005


def spec_of(arguments: argparse.Namespace) -> JobSpec:
    """What the peer does, as a spec: its layers, its weights, its optimizer."""
    fields = {
        "content": str(arguments.content),
        "style": str(arguments.style),
        "preset": "neural-style",
        "features": "random",
        "init": "content",
        "pooling": "average",
        "content_layers": ["relu4_2"],
        "size": arguments.size,
        # One more than is made: after the last one of all, only the losses are evaluated.
        "iterations": arguments.iterations + 1,
        "tv_weight": arguments.tv,
        "tv_norm": "l1",
        "optimizer": arguments.optimizer,
        "corrections": 20,
        "learning_rate": 1.0 if arguments.optimizer == "lbfgs" else 10.0,
        "precision": arguments.precision,
    }
    return parse_spec({**fields, **json.loads(arguments.set)})


def network(layers: tuple[str, ...], pictures: list[torch.Tensor], std: float = 1.0) -> Vgg:
    """A random network whose features have that deviation on those pictures."""
    vgg = Vgg("vgg19", layers, "average", space=CAFFE)
    randomize(vgg, 0)
    calibrate(vgg, pictures, std)
    return vgg


def export(file: Path, pictures: list[torch.Tensor], std: float) -> None:
    """The random network in the form that the peer loads: torchvision's names, for BGR from 0 to 255 less the mean."""
    vgg = network(layer_names("vgg19"), pictures, std)
    position, state = 0, {}
    for index, convolution in enumerate(vgg.convolutions):
        position += 1 if convolution.pooled else 0
        state[f"features.{position}.weight"] = vgg.weights[index].data
        state[f"features.{position}.bias"] = vgg.biases[index].data
        position += 2
    torch.save(state, file)


def measured(arguments: argparse.Namespace) -> dict[str, object]:
    """Renders, and returns what the engine says of itself, the seconds of the first evaluation and of each iteration
    after it, and the losses before the first one and after each. An iteration that begins a scale has its preparation
    in its seconds."""
    spec = spec_of(arguments)
    path = choose(spec.precision)
    pictures = [Image.open(file).convert("RGB") for file in (arguments.content, arguments.style)]
    inputs = JobImages(spec, pictures[0], [pictures[1]], [], [], None)
    small = inputs.sized(min(256, arguments.size), path.device)
    calibration = [image.cpu() for image in (small.content, small.styles[0].image)]
    if arguments.export:
        export(arguments.export, calibration, spec.features_deviation)
    vgg = network(spec.layers, calibration, spec.features_deviation).to(path.device)
    plain = VggNetwork(deepcopy(vgg), "plain") if arguments.exact or arguments.aim else None
    vgg.cast(path.dtype)
    backbone = VggNetwork(vgg, arguments.way or None)
    fits: list[MemoryPlan] = []
    context = RenderContext(path, backbone, ModelCache(0), partial(available_memory, path.device, arguments.memory))
    began: list[float] = []

    def prepare(edge: int) -> tuple[torch.Tensor, ObjectiveFunction]:
        start, objective = prepare_scale([inputs] * arguments.batch, edge, context, fits.append)
        if not began:
            began.append(time.perf_counter())
        return start, objective

    scales = [Scale(count, partial(prepare, edge)) for edge, count in spec.schedule]
    coarse = spec.total_iterations - spec.schedule[-1][1]
    # Between these one need not know exactly how far from the aim it is, if it is far.
    ends = (coarse, spec.total_iterations - 1)
    exactly = _exact(inputs, arguments.size, plain) if plain else None
    spent, losses, exact = [], [], []
    for progress in islice(optimize(scales, make_optimizer(spec), UpdateRules()), spec.total_iterations):
        losses.append(progress.losses[0].tolist())  # which waits for the device
        spent.append(time.perf_counter() - began[-1])
        asked = arguments.exact or progress.iteration in ends or losses[-1][0] <= NEAR * arguments.aim
        if exactly is not None and asked and progress.iteration >= coarse:
            exact.append(exactly(progress.image))
            if exact[-1] <= arguments.aim:
                break
        began.append(time.perf_counter())
    parts = _profiled(inputs, arguments, context, spec) if arguments.profile else {}
    return {
        "device": path.device_name,
        "precision": path.precision,
        "way": backbone.algorithm,
        "fit": str(fits[-1]),
        "estimated_bytes": fits[-1].bytes,
        "first": spent[0],
        "seconds": spent[1:],
        "losses": losses,
        "exact": exact,
        "steps": progress.iteration - coarse,
        "parts": parts,
    }


def _exact(inputs: JobImages, edge: int, network: VggNetwork) -> Callable[[torch.Tensor], float]:
    """The total loss of a picture of that long edge as float32 with plain convolutions has it."""
    path = choose("fp32")
    context = RenderContext(path, network, ModelCache(0), partial(available_memory, path.device))
    _, objective = prepare_scale([inputs], edge, context)
    return lambda image: float(objective.losses(to_input(objective.space, image))[0, 0])


def estimated(arguments: argparse.Namespace) -> dict[str, object]:
    """What `stylefarm estimate` tells of the same."""
    spec = spec_of(arguments)
    pictures = {str(file): Image.open(file).convert("RGB") for file in (arguments.content, arguments.style)}
    (scale,) = estimate(spec, pictures.__getitem__, Settings(memory=arguments.memory)).scales
    return {"seconds": [scale.iteration_seconds], "losses": [[0.0]]}


def _profiled(
    inputs: JobImages, arguments: argparse.Namespace, context: RenderContext, spec: JobSpec
) -> dict[str, float]:
    """The share of each part in the time of one iteration's operators."""
    start, objective = prepare_scale([inputs], arguments.size, context)
    optimizer = make_optimizer(spec)
    image = start
    for _ in range(3):
        image = optimizer.step(image, objective.gradient(image)[1])
    activities = [ProfilerActivity.CPU] + ([ProfilerActivity.CUDA] if start.is_cuda else [])
    with profile(activities=activities) as both:
        _, gradient = objective.gradient(image)
    with profile(activities=activities) as step:
        optimizer.step(image, gradient)
    found: dict[str, float] = {}
    for event in both.key_averages():
        part = next((name for name, words in PARTS.items() if any(word in event.key for word in words)), "rest")
        found[part] = found.get(part, 0.0) + _self_time(event, start.is_cuda)
    found["optimizer"] = sum(_self_time(event, start.is_cuda) for event in step.key_averages())
    whole = sum(found.values())
    return {name: value / whole for name, value in sorted(found.items(), key=lambda entry: -entry[1])}


def _self_time(event: object, on_gpu: bool) -> float:
    return float(getattr(event, "self_device_time_total" if on_gpu else "self_cpu_time_total"))


def main() -> None:
    """Runs once and prints what was measured, as JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--content", type=Path, required=True)
    parser.add_argument("--style", type=Path, required=True)
    parser.add_argument("--size", type=int, required=True)
    parser.add_argument("--iterations", type=int, required=True)
    parser.add_argument("--optimizer", default="lbfgs")
    parser.add_argument("--tv", type=float, default=1e-3)
    parser.add_argument("--precision", default="auto")
    parser.add_argument("--way", default="")
    parser.add_argument("--batch", type=int, default=1)
    parser.add_argument("--memory", type=int)
    parser.add_argument("--set", default="{}", help="other parameters than the peer's, as JSON")
    parser.add_argument("--exact", action="store_true", help="tell the loss of each picture in float32, too")
    parser.add_argument("--aim", type=float, default=0.0, help="stop when that loss in float32 is no more than this")
    parser.add_argument("--profile", action="store_true")
    parser.add_argument("--export", type=Path)
    parser.add_argument("--estimate", action="store_true", help="tell, instead of rendering")
    arguments = parser.parse_args()
    print(json.dumps(estimated(arguments) if arguments.estimate else measured(arguments)))


if __name__ == "__main__":
    main()
