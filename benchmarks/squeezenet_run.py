"""One run, measured: a child process of `benchmarks.squeezenet`, which reads the JSON that it prints."""

from __future__ import annotations

import argparse
import json
import time
from functools import partial
from pathlib import Path

# Before torch, since importing the worker says how OpenMP's threads are to wait.
from stylefarm.worker.engine.hardware.memory import available_memory

# isort: split
import torch
from PIL import Image
from torch import Tensor

from stylefarm.shared.spec.spec import JobSpec, parse_spec
from stylefarm.worker.engine.hardware.device import ComputePath, choose
from stylefarm.worker.render.cache import ModelCache
from stylefarm.worker.render.inputs import JobImages
from stylefarm.worker.render.network import random_network
from stylefarm.worker.render.options import make_optimizer
from stylefarm.worker.render.scale import RenderContext, prepare_scale


def spec_of(arguments: argparse.Namespace) -> JobSpec:
    """Return the default of each network, at a single scale, with the same loss and optimizer."""
    fields: dict[str, object] = {
        "content": str(arguments.content),
        "style": str(arguments.style),
        "size": arguments.size,
        "precision": arguments.precision,
        "min_size": None,
        "learning_rate": 1.0,
        "style_loss": {"gram": 1.0},
        "style_weight": 100.0,
        "optimizer": arguments.optimizer,
    }
    if arguments.features == "squeezenet":
        return parse_spec({**fields, "features": "squeezenet"})
    return parse_spec({**fields, "features": "vgg19", "content_layers": ["relu4_2"]})


def run(arguments: argparse.Namespace) -> dict[str, object]:
    """Return the seconds of each evaluation of loss and gradient, and of each step of the optimizer."""
    spec = spec_of(arguments)
    path = choose(spec.precision)
    content, style = (Image.open(file).convert("RGB") for file in (arguments.content, arguments.style))
    inputs = JobImages(spec, content, [style], [], [], None)
    # Random weights take the time and the memory of trained ones.
    network = random_network(spec, [inputs.sized(128, path.device).content], path)
    available = partial(available_memory, path.device, arguments.memory)
    plans: list[str] = []
    context = RenderContext(path, network, ModelCache(0), available)
    image, objective = prepare_scale([inputs], spec.sizes[-1], context, lambda plan: plans.append(str(plan)))
    optimizer = make_optimizer(spec)
    evaluations, steps = [], []
    for iteration in range(arguments.iterations):
        began = time.perf_counter()
        losses, grad = objective.gradient(image, iteration)
        _wait(losses, path)
        between = time.perf_counter()
        image = optimizer.step(image, grad)
        _wait(image, path)
        del grad
        evaluations.append(between - began)
        steps.append(time.perf_counter() - between)
    return {"path": str(path), "plan": plans[-1], "evaluations": evaluations, "steps": steps}


def _wait(tensor: Tensor, path: ComputePath) -> None:
    if path.device.type == "cuda":
        torch.cuda.synchronize(path.device)
    float(tensor.flatten()[0])


def main() -> None:
    """Run once, and print what was measured as JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--content", type=Path, required=True)
    parser.add_argument("--style", type=Path, required=True)
    parser.add_argument("--size", type=int, required=True)
    parser.add_argument("--iterations", type=int, required=True)
    parser.add_argument("--features", choices=("squeezenet", "vgg19"), required=True)
    parser.add_argument("--precision", default="auto")
    parser.add_argument("--optimizer", default="lbfgs")
    parser.add_argument("--memory", type=int, help="bytes that may be used")
    print(json.dumps(run(parser.parse_args())))


if __name__ == "__main__":
    main()
