"""The dashboard on a sweep that is being rendered: two photographs, two plates, and weights of the style.

The farm is embedded, and its state is kept below demo/farm; the pages come alive as pictures are done. Ctrl-C ends it.
"""

from __future__ import annotations

import argparse
import sys

from examples.demo import CONTENTS, FOLDER, PLATES, drawn
from examples.embedded import embedded_settings, photographs
from stylefarm import Farm
from stylefarm.producer.web.rendering import rendering
from stylefarm.producer.web.server import address_of, listen, serve
from stylefarm.shared.errors import FarmError

HOST = "127.0.0.1"
PORT = 8420
PARAMETERS = {"size": 256, "iterations": 120, "snapshot_every": 30}
WEIGHTS = [3, 16, 60]


def main() -> None:
    """Submits the sweep, prints its address, and serves until Ctrl-C."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--port", type=int, default=PORT, help="0: any free one")
    port = parser.parse_args().port
    folder = photographs()
    FOLDER.mkdir(exist_ok=True)
    with Farm(embedded_settings(FOLDER / "farm")) as farm:
        sweep = farm.sweep(
            matrix={
                "content": [str(folder / name) for name in CONTENTS],
                "style": [str(drawn(name)) for name in PLATES],
                "style_weight": WEIGHTS,
                "color": ["recolor", "luminance"],
            },
            base=PARAMETERS,
            name="weights and colors",
        )
        with listen(HOST, port) as listening, rendering(farm):
            print(f"open {address_of(listening, HOST)}sweeps/{sweep.id} (Ctrl-C ends it)", flush=True)
            serve(farm, listening, HOST)


if __name__ == "__main__":
    try:
        main()
    except FarmError as error:
        sys.exit(str(error))
    except KeyboardInterrupt:
        sys.exit("stopped; run it again to go on")
