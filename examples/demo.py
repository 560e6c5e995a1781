"""Paints two photographs in the styles of two plates, and lays the four pictures side by side.

Everything goes through the public API, on an embedded farm whose state is kept below demo/farm.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

from examples.embedded import embedded_settings, photographs
from examples.plates import draw
from stylefarm import Farm, Sweep, sweep_losses, sweep_sheet
from stylefarm.producer.terminal.display import live_display
from stylefarm.shared.errors import FarmError

CONTENTS = ("chelsea.png", "coffee.png")
PLATES = ("swirls", "glass")
FOLDER = Path("demo")

# Small enough for a demonstration on two cores.
PARAMETERS = {"size": 384}


def main() -> None:
    """Paints, and names the files that were written, the plates first."""
    argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter).parse_args()
    settings = embedded_settings(FOLDER / "farm")
    folder = photographs()
    FOLDER.mkdir(exist_ok=True)
    with Farm(settings) as farm:
        sweep = farm.sweep(
            matrix={
                "content": [str(folder / name) for name in CONTENTS],
                "style": [str(drawn(name)) for name in PLATES],
            },
            base=PARAMETERS,
            name="two photographs in the styles of two plates",
        )
        for note in sweep.statuses()[0].notes:
            print(note)
        started = time.monotonic()
        with live_display() as watch:
            sweep.wait(watch=watch)
        print(f"rendered in {time.monotonic() - started:.0f} seconds:")
        for path in _write(sweep):
            print(f"  {path}")


def drawn(name: str) -> Path:
    """Draw a plate, and return its file."""
    path = FOLDER / f"{name}.png"
    draw(name, 640, 512).save(path)
    return path


def _write(sweep: Sweep) -> list[Path]:
    written = [FOLDER / f"{name}.png" for name in PLATES]
    for job in sweep.jobs():
        status = job.status()
        name = f"{Path(status.content).stem}-{Path(status.style).stem}.png"
        written.append(job.result().save(FOLDER / name, force=True))
    sheet = FOLDER / "contact-sheet.png"
    sweep_sheet(sweep).save(sheet)
    plot = FOLDER / "losses.png"
    plot.write_bytes(sweep_losses(sweep))
    return [*written, sheet, plot]


if __name__ == "__main__":
    try:
        main()
    except FarmError as error:
        sys.exit(str(error))
    except KeyboardInterrupt:
        sys.exit("stopped; run it again to render again")
