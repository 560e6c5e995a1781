"""The farm's rates in two checkouts, measured in turn: `python -m benchmarks.farm --beside ../release-0.1`.

Each round runs both trees' own `benchmarks.farm`, in processes and with servers of their own, and the next round begins
with the other tree. So the two share what the machine does at that time, and a name that one of them has changed does
not matter to the other.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from benchmarks.farm.environment import format_spread
from tests.servers.swift import ENVIRONMENT as SWIFT

# Rates of the database, which need no worker.
MEASUREMENTS = ("claiming", "recording", "counting")
# Constants of benchmarks.farm.store: the jobs that each process claims, and those of a large sweep.
SIZES = {"EACH": 750, "MANY": 100_000}
# A sweep needs so many jobs, which "changed since" reprioritizes.
SMALLEST = 100

# Run with a checkout as the working directory, whose packages `python -c` finds first.
PROGRAM = """\
import runpy, sys
from benchmarks.farm import store
vars(store).update({sizes})
sys.argv = ["benchmarks.farm", "--only", {names}]
runpy.run_module("benchmarks.farm", run_name="__main__")
"""

Measured = Mapping[str, tuple[float, str]]
"""Value and unit by what was measured."""


def compare(other: Path, names: Sequence[str] = MEASUREMENTS, *, rounds: int = 5, scale: float = 1.0) -> list[str]:
    """Measure this checkout and another one in turn.

    Args:
        other: the folder of the other checkout.
        names: measurements that both have.
        rounds: how often each is measured.
        scale: of the numbers of jobs; below 1 for a quick try.

    Returns:
        A line for each rate: both medians, and how many times as fast this checkout is, all with extremes.

    Raises:
        RuntimeError: the benchmarks of a checkout failed; the message ends with what they printed.
    """
    ours: list[Measured] = []
    theirs: list[Measured] = []
    trees = [(Path(__file__).parents[2], ours), (other, theirs)]
    for number in range(rounds):
        for tree, found in trees[:: 1 if number % 2 else -1]:
            found.append(measure(tree, names, scale))
            print(f"round {number + 1} of {rounds}: {tree}", file=sys.stderr, flush=True)
    return [_line(what, ours, theirs) for what in ours[0] if what in theirs[0]]


def measure(tree: Path, names: Sequence[str], scale: float) -> Measured:
    """Run the benchmarks of a checkout in a process of their own.

    Args:
        tree: its folder.
        names: the measurements.
        scale: of the numbers of jobs.

    Raises:
        RuntimeError: they failed.
    """
    sizes = {name: max(SMALLEST, round(scale * size)) for name, size in SIZES.items()}
    # More than usual, since a new checkout has no compiled modules yet.
    program = PROGRAM.format(sizes={**sizes, "START_SECONDS": 12.0}, names=", ".join(map(repr, names)))
    # So that the other checkout need not have its own Swift.
    environment = {**os.environ, "PATH": os.pathsep.join((os.environ["PATH"], str(SWIFT)))}
    ended = subprocess.run([sys.executable, "-c", program], cwd=tree, env=environment, capture_output=True, text=True)
    if ended.returncode:
        raise RuntimeError(f"the benchmarks of {tree} failed:\n{ended.stderr[-2000:]}")
    return parse(ended.stdout)


def parse(printed: str) -> Measured:
    """Return the medians of the lines that `benchmarks.farm` prints: "what | target | 812 /s (790 to 830)"."""
    rows = [line.split(" | ") for line in printed.splitlines() if line.count(" | ") == 2]
    found = {what: measured.split()[:2] for what, _, measured in rows}
    return {what: (float(value), unit) for what, (value, unit) in found.items()}


def _line(what: str, ours: Sequence[Measured], theirs: Sequence[Measured]) -> str:
    pairs = [(our[what][0], their[what][0]) for our, their in zip(ours, theirs, strict=True)]
    unit = ours[0][what][1]
    # A rate should be high, a time or a size low.
    ratios = [our / their if unit.endswith("/s") else their / our for our, their in pairs]
    here, there = (format_spread(values, unit) for values in zip(*pairs, strict=True))
    return f"{what} | here {here} | there {there} | {format_spread(ratios, 'times as good')}"
