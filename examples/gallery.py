"""Renders pictures of README.md and docs/: the showcase, and one pair under every preset and every style loss.

python -m examples.gallery --only showcase --pictures paintings

Everything goes through the public API. It takes about ten minutes on two cores; --only renders one of the sheets.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import product
from pathlib import Path
from typing import Any

from PIL import Image

from examples.embedded import embedded_settings, photographs
from examples.plates import draw
from stylefarm import Farm, Job
from stylefarm.producer.sheets.layout import contact_sheet
from stylefarm.producer.sheets.parts import Cell, Head
from stylefarm.producer.terminal.display import live_display
from stylefarm.shared.errors import FarmError

FOLDER = Path("demo/gallery")
SIZE = 192

PHOTOGRAPHS = ("chelsea.png", "coffee.png", "rocket.jpg")
PLATES = ("swirls", "glass")
# Paintings in the public domain, looked for in the folder that --pictures names.
PAINTINGS: Mapping[str, str] = {"van_gogh_auvers": "van Gogh", "hokusai_poppies": "Hokusai"}

# Fewer iterations than the programs make, so that two cores render them in minutes; and from the content, where a
# program starts from noise.
PRESETS: Mapping[str, Mapping[str, Any]] = {
    "auto": {},
    "gatys": {"iterations": 100, "init": "content"},
    "mxnet": {"iterations": 200, "init": "content", "stop_change": 0.0},
    "udacity": {"iterations": 300},
    "tensorflow": {"iterations": 200},
    "pytorch": {"iterations": 100},
    "neural-style": {"iterations": 100, "init": "content"},
    "multiscale": {"scale_factor": 2.0, "first_iterations": 150, "iterations": 80},
}
STYLE_LOSSES = (
    "gram",
    "covariance",
    "mean-std",
    "mmd-linear",
    "mmd-poly",
    "mmd-gaussian",
    "wasserstein",
    "sliced",
    "nearest",
)


def showcase(farm: Farm, pictures: Path | None) -> Image.Image:
    """Photographs by paintings and plates; without a folder of paintings, by plates alone."""
    styles = {label: path for stem, label in PAINTINGS.items() for path in _found(pictures, stem)}
    styles |= {name: _plate(name) for name in PLATES}
    contents = [photographs() / name for name in PHOTOGRAPHS]
    pairs = [{"content": str(content), "style": str(style)} for content, style in product(contents, styles.values())]
    jobs = [farm.submit(**pair, size=512, snapshot_every=0) for pair in pairs]
    _render(farm, jobs)
    cells = {divmod(i, len(styles)): Cell(job.result().image) for i, job in enumerate(jobs)}
    return contact_sheet(_heads(("", path) for path in contents), _heads(styles.items()), cells)


def presets(farm: Farm, _pictures: Path | None) -> Image.Image:
    """One pair under stylefarm's own preset and the seven programs, all on SqueezeNet."""
    pair = _pair()
    jobs = [farm.submit(**pair, preset=name, **_common(values)) for name, values in PRESETS.items()]
    return _strip(farm, jobs, list(PRESETS), pair, across=5)


def style_losses(farm: Farm, _pictures: Path | None) -> Image.Image:
    """One pair under the nine style losses, all by Adam, so that nothing else differs."""
    pair = _pair()
    fields = _common({"optimizer": "adam", "first_iterations": 150, "iterations": 100})
    jobs = [farm.submit(**pair, style_loss=name, **fields) for name in STYLE_LOSSES]
    return _strip(farm, jobs, STYLE_LOSSES, pair, across=4)


def _plate(name: str) -> Path:
    path = FOLDER / f"{name}.png"
    draw(name, 768, 576).save(path)
    return path


def _found(folder: Path | None, stem: str) -> list[Path]:
    return sorted(folder.glob(f"{stem}.*")) if folder else []


def _heads(named: Iterable[tuple[str, Path]]) -> list[Head]:
    return [Head(label, Image.open(path)) for label, path in named]


def _pair() -> dict[str, str]:
    return {"content": str(photographs() / "chelsea.png"), "style": str(_plate("swirls"))}


def _common(fields: Mapping[str, Any]) -> dict[str, Any]:
    return {"size": SIZE, "snapshot_every": 0, "features": "squeezenet", **fields}


def _strip(farm: Farm, jobs: Sequence[Job], labels: Sequence[str], pair: Mapping[str, str], across: int) -> Image.Image:
    """The pictures in rows, after the content and the style."""
    _render(farm, jobs)
    shown: list[tuple[str, Image.Image]] = [(name, Image.open(pair[name])) for name in ("content", "style")]
    shown += [(label, job.result().image) for label, job in zip(labels, jobs, strict=True)]
    down = -(-len(shown) // across)
    cells = {(row, column): Cell(blank=True) for row, column in product(range(down), range(across))}
    cells |= {divmod(i, across): Cell(image, caption=label) for i, (label, image) in enumerate(shown)}
    return contact_sheet([()] * down, [()] * across, cells, cell=SIZE)


def _render(farm: Farm, jobs: Sequence[Job]) -> None:
    with live_display() as watch:
        farm.wait(jobs, watch=watch)


SHEETS: Mapping[str, Callable[[Farm, Path | None], Image.Image]] = {
    "showcase": showcase,
    "presets": presets,
    "style-losses": style_losses,
}


def main() -> None:
    """Renders the sheets, and names their files."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", choices=list(SHEETS))
    parser.add_argument("--pictures", type=Path, metavar="DIR", help="folder with paintings for the showcase")
    given = parser.parse_args()
    FOLDER.mkdir(parents=True, exist_ok=True)
    with Farm(embedded_settings(FOLDER / "farm")) as farm:
        for name in [given.only] if given.only else SHEETS:
            path = FOLDER / f"{name}.jpg"
            SHEETS[name](farm, given.pictures).save(path, quality=88)
            print(path)


if __name__ == "__main__":
    try:
        main()
    except FarmError as error:
        sys.exit(str(error))
