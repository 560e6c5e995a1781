"""`make bench-farm`: the farm's targets beside what this machine does, on the terminal and as docs/farm-benchmarks.md.

python -m benchmarks.farm --out docs/farm-benchmarks.md
python -m benchmarks.farm --beside ../old-checkout
"""

from __future__ import annotations

import argparse
import os
import platform
from collections.abc import Callable
from pathlib import Path

from benchmarks.farm import beside, broker, death, slots, store, sweep_commands
from benchmarks.farm.environment import BenchmarkFarm, benchmark_farm

Row = tuple[str, str, str]

MEASUREMENTS: dict[str, Callable[[BenchmarkFarm], list[Row]]] = {
    "submitting": store.submitting,
    "claiming": store.claiming,
    "recording": store.recording,
    "cost": slots.recording_cost,
    "starting": slots.starting,
    "counting": store.counting,
    "sweep-commands": sweep_commands.sweep_commands,
    "death": death.death,
    "broker": broker.broker,
}

PAGE = """\
# The farm, measured

`make bench-farm` measures this and writes the page: a Redis (every write waits for the disk), a PostgreSQL with its own
settings, and a Swift for pictures, all on one machine with {cores} cores ({processor}, Python {python}), on which
nothing else should run. Median, and extremes in brackets.

| what | target | measured |
| --- | --- | --- |
{rows}

A command on 100,000 jobs asks the database for less than a tenth of a second; the rest of its time goes into starting
Python and importing libraries.

What else becomes of jobs when processes and servers die is [measured apart](faults.md).
"""


def main() -> None:
    """Measure, print, and write the page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path("docs/farm-benchmarks.md"))
    parser.add_argument("--only", choices=MEASUREMENTS, nargs="+", help="measure these, and write no page")
    parser.add_argument("--beside", type=Path, metavar="TREE", help="measure another checkout in turn; write no page")
    parser.add_argument("--rounds", type=int, default=5, help="how often each checkout is measured (%(default)s)")
    parser.add_argument("--scale", type=float, default=1.0, help="of the numbers of jobs, beside another checkout")
    arguments = parser.parse_args()
    if arguments.beside:
        names = arguments.only or beside.MEASUREMENTS
        for line in beside.compare(arguments.beside, names, rounds=arguments.rounds, scale=arguments.scale):
            print(line)
        return
    rows = []
    for name in arguments.only or MEASUREMENTS:
        # A new farm for each, so that none is affected by what another has stored.
        with benchmark_farm() as farm:
            for row in MEASUREMENTS[name](farm):
                rows.append(row)
                print(" | ".join(row), flush=True)
    if not arguments.only:
        arguments.out.write_text(_page(rows))


def _page(rows: list[Row]) -> str:
    lines = "\n".join(f"| {what} | {target} | {measured} |" for what, target, measured in rows)
    processor = platform.processor() or platform.machine()
    return PAGE.format(cores=os.cpu_count(), processor=processor, python=platform.python_version(), rows=lines)


if __name__ == "__main__":
    main()
