"""Renders a picture at several weights of its style, follows the jobs, and keeps the best one: nobody has to look on.

python -m examples.pick_best cat.jpg waves.jpg -o best.png --metric gram

It works on an embedded farm and on servers; the settings alone decide.
"""

from __future__ import annotations

import argparse
import sys
from contextlib import suppress
from datetime import datetime
from pathlib import Path

from stylefarm import Farm, State, StillPending, Sweep
from stylefarm.shared.errors import FarmError

WEIGHTS = (2, 10, 50)
LOOK_SECONDS = 1.0


def main() -> None:
    """Submits, follows, picks, downloads."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("content")
    parser.add_argument("style")
    parser.add_argument("-o", "--output", type=Path, default=Path("best.png"))
    parser.add_argument("--metric", default="gram", help="what the best one has least of (of ssim: most)  [gram]")
    parser.add_argument("--size", type=int, default=256)
    parser.add_argument("--iterations", type=int, default=100)
    given = parser.parse_args()
    with Farm() as farm:
        sweep = farm.sweep(
            matrix={"content": [given.content], "style": [given.style], "style_weight": list(WEIGHTS)},
            base={"size": given.size, "iterations": given.iterations},
            name="pick the best",
        )
        follow(sweep)
        best = sweep.best(given.metric)
        best.result().save(given.output, force=True)
        status = best.status()
        value = status.loss if given.metric == "loss" else status.metrics[given.metric]
        print(f"{given.output}: style_weight {status.cell['style_weight']}, {given.metric} {value:.4g}")


def follow(sweep: Sweep) -> None:
    """Report each job that ends, until all have: each query returns only what has changed."""
    states: dict[str, State] = {}
    cursor: datetime | None = None
    while not states or not all(state.final for state in states.values()):
        # This is the pause, too; a sleep would do on servers, but an embedded farm renders while somebody waits.
        with suppress(StillPending):
            sweep.wait(timeout=LOOK_SECONDS)
        changes = sweep.changes(cursor)
        cursor = changes.cursor
        for change in changes.jobs:
            if states.get(change.id) != change.state:
                print(f"job {change.position}: {change.state}", file=sys.stderr)
            states[change.id] = change.state


if __name__ == "__main__":
    try:
        main()
    except FarmError as error:
        sys.exit(str(error))
    except KeyboardInterrupt:
        sys.exit("stopped; run it again to go on")
