"""How long a large grid takes on its way into an embedded farm, apart from rendering it.

python -m benchmarks.grids
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median

from PIL import Image

from stylefarm import Farm, Grid, read_grid
from stylefarm.shared.settings import Settings

PICTURES = 20
SEEDS = 1000
ROUNDS = 3
FILE = f"""\
name: large
base: {{iterations: 100, size: 256, init: noise}}
matrix: {{content: contents, style: styles, seed: 1..{SEEDS}}}
"""


def main() -> None:
    """Measures three times, and prints medians and extremes."""
    argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter).parse_args()
    with tempfile.TemporaryDirectory() as folder:
        grid_file = _files(Path(folder))
        times: dict[str, list[float]] = {}
        for number in range(ROUNDS):
            with Farm(Settings(home=Path(folder) / f"home-{number}")) as farm:
                for what, seconds in _measured(farm, grid_file):
                    times.setdefault(what, []).append(seconds)
    print(
        f"A grid of {PICTURES // 2} x {PICTURES // 2} pictures x {SEEDS:,} seeds; median, and extremes in brackets.\n"
    )
    print("| what | seconds |\n| --- | --- |")
    for what, taken in times.items():
        print(f"| {what} | {median(taken):.2f} ({min(taken):.2f} to {max(taken):.2f}) |")


def _measured(farm: Farm, file: Path) -> Iterator[tuple[str, float]]:
    with _timed() as reading:
        grid = read_grid(file)
    with _timed() as validating:
        cells = sum(1 for _ in grid.cells())
    yield f"reading the file, expanding and validating {cells:,} cells", reading[0] + validating[0]
    tenth = Grid({**grid.matrix, "seed": list(range(1, SEEDS // 10 + 1))}, grid.base, "small")
    with _timed() as first:
        farm.sweep(tenth)
    yield f"submitting {len(tenth):,} of them, with {PICTURES} pictures", first[0]
    with _timed() as again:
        assert not farm.sweep(tenth).created
    yield "submitting the same again, of which nothing is new", again[0]
    with _timed() as all_of_them:
        assert len(farm.sweep(grid).created) == cells - len(tenth)
    yield f"submitting all {cells:,}, which shares what is there", all_of_them[0]


def _files(folder: Path) -> Path:
    for kind in ("contents", "styles"):
        (folder / kind).mkdir()
        for number in range(PICTURES // 2):
            side = 300 + 20 * number + (10 if kind == "styles" else 0)
            Image.radial_gradient("L").convert("RGB").resize((side, side)).save(folder / kind / f"{number}.jpg")
    file = folder / "large.yaml"
    file.write_text(FILE)
    return file


@contextmanager
def _timed() -> Iterator[list[float]]:
    taken: list[float] = []
    started = time.perf_counter()
    yield taken
    taken.append(time.perf_counter() - started)


if __name__ == "__main__":
    main()
