"""Renders the pictures of docs/methods.md: one pair under every preset and every style loss, and reconstructions.

Everything goes through the public API. It takes about half an hour on two cores; --only renders one of the sheets.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from PIL import Image

from examples.embedded import embedded_settings, photographs
from stylefarm import Farm, Job
from stylefarm.producer.sheets.layout import Cell, Head, contact_sheet
from stylefarm.producer.terminal.display import live_display

FOLDER = Path("demo/gallery")
SIZE = 160

# Fewer iterations than the programs make, so that two cores render them in minutes; and from the content, where a
# program starts from noise, since random features hold too little of the content to find it again so soon.
PRESETS: Mapping[str, Mapping[str, Any]] = {
    "gatys": {"iterations": 100, "init": "content"},
    "mxnet": {"iterations": 200, "init": "content", "stop_change": 0.0},
    "udacity": {"iterations": 400},
    "tensorflow": {"iterations": 300},
    "pytorch": {"iterations": 150},
    "neural-style": {"iterations": 100, "init": "content"},
    "multiscale": {"min_size": 80, "scale_factor": 2.0, "first_iterations": 150, "iterations": 100},
}
STYLE_LOSSES = ("gram", "mean-std", "mmd-linear", "mmd-poly", "mmd-gaussian", "wasserstein", "sliced")
DEPTHS = (1, 2, 3, 4, 5)


def presets(farm: Farm, pair: Mapping[str, str]) -> Image.Image:
    """One pair under the seven programs, with the farm's own before them."""
    fields = {"auto": {"iterations": 100}, **PRESETS}
    jobs = [farm.submit(**pair, preset=name, size=SIZE, **_quiet(values)) for name, values in fields.items()]
    return _strip(farm, jobs, list(fields), pair, "one pair under the presets")


def style_losses(farm: Farm, pair: Mapping[str, str]) -> Image.Image:
    """One pair under the seven style losses, all by Adam and with one weight, so that nothing else differs."""
    fields = {"optimizer": "adam", "iterations": 120, "size": SIZE, "style_weight": 100.0}
    jobs = [farm.submit(**pair, style_loss=name, **_quiet(fields)) for name in STYLE_LOSSES]
    return _strip(farm, jobs, STYLE_LOSSES, pair, "one pair under the style losses")


def reconstructions(farm: Farm, pair: Mapping[str, str]) -> Image.Image:
    """The content at five depths, and the style up to five depths, from noise."""
    fields = _quiet({"size": 128, "iterations": 100})
    of_content = [
        farm.submit(content=pair["content"], preset="reconstruct-content", content_layers=[f"relu{depth}_1"], **fields)
        for depth in DEPTHS
    ]
    of_style = [
        farm.submit(
            content=pair["style"],
            style=pair["style"],
            preset="reconstruct-style",
            style_layers=[f"relu{block}_1" for block in range(1, depth + 1)],
            **fields,
        )
        for depth in DEPTHS
    ]
    _render(farm, [*of_content, *of_style])
    rows = [Head("content", Image.open(pair["content"])), Head("style", Image.open(pair["style"]))]
    columns = [Head(f"relu{depth}_1") for depth in DEPTHS]
    cells = {
        (row, c): Cell(job.result().image)
        for row, jobs in enumerate((of_content, of_style))
        for c, job in enumerate(jobs)
    }
    return contact_sheet(rows, columns, cells, title="what five layers hold", cell=SIZE)


def _quiet(fields: Mapping[str, Any]) -> dict[str, Any]:
    return {"snapshot_every": 0, "features": "random", **fields}


def _strip(farm: Farm, jobs: Sequence[Job], labels: Sequence[str], pair: Mapping[str, str], title: str) -> Image.Image:
    """The pictures in rows, after the content and the style."""
    _render(farm, jobs)
    shown: list[tuple[str, Image.Image]] = [(name, Image.open(pair[name])) for name in ("content", "style")]
    shown += [(label, job.result().image) for label, job in zip(labels, jobs, strict=True)]
    across = 5 if len(shown) % 5 == 0 else 3
    cells = {divmod(i, across): Cell(image.convert("RGB"), caption=label) for i, (label, image) in enumerate(shown)}
    return contact_sheet([Head("")] * -(-len(shown) // across), [Head("")] * across, cells, title=title, cell=256)


def _render(farm: Farm, jobs: Sequence[Job]) -> None:
    with live_display() as watch:
        farm.wait(jobs, watch=watch)


SHEETS = {"presets": presets, "style-losses": style_losses, "reconstructions": reconstructions}


def main() -> None:
    """Renders the sheets, and names their files."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", choices=list(SHEETS))
    only = parser.parse_args().only
    folder = photographs()
    pair = {"content": str(folder / "astronaut.png"), "style": str(folder / "ihc.png")}
    FOLDER.mkdir(parents=True, exist_ok=True)
    with Farm(embedded_settings(FOLDER / "farm")) as farm:
        for name in [only] if only else SHEETS:
            path = FOLDER / f"{name}.png"
            SHEETS[name](farm, pair).save(path)
            print(path)


if __name__ == "__main__":
    main()
