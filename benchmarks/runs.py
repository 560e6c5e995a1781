"""Child processes that are measured: the engine's and the peer's, with their peak memory."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from statistics import median, quantiles
from typing import Any


@dataclass(frozen=True)
class Run:
    """Seconds and total loss of each iteration, the peak of resident memory in bytes, and what else was told."""

    seconds: Sequence[float]
    losses: Sequence[float]
    peak: int
    told: dict[str, Any]


def joined(runs: Sequence[Run]) -> Run:
    """Several runs of one thing as one."""
    seconds = [second for run in runs for second in run.seconds]
    return Run(seconds, runs[0].losses, max(run.peak for run in runs), runs[0].told)


def spread(seconds: Sequence[float]) -> str:
    """Median and interquartile range, in seconds."""
    if len(seconds) < 4:
        return f"{median(seconds):.3f} ({min(seconds):.3f} to {max(seconds):.3f})"
    low, _, high = quantiles(seconds, n=4)
    return f"{median(seconds):.3f} ({low:.3f} to {high:.3f})"


def run_ours(pictures: tuple[Path, Path], size: int, iterations: int, *options: str) -> Run:
    """The engine, by `benchmarks.ours`."""
    content, style = map(str, pictures)
    command = [sys.executable, "-m", "benchmarks.ours", "--content", content, "--style", style]
    lines, peak = run_child([*command, "--size", str(size), "--iterations", str(iterations), *options])
    told = json.loads(next(line for _, line in lines if line.startswith("{")).split("USDT")[0])
    return Run(told["seconds"], [losses[0] for losses in told["losses"]], peak, told)


@dataclass(frozen=True)
class Peer:
    """neural-style-pt as it comes, in `folder`, with our `weights`."""

    folder: Path
    weights: Path
    gpu: bool

    def run(self, pictures: tuple[Path, Path], size: int, iterations: int, tv: str = "1e-3") -> Run:
        """It says when an evaluation of loss and gradient is done."""
        content, style = map(str, pictures)
        output = str(self.weights.with_name("peer.png"))
        command = [sys.executable, "-u", "neural_style.py", "-gpu", "0" if self.gpu else "c"]
        command += ["-model_file", str(self.weights), "-disable_check", "-pooling", "avg", "-init", "image"]
        command += ["-content_image", content, "-style_image", style, "-image_size", str(size), "-tv_weight", tv]
        command += ["-num_iterations", str(iterations), "-print_iter", "1", "-save_iter", "0", "-output_image", output]
        lines, peak = run_child([*command, *(["-backend", "cudnn"] if self.gpu else [])], self.folder)
        at = [when for when, line in lines if re.fullmatch(r"Iteration \d+ / \d+", line)]
        losses = [float(line.split(":")[1]) for _, line in lines if line.strip().startswith("Total loss")]
        # What is before the second evaluation is not an iteration: the first has no history.
        return Run([b - a for a, b in pairwise(at[1:])], losses, peak, {})


def run_child(command: Sequence[str], folder: Path | None = None) -> tuple[list[tuple[float, str]], int]:
    """The lines of its output with their times, and its peak memory. Raises CalledProcessError with its last lines."""
    environment = {name: value for name, value in os.environ.items() if name != "OMP_WAIT_POLICY"}
    with subprocess.Popen(
        command, cwd=folder, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as child:
        assert child.stdout is not None
        assert child.stderr is not None
        lines = [(time.perf_counter(), line.strip()) for line in child.stdout]
        errors = child.stderr.read()
        _, status, usage = os.wait4(child.pid, 0)
        child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode:
        raise subprocess.CalledProcessError(child.returncode, command, stderr=errors[-2000:])
    return lines, usage.ru_maxrss * 1024
