"""Trained networks of johnson beside naive ones: `python -m benchmarks.trunk` writes docs/trunk-benchmarks.md.

All run in turn in one process, so that a busy machine is so for all. The naive network is pytorch/examples' own
transformer_net.py, and its training loop, written here by plain calls; weights are random, which takes the same time.
"""

from __future__ import annotations

import argparse
import math
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from statistics import median

# Before torch, since importing the worker says how OpenMP's threads are to wait.
from stylefarm.worker.engine.hardware.device import Precision, choose, has_bf16

# isort: split
import torch
from torch import Tensor, nn
from torch.nn import functional

from benchmarks.engine import NOT_MEASURED, table
from stylefarm.shared.spec.training import TrainingSpec
from stylefarm.worker.engine.feedforward.prepared_trunk import PreparedTrunk
from stylefarm.worker.engine.feedforward.trunk import Trunk
from stylefarm.worker.engine.feedforward.trunk_shape import TrunkShape
from stylefarm.worker.engine.networks.vgg import Vgg, calibrate, randomize
from stylefarm.worker.training.perceptual import PerceptualTask
from stylefarm.worker.training.pictures import PictureList
from stylefarm.worker.training.trainer import TrainingInputs

SIZES = (256, 512)
ROUNDS = 5
STEPS = 3
BATCH, CROP = 4, 256


class NaiveTrunk(nn.Module):
    """pytorch/examples, fast_neural_style/neural_style/transformer_net.py, with the weights of a `Trunk`."""

    def __init__(self, trunk: Trunk) -> None:
        super().__init__()
        self.weights = nn.ParameterDict(
            {name.replace(".", "_"): value.detach().clone() for name, value in trunk.state_dict().items()}
        )
        self.blocks = trunk.shape.blocks

    def forward(self, pixels: Tensor) -> Tensor:
        """Return pictures (B, 3, H, W)."""
        x = pixels * 255
        for index, stride in enumerate((1, 2, 2)):
            x = functional.relu(self._normalized(f"down_{index}", self._convolved(f"down_{index}", x, stride)))
        for index in range(self.blocks):
            first, second = f"blocks_{index}_first", f"blocks_{index}_second"
            y = functional.relu(self._normalized(first, self._convolved(first, x)))
            x = self._normalized(second, self._convolved(second, y)) + x
        for index in range(2):
            x = functional.interpolate(x, scale_factor=2, mode="nearest")
            x = functional.relu(self._normalized(f"up_{index}", self._convolved(f"up_{index}", x)))
        return self._convolved("up_2", x) / 255

    def _convolved(self, name: str, x: Tensor, stride: int = 1) -> Tensor:
        weight = self.weights[f"{name}_conv_weight"]
        x = functional.pad(x, (weight.shape[2] // 2,) * 4, "reflect")
        return functional.conv2d(x, weight, self.weights[f"{name}_conv_bias"], stride)

    def _normalized(self, name: str, x: Tensor) -> Tensor:
        weight, bias = self.weights[f"{name}_norm_weight"], self.weights[f"{name}_norm_bias"]
        return functional.instance_norm(x, weight=weight, bias=bias)


def in_turn(runs: Mapping[str, Callable[[], object]], rounds: int) -> dict[str, list[float]]:
    """Return the seconds of each, which run one after the other, round by round; the first round does not count."""
    found: dict[str, list[float]] = {name: [] for name in runs}
    for count in range(rounds + 1):
        for name, run in runs.items():
            began = time.perf_counter()
            run()
            if count:
                found[name].append(time.perf_counter() - began)
    return found


def ratio(found: Mapping[str, list[float]], name: str, ours: str) -> str:
    """Return how many times as long another takes; round by round, since a busy machine slows down both."""
    each = [theirs / own for theirs, own in zip(found[name], found[ours], strict=True)]
    return f"{median(each):.2f}"


def inference() -> list[str]:
    """Return the section on rendering."""
    trunk = Trunk(TrunkShape()).eval().requires_grad_(requires_grad=False)
    naive = NaiveTrunk(trunk).eval().requires_grad_(requires_grad=False)
    path, rows = choose("fp32"), []
    on_gpu = path.device.type == "cuda"
    naive = naive.to(path.device)
    trunk = trunk.to(path.device)
    ours = {"fp32": PreparedTrunk(trunk, path)}
    if has_bf16(path.device):
        ours["bf16"] = PreparedTrunk(trunk, choose("bf16"))
    for size in SIZES:
        pixels = torch.rand(1, 3, size, size, device=path.device)
        runs: dict[str, Callable[[], object]] = {"naive": _waited(naive, pixels, on_gpu=on_gpu)}
        runtime = None if on_gpu else onnx_runtime(naive, pixels)
        if runtime is not None:
            runs["onnx"] = runtime
        runs |= {name: _waited(prepared, pixels, on_gpu=on_gpu) for name, prepared in ours.items()}
        with torch.inference_mode():
            found, wanted = in_turn(runs, ROUNDS), naive(pixels)
            for name, prepared in ours.items():
                noise = float((prepared(pixels) - wanted).square().mean())
                signal = 10 * math.log10(float(wanted.square().max()) / max(noise, 1e-30))
                onnx = ratio(found, "onnx", name) if runtime is not None else NOT_MEASURED
                seconds = [
                    f"{median(found[each]):.3f}" if each in found else NOT_MEASURED for each in ("naive", "onnx")
                ]
                rows.append(
                    (
                        str(size),
                        name,
                        f"{median(found[name]):.3f}",
                        *seconds,
                        ratio(found, "naive", name),
                        onnx,
                        f"{signal:.0f}",
                    )
                )
        if "bf16" not in ours:
            rows.append((str(size), "bf16", "no hardware for it", *[NOT_MEASURED] * 5))
    header = (
        "size",
        "ours in",
        "ours, s",
        "naive fp32, s",
        "ONNX Runtime fp32, s",
        "naive / ours",
        "ONNX / ours",
        "PSNR",
    )
    return [
        "## Rendering",
        (
            "One picture; the network of pytorch/examples in eager float32, the same in ONNX Runtime, and ours. PSNR in"
            " dB of ours to the naive network's result, to its largest value."
        ),
        table(header, rows),
    ]


def onnx_runtime(network: nn.Module, pixels: Tensor) -> Callable[[], object] | None:
    """Return what renders with ONNX Runtime; None where it is not installed."""
    try:
        import onnxruntime
    except ImportError:
        return None
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "network.onnx"
        torch.onnx.export(network, (pixels,), file, dynamo=False, input_names=["x"])
        exported = file.read_bytes()
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    # Otherwise its threads wait on their cores for some 30 ms, at the cost of what is measured next.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    session = onnxruntime.InferenceSession(exported, options, providers=["CPUExecutionProvider"])
    given = {"x": pixels.numpy()}
    return lambda: session.run(None, given)


def training(folder: Path) -> list[str]:
    """Return the section on a training step."""
    rows = []
    for features in ("vgg16", "squeezenet"):
        for precision in dict.fromkeys((choose().precision, "fp32")):
            step, naive = our_step(features, precision, folder), naive_step()
            found = in_turn({"naive": naive, "ours": step}, STEPS)
            seconds = [f"{median(found[name]):.2f}" for name in ("ours", "naive")]
            rows.append((features, precision, *seconds, ratio(found, "naive", "ours")))
    return [
        "## A training step",
        (
            f"johnson, {BATCH} crops of {CROP} px, 32 channels as in pytorch/examples: its own loop in float32, with"
            " VGG-16, and ours, with VGG-16 and with SqueezeNet as the network of the losses, whose passes are in"
            " float32 in any precision of the trained one."
        ),
        table(("our network of the losses", "ours in", "ours, s", "naive with VGG-16, s", "naive / ours"), rows),
        "```console\n$ python -m benchmarks.trunk\n```",
    ]


def our_step(features: str, precision: Precision, folder: Path) -> Callable[[], object]:
    """Return what makes a step of our training; the layers with VGG-16 are pytorch/examples'."""
    layers = {
        "content_layers": ("relu2_2",),
        "style_layers": ("relu1_2", "relu2_2", "relu3_3", "relu4_3"),
    }
    spec = TrainingSpec.model_validate(
        {
            "method": "johnson",
            "name": "bench",
            "style": ("style.png",),
            "features": features,
            "channels": 32,
            "norm": "instance",
            "output": "linear",
            "last_norm": False,
            "batch_size": BATCH,
            "image_size": CROP,
            "samples": 1,
            # As pytorch/examples', which shifts nothing.
            **({**layers, "shift": 0, "pooling": "max"} if features == "vgg16" else {}),
        }
    )
    draw = torch.Generator().manual_seed(0)
    picture = torch.randint(0, 256, (3, CROP, CROP), dtype=torch.uint8, generator=draw)
    pictures = PictureList([picture])
    task = PerceptualTask(TrainingInputs(spec, pictures, [picture], None, None, None, choose(precision), folder))
    steps = task.steps(0, STEPS + 2)
    return lambda: float(next(steps)[0])


def naive_step() -> Callable[[], object]:
    """Return what makes a step of pytorch/examples' loop, fast_neural_style/neural_style/neural_style.py."""
    device = choose("fp32").device
    draw = torch.Generator().manual_seed(0)
    layers = ("relu1_2", "relu2_2", "relu3_3", "relu4_3")
    vgg = Vgg("vgg16", layers, "max")
    randomize(vgg, seed=0)
    calibrate(vgg, [torch.rand(1, 3, 64, 64, generator=draw)])
    slices = _slices(vgg).to(device)
    network = NaiveTrunk(Trunk(TrunkShape())).to(device)
    adam = torch.optim.Adam(network.parameters(), 1e-3)
    pixels = torch.rand(BATCH, 3, CROP, CROP, generator=draw).to(device)
    style = [_gram(features) for features in _features(slices, pixels[:1])]

    def step() -> float:
        adam.zero_grad()
        rendered = network(pixels)
        found, wanted = _features(slices, rendered), _features(slices, pixels)
        loss = 1e5 * functional.mse_loss(found[1], wanted[1])
        for features, gram in zip(found, style, strict=True):
            loss = loss + 1e10 * functional.mse_loss(_gram(features), gram.expand(BATCH, -1, -1))
        loss.backward()
        adam.step()
        return float(loss)

    return step


def _slices(vgg: Vgg) -> nn.ModuleList:
    """Return VGG-16 up to relu4_3 in four parts, as torchvision's modules."""
    parts: list[nn.Module] = []
    slices: list[nn.Module] = []
    for index, convolution in enumerate(vgg.convolutions):
        if convolution.pooled:
            parts.append(nn.MaxPool2d(2))
        conv = nn.Conv2d(convolution.inputs, convolution.outputs, 3, padding=1)
        conv.weight, conv.bias = nn.Parameter(vgg.weights[index]), nn.Parameter(vgg.biases[index])
        parts += [conv, nn.ReLU()]
        if convolution.activation in vgg.layers:
            slices.append(nn.Sequential(*parts))
            parts = []
    return nn.ModuleList(slices).requires_grad_(requires_grad=False)


def _features(slices: nn.ModuleList, x: Tensor) -> list[Tensor]:
    mean, deviation = (
        x.new_tensor(values).view(1, 3, 1, 1) for values in ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
    )
    x, found = (x - mean) / deviation, []
    for part in slices:
        x = part(x)
        found.append(x)
    return found


def _gram(x: Tensor) -> Tensor:
    flat = x.flatten(2)
    return flat @ flat.mT / (flat.shape[1] * flat.shape[2])


def _waited(network: Callable[[Tensor], Tensor], pixels: Tensor, *, on_gpu: bool) -> Callable[[], object]:
    def run() -> None:
        network(pixels)
        if on_gpu:
            torch.cuda.synchronize()

    return run


def main() -> None:
    """Measure, and write the page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path("docs/trunk-benchmarks.md"))
    parser.add_argument("--scratch", type=Path, default=Path("build/benchmarks"))
    arguments = parser.parse_args()
    capability = torch.backends.cpu.get_cpu_capability()
    machine = (
        f"Machine: {choose().device_name}, {capability}, {torch.get_num_threads()} threads; torch {torch.__version__}."
        " Ratios are medians of rounds in which all run one after the other."
    )
    page = "\n\n".join(["# Benchmarks of trained networks", machine, *inference(), *training(arguments.scratch)])
    print(page)
    arguments.out.write_text(page + "\n")


if __name__ == "__main__":
    main()
