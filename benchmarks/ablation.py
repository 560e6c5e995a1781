"""The ablation behind the preset `auto`: variants of the defaults, each rendered over 4 contents x 5 styles.

Prints a table, one line for each variant, keeps the pictures, and lays those of all variants side by side. Runs the
engine itself, without a farm:

    python -m benchmarks.ablation --size 96 --iterations 50 --variants base initial max --out ablation
    python -m benchmarks.ablation --variants base max --out ablation --sheet finalists.png
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Mapping
from dataclasses import asdict
from functools import partial
from pathlib import Path
from statistics import fmean
from typing import Any

import torch
from PIL import Image
from skimage import data

from stylefarm.producer.sheets.layout import Cell, Head, contact_sheet
from stylefarm.shared.images.decode import from_array
from stylefarm.shared.spec.spec import JobSpec, parse_spec
from stylefarm.worker.engine.hardware.device import choose
from stylefarm.worker.engine.hardware.memory import available_memory
from stylefarm.worker.engine.methods.iterative import Scale, UpdateRules, optimize
from stylefarm.worker.engine.metrics import compute_metrics
from stylefarm.worker.engine.networks.vgg import Vgg, calibrate, randomize
from stylefarm.worker.engine.networks.vgg_network import VggNetwork
from stylefarm.worker.render.cache import ModelCache
from stylefarm.worker.render.inputs import JobImages
from stylefarm.worker.render.options import make_optimizer
from stylefarm.worker.render.scale import RenderContext, prepare_scale

CONTENTS = ("astronaut", "chelsea", "coffee", "rocket")
STYLES = ("immunohistochemistry", "gravel", "hubble_deep_field", "brick", "retina")

# What the ablation started from; a variant says in what it differs.
BASE: Mapping[str, Any] = {"style_loss": {"gram": 1.0}, "style_weight": 1000.0, "tv_weight": 30.0}
INITIAL = {"content_normalization": "initial", "style_normalization": "initial"}
SCALES = {"min_size": 48, "scale_factor": 2.0, "first_iterations": 60, "iterations": 30}
WASSERSTEIN: Mapping[str, Any] = {"style_loss": {"wasserstein": 1.0}}
LIGHT = {"style_weight": 100.0, "tv_weight": 3.0}
VARIANTS: Mapping[str, Mapping[str, Any]] = {
    "base": {},
    "initial": INITIAL,
    "initial-3000": {**INITIAL, "style_weight": 3000.0},
    "initial-max": {**INITIAL, "pooling": "max"},
    "max": {"pooling": "max"},
    "scales": SCALES,
    "relu2_2": {"content_layers": ["relu2_2"]},
    "seed-1": {"features_seed": 1},
    "style-100": {"style_weight": 100.0},
    "style-100-tv-3": LIGHT,
    "style-30-tv-3": {"style_weight": 30.0, "tv_weight": 3.0},
    "scales-100": {**SCALES, "style_weight": 100.0},
    "wasserstein-100": {**LIGHT, **WASSERSTEIN},
    "wasserstein-10": {**WASSERSTEIN, "style_weight": 10.0, "tv_weight": 3.0},
    "wasserstein-5": {**WASSERSTEIN, "style_weight": 5.0, "tv_weight": 3.0},
    "adam": {**WASSERSTEIN, "style_weight": 5.0, "tv_weight": 3.0, "optimizer": "adam", "learning_rate": 0.02},
    "wasserstein-3": {**WASSERSTEIN, "style_weight": 3.0, "tv_weight": 3.0},
    "shallow": {
        **LIGHT,
        "pooling": "max",
        "style_layers": ["conv1_1", "conv1_2", "conv2_1", "conv2_2", "conv3_1"],
        "content_layers": ["conv2_2"],
    },
}


def picture(name: str) -> Image.Image:
    """A photograph of scikit-image, RGB."""
    return Image.fromarray(getattr(data, name)()).convert("RGB")


def spec_of(variant: str, arguments: argparse.Namespace) -> JobSpec:
    """The variant's spec with what submitting would resolve."""
    fields = {
        "content": "content",
        "style": "style",
        "features": "random",
        "size": arguments.size,
        "iterations": arguments.iterations,
        **BASE,
        **VARIANTS[variant],
        **json.loads(arguments.set),
    }
    fields.setdefault("content_layers", ["relu3_1"])
    fields.setdefault("learning_rate", 1.0)
    return parse_spec(fields)


def render(spec: JobSpec, content: Image.Image, style: Image.Image) -> tuple[torch.Tensor, dict[str, float]]:
    """One picture (1, 3, H, W), and its metrics with the seconds that it took."""
    path = choose("fp32")
    inputs = JobImages(spec, content, [style], [], [], None)
    sized = inputs.sized(spec.sizes[-1], path.device)
    vgg = Vgg("vgg19", spec.layers, spec.pooling, space=spec.input_space).to(path.device)
    randomize(vgg, spec.features_seed)
    calibrate(vgg, [sized.content, sized.styles[0].image], spec.features_deviation)
    started = time.monotonic()
    context = RenderContext(path, VggNetwork(vgg), ModelCache(0), partial(available_memory, path.device))
    scales = [Scale(n, partial(prepare_scale, [inputs], edge, context)) for edge, n in spec.schedule]
    *_, last = optimize(scales, make_optimizer(spec), UpdateRules(spec.clamp, spec.average, spec.stop_change))
    seconds = time.monotonic() - started
    return last.image, {**asdict(compute_metrics(last.image, sized.content, sized.styles[0].image)), "seconds": seconds}


def main() -> None:
    """Renders every variant, and prints a line for each."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", type=int, default=128)
    parser.add_argument("--iterations", type=int, default=60)
    parser.add_argument("--variants", nargs="+", choices=list(VARIANTS), default=list(VARIANTS))
    parser.add_argument("--contents", nargs="+", default=CONTENTS)
    parser.add_argument("--styles", nargs="+", default=STYLES)
    parser.add_argument("--set", default="{}", help="parameters over every variant, as JSON")
    parser.add_argument("--out", type=Path, default=Path("ablation"))
    parser.add_argument("--sheet", type=Path, help="render nothing; lay the kept pictures side by side in this file")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    arguments = parser.parse_args()
    if arguments.sheet:
        sheet(arguments).save(arguments.sheet)
        return
    torch.set_num_threads(arguments.threads)
    print("| variant | gram | sliced | self-similarity | SSIM | clipped | seconds |\n|---|---|---|---|---|---|---|")
    for variant in arguments.variants:
        print(_line(variant, arguments), flush=True)


def sheet(arguments: argparse.Namespace) -> Image.Image:
    """The kept pictures of the variants: a row for each variant, a column for each of some pairs."""
    styles = arguments.styles
    pairs = [
        (content, styles[(2 * i + j) % len(styles)]) for i, content in enumerate(arguments.contents) for j in (0, 1)
    ]
    cells = {
        (row, column): Cell(Image.open(arguments.out / variant / f"{content}-{style}.png").convert("RGB"))
        for row, variant in enumerate(arguments.variants)
        for column, (content, style) in enumerate(pairs)
    }
    columns = [Head(f"{content} x {style}", _beside(picture(content), picture(style))) for content, style in pairs]
    return contact_sheet([Head(variant) for variant in arguments.variants], columns, cells, cell=192)


def _beside(one: Image.Image, other: Image.Image) -> Image.Image:
    head = Image.new("RGB", (200, 100))
    for left, image in ((0, one), (100, other)):
        head.paste(image.resize((100, 100)), (left, 0))
    return head


def _line(variant: str, arguments: argparse.Namespace) -> str:
    spec, found = spec_of(variant, arguments), []
    folder = arguments.out / variant
    folder.mkdir(parents=True, exist_ok=True)
    for content in arguments.contents:
        for style in arguments.styles:
            image, metrics = render(spec, picture(content), picture(style))
            found.append(metrics)
            from_array(image[0].permute(1, 2, 0).cpu().numpy()).save(folder / f"{content}-{style}.png")
    means = {name: fmean(metrics[name] for metrics in found) for name in found[0]}
    return f"| {variant} | " + " | ".join(f"{value:.3g}" for value in means.values()) + " |"


if __name__ == "__main__":
    main()
