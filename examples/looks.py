"""Renders the sweeps of docs/looking.md, and makes its pictures.

Everything goes through the public API. It takes about five minutes on two cores; a second time, nothing is rendered.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from examples.embedded import embedded_settings, photographs
from examples.plates import draw
from stylefarm import Farm, Sweep, compare, write_comparison, write_losses, write_sheet, write_timelapse
from stylefarm.producer.terminal.display import live_display

FOLDER = Path("demo/looks")
CONTENTS = ("astronaut.png", "chelsea.png", "coffee.png")
STYLES = ("swirls", "waves", "glass", "ink")
LOSSES = ("gram", "covariance", "wasserstein", "sliced")


def main() -> None:
    """Renders, and names the files that were written."""
    argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter).parse_args()
    FOLDER.mkdir(parents=True, exist_ok=True)
    with Farm(embedded_settings(FOLDER / "farm")) as farm:
        for path in [*_manners(farm), *_losses(farm)]:
            print(path)


def _manners(farm: Farm) -> list[Path]:
    """Three photographs in four manners at three weights, as sheets; the loss curves; one of them as a film."""
    axes = {"content": _contents(CONTENTS), "style": _styles(STYLES), "style_weight": [2, 8, 32]}
    base = {"size": 160, "quality": "draft", "snapshot_every": 5, "features": "squeezenet"}
    sweep = _rendered(farm.sweep(name="three photographs in four manners", matrix=axes, base=base))
    cat = next(
        job for job in sweep.jobs() if "chelsea" in job.status().content and job.status().cell["style_weight"] == 8
    )
    return [
        *write_sheet(sweep, FOLDER / "sheet.html", metric="gram", force=True),
        *write_sheet(sweep, FOLDER / "sheet.jpg", where={"style_weight": [8]}, metric="gram", cell=160, force=True),
        write_losses(sweep, FOLDER / "losses.png", force=True),
        write_losses(cat, FOLDER / "job.png", force=True),
        write_timelapse(cat, FOLDER / "film.webp", force=True),
    ]


def _losses(farm: Farm) -> list[Path]:
    """Four style losses beside each other."""
    axes = {"style_loss": [*LOSSES], "content": _contents(CONTENTS[:2]), "style": _styles(STYLES[::2])}
    base = {"size": 128, "quality": "draft", "snapshot_every": 0, "features": "squeezenet"}
    sweep = _rendered(farm.sweep(name="four style losses", matrix=axes, base=base))
    compared = compare([sweep], by="style_loss")
    return [write_comparison(compared, FOLDER / name, force=True) for name in ("compared.png", "compared.html")]


def _contents(names: tuple[str, ...]) -> list[str]:
    return [str(photographs() / name) for name in names]


def _styles(names: tuple[str, ...]) -> list[str]:
    return [str(_drawn(FOLDER / f"{name}.png")) for name in names]


def _drawn(path: Path) -> Path:
    draw(path.stem, 512, 384).save(path)
    return path


def _rendered(sweep: Sweep) -> Sweep:
    with live_display() as watch:
        sweep.wait(watch=watch)
    return sweep


if __name__ == "__main__":
    main()
