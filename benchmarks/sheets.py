"""How long a sheet of 50 x 40 results takes, and how large it is.

The farm is made up: its results are textures of 512 x 384, written straight into the store and the object store.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path

from examples.embedded import embedded_settings
from stylefarm import Farm, write_sheet
from tests.made_up import made_up

ROWS, COLUMNS = 50, 40
SIZE = (512, 384)


def main() -> None:
    """Writes the sheets, and prints their sizes and seconds."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--keep", type=Path, help="a folder that the sheets are to be left in")
    keep = parser.parse_args().keep
    with tempfile.TemporaryDirectory(prefix="stylefarm-sheets-") as temporary:
        folder = keep or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        with Farm(embedded_settings(Path(temporary) / "farm")) as farm:
            axes = {
                "content": [f"content-{number:02}.png" for number in range(ROWS)],
                "style": [f"style-{number:02}.png" for number in range(COLUMNS)],
            }
            started = time.perf_counter()
            sweep = made_up(farm, axes, size=SIZE, variants=32)
            print(f"{ROWS} x {COLUMNS} results made up in {time.perf_counter() - started:.1f} s", flush=True)
            for suffix in ("html", "png", "jpg", "pdf"):
                started, worked = time.perf_counter(), time.process_time()
                (path,) = write_sheet(sweep, folder / f"sheet.{suffix}", metric="ssim", force=True)
                seconds, work = time.perf_counter() - started, time.process_time() - worked
                size = path.stat().st_size / 1e6
                print(f"{path.name:<12}{size:6.1f} MB{seconds:8.1f} s{work:8.1f} s of all cores", flush=True)


if __name__ == "__main__":
    main()
