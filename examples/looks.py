"""Renders the sweeps of docs/looking.md, and makes its pictures.

Everything goes through the public API. It takes about twenty minutes on two cores; a second time, nothing is rendered.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from examples.embedded import embedded_settings, photographs
from stylefarm import Farm, Sweep, compare, write_comparison, write_losses, write_sheet, write_timelapse
from stylefarm.producer.terminal.display import live_display

FOLDER = Path("demo/looks")
CONTENTS = ("astronaut.png", "chelsea.png", "coffee.png")
STYLES = ("ihc.png", "hubble_deep_field.jpg", "gravel.png", "retina.jpg")
LOSSES = ("gram", "mean-std", "sliced", "wasserstein")


def main() -> None:
    """Renders, and names the files that were written."""
    argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter).parse_args()
    FOLDER.mkdir(parents=True, exist_ok=True)
    with Farm(embedded_settings(FOLDER / "farm")) as farm:
        for path in [*_manners(farm), *_losses(farm)]:
            print(path)


def _manners(farm: Farm) -> list[Path]:
    """Three photographs in four manners at three weights, as sheets; the loss curves; one of them as a film."""
    axes = {"content": _paths(CONTENTS), "style": _paths(STYLES), "style_weight": [1, 5, 25]}
    base = {"size": 160, "iterations": 60, "snapshot_every": 4, "features": "random"}
    sweep = _rendered(farm.sweep(name="three photographs in four manners", matrix=axes, base=base))
    cat = next(
        job for job in sweep.jobs() if "chelsea" in job.status().content and job.status().cell["style_weight"] == 5
    )
    return [
        *write_sheet(sweep, FOLDER / "sheet.html", metric="gram", force=True),
        *write_sheet(sweep, FOLDER / "sheet.jpg", where={"style_weight": [5]}, metric="gram", cell=160, force=True),
        write_losses(sweep, FOLDER / "losses.png", force=True),
        write_losses(cat, FOLDER / "job.png", force=True),
        write_timelapse(cat, FOLDER / "film.webp", force=True),
    ]


def _losses(farm: Farm) -> list[Path]:
    """Four style losses beside each other."""
    axes = {"style_loss": [*LOSSES], "content": _paths(CONTENTS[:2]), "style": _paths(STYLES[::2])}
    base = {"size": 128, "iterations": 60, "snapshot_every": 0, "features": "random"}
    sweep = _rendered(farm.sweep(name="four style losses", matrix=axes, base=base))
    compared = compare([sweep], by="style_loss")
    return [write_comparison(compared, FOLDER / name, force=True) for name in ("compared.png", "compared.html")]


def _paths(names: tuple[str, ...]) -> list[str]:
    return [str(photographs() / name) for name in names]


def _rendered(sweep: Sweep) -> Sweep:
    with live_display() as watch:
        sweep.wait(watch=watch)
    return sweep


if __name__ == "__main__":
    main()
