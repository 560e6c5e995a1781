"""Paints two photographs in the manner of two others, and lays the four pictures side by side.

Everything goes through the public API, on an embedded farm whose state is kept below demo/farm.
"""

from __future__ import annotations

import sys
import time
from importlib.util import find_spec
from pathlib import Path

from producer import Farm, Sweep, sweep_losses, sweep_sheet
from producer.display import live_display
from shared.errors import FarmError
from shared.settings import Settings, load_settings

CONTENTS = ("astronaut.png", "chelsea.png")
STYLES = ("ihc.png", "gravel.png")
FOLDER = Path("demo")

# Chosen so that two cores paint the four pictures in minutes.
PARAMETERS = {"size": 256, "iterations": 100}


def main() -> None:
    """Paints, and names the files that were written."""
    settings = _embedded()
    photographs = _photographs()
    FOLDER.mkdir(exist_ok=True)
    with Farm(settings) as farm:
        sweep = farm.sweep(
            matrix={
                "content": [str(photographs / name) for name in CONTENTS],
                "style": [str(photographs / name) for name in STYLES],
            },
            base=PARAMETERS,
            name="two photographs in two manners",
        )
        for note in sweep.statuses()[0].notes:
            print(note)
        started = time.monotonic()
        with live_display() as watch:
            sweep.wait(watch=watch)
        print(f"painted in {time.monotonic() - started:.0f} seconds:")
        for path in _write(sweep):
            print(f"  {path}")


def _embedded() -> Settings:
    """The settings of a farm in this process, whatever servers the environment or stylefarm.toml may name."""
    load_settings()  # says in a sentence what is wrong with them
    return Settings(
        home=FOLDER / "farm",
        broker_url=None,
        database_url=None,
        s3_bucket=None,
        s3_endpoint=None,
        s3_region="us-east-1",
        s3_access_key=None,
        s3_secret_key=None,
        s3_prefix="",
    )


def _photographs() -> Path:
    """The photographs that scikit-image's package ships."""
    package = find_spec("skimage")
    if package is None or package.origin is None:
        sys.exit("the demo takes its photographs from scikit-image: pip install 'stylefarm[worker]'")
    return Path(package.origin).parent / "data"


def _write(sweep: Sweep) -> list[Path]:
    written = []
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
        sys.exit("stopped; run it again to paint again")
