"""Renders the sweeps of docs/looking.md, and makes its pictures.

Everything goes through the public API. It takes about ten minutes on two cores; a second time, nothing is rendered.
"""

from __future__ import annotations

import argparse
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from examples.embedded import embedded_settings, photographs
from examples.plates import draw
from stylefarm import Farm, Sweep, compare, write_comparison, write_losses, write_sheet, write_timelapse
from stylefarm.producer.terminal.display import live_display

FOLDER = Path("demo/looks")
CONTENTS = ("astronaut.png", "chelsea.png", "coffee.png")
STYLES = ("swirls", "waves", "glass", "ink")
FEW: dict[str, list[Any]] = {"content": ["chelsea"], "style_weight": [4, 64]}
LOSSES = ("covariance", "gram", "sliced", "wasserstein")


def main() -> None:
    """Renders, and names the files that were written."""
    argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter).parse_args()
    FOLDER.mkdir(parents=True, exist_ok=True)
    with Farm(embedded_settings(FOLDER / "farm")) as farm:
        for path in [*_styles(farm), *_losses(farm), *_names(farm)]:
            print(path)


def _styles(farm: Farm) -> list[Path]:
    """Three photographs in four styles at three weights: sheets, curves, a metric over the weights, a timelapse."""
    axes = {"content": _photographs(CONTENTS), "style": _plates(STYLES), "style_weight": [4, 16, 64]}
    base = {"size": 240, "quality": "draft", "snapshot_every": 5}
    sweep = _rendered(farm.sweep(name="three photographs in four styles", matrix=axes, base=base))
    cat = next(job for job in sweep.jobs() if _is_cat(job.status().cell))
    return [
        *write_sheet(sweep, FOLDER / "sheet.html", metric="gram", force=True),
        *write_sheet(sweep, FOLDER / "nested.jpg", metric="gram", cell=160, force=True),
        *write_sheet(sweep, FOLDER / "nested.pdf", metric="gram", paper="a4", force=True),
        *write_sheet(sweep, FOLDER / "sheet.jpg", where={"style_weight": [16]}, metric="gram", cell=240, force=True),
        write_losses(sweep, FOLDER / "losses.png", force=True),
        write_losses(sweep, FOLDER / "few.png", where=FEW, overlay=True, force=True),
        write_comparison(compare([sweep], by="style", over="style_weight"), FOLDER / "over.png", force=True),
        write_losses(cat, FOLDER / "job.png", force=True),
        write_timelapse(cat, FOLDER / "film.webp", force=True),
    ]


def _losses(farm: Farm) -> list[Path]:
    """Four style losses beside each other."""
    axes = {"style_loss": [*LOSSES], "content": _photographs(CONTENTS[:2]), "style": _plates(STYLES[::2])}
    base = {"size": 192, "quality": "draft", "snapshot_every": 0}
    sweep = _rendered(farm.sweep(name="four style losses", matrix=axes, base=base))
    compared = compare([sweep], by="style_loss")
    return [write_comparison(compared, FOLDER / name, force=True) for name in ("compared.png", "compared.html")]


def _names(farm: Farm) -> list[Path]:
    """Two photographs of one name from two folders: a ranked sheet, and curves."""
    paths = [FOLDER / folder / "cat.png" for folder in ("a", "b")]
    for name, path in zip(CONTENTS[1:], paths, strict=True):
        path.parent.mkdir(exist_ok=True)
        shutil.copyfile(photographs() / name, path)
    axes = {"content": [str(path) for path in paths], "style_weight": [4, 64]}
    base = {"style": _plates(("waves",))[0], "size": 200, "quality": "draft", "snapshot_every": 0}
    sweep = _rendered(farm.sweep(name="cats", matrix=axes, base=base))
    return [
        *write_sheet(sweep, FOLDER / "ranked.jpg", metric="gram", sort_by="gram", cell=220, force=True),
        write_losses(sweep, FOLDER / "names.png", overlay=True, force=True),
    ]


def _photographs(names: tuple[str, ...]) -> list[str]:
    return [str(photographs() / name) for name in names]


def _plates(names: tuple[str, ...]) -> list[str]:
    paths = [FOLDER / f"{name}.png" for name in names]
    for name, path in zip(names, paths, strict=True):
        draw(name, 640, 480).save(path)
    return [str(path) for path in paths]


def _is_cat(cell: Mapping[str, object]) -> bool:
    return "chelsea" in str(cell["content"]) and "swirls" in str(cell["style"]) and cell["style_weight"] == 16


def _rendered(sweep: Sweep) -> Sweep:
    with live_display() as watch:
        sweep.wait(watch=watch)
    return sweep


if __name__ == "__main__":
    main()
