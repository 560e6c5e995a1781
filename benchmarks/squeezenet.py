"""SqueezeNet beside VGG-19 and neural-style-pt: `python -m benchmarks.squeezenet` writes docs/squeezenet-benchmarks.md.

    python -m benchmarks.squeezenet --peer neural-style-pt

Without --peer its figures are left as not measured. All run in turn, in processes of their own.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from statistics import median
from typing import Literal

# Before torch, since importing the worker says how OpenMP's threads are to wait.
from stylefarm.worker.engine.hardware.device import choose

# isort: split
import torch
from PIL import Image
from skimage import data

from benchmarks.engine import NOT_MEASURED, table
from benchmarks.farm.environment import benchmark_farm, format_spread, kill_worker, start_worker
from benchmarks.rates import matmul_rate
from benchmarks.roofline import bandwidth, demand
from benchmarks.runs import Peer, Run, run_child, run_ours, spread
from stylefarm import Job
from tests.servers.processes import wait_until

SIZES = (256, 512)
ROUNDS = 2
GIB = 1 << 30
PEER_ITERATIONS = 1000
STARTS = 5

Pair = tuple[Path, Path]
Precision = Literal["auto", "fp32", "tf32", "bf16"]


def run(pair: Pair, size: int, iterations: int, features: str, *options: str) -> Run:
    """Run the engine with a network; the seconds are those of whole iterations but the first."""
    command = [sys.executable, "-m", "benchmarks.squeezenet_run", "--content", str(pair[0]), "--style", str(pair[1])]
    command += ["--size", str(size), "--iterations", str(iterations), "--features", features, *options]
    lines, peak = run_child(command)
    told = json.loads(next(line for _, line in lines if line.startswith("{")).split("USDT")[0])
    each = [a + b for a, b in zip(told["evaluations"], told["steps"], strict=True)]
    return Run(each[1:], [], peak, told)


def iterations(pair: Pair, peer: Peer | None, precisions: Sequence[Precision]) -> list[str]:
    """Return the section on an iteration beside those of VGG-19 and of the peer."""
    rows = []
    for size in SIZES:
        for precision in precisions:
            found: dict[str, list[float]] = {"squeezenet": [], "vgg19": [], "peer": []}
            for _ in range(ROUNDS):
                for features, count in (("squeezenet", 25), ("vgg19", 5)):
                    found[features] += run(pair, size, count, features, "--precision", precision).seconds[-20:]
                if peer is not None:
                    found["peer"] += peer.run(pair, size, 6).seconds
            own = median(found["squeezenet"])
            ratios = [f"{median(found[name]) / own:.1f}" if found[name] else NOT_MEASURED for name in ("vgg19", "peer")]
            seconds = [spread(found[name]) if found[name] else NOT_MEASURED for name in ("squeezenet", "vgg19", "peer")]
            rows.append((str(size), precision, *seconds, *ratios))
    header = ("size", "precision", "SqueezeNet, s", "VGG-19, s", "neural-style-pt, s", "VGG / it", "peer / it")
    return [
        "## An iteration",
        (
            "The layers of the preset `auto` on each network, Gram matrices, L-BFGS with 20 pairs. Median and quartiles"
            " of single iterations, with a full history of SqueezeNet's; the peer with its own layers, 100 corrections."
        ),
        table(header, rows),
    ]


def roofline(pair: Pair, precision: Precision) -> list[str]:
    """Return the section on the share of the roofline, and of the optimizer."""
    path = choose(precision)
    rate = max(matmul_rate(path.device, path.dtype) for _ in range(5))
    copied = max(bandwidth(path.device) for _ in range(3))
    rows = []
    for size in SIZES:
        asked, found = (
            demand(size, size, path.dtype.itemsize),
            run(pair, size, 30, "squeezenet", "--precision", precision),
        )
        evaluation, step = (median(found.told[name][-8:]) for name in ("evaluations", "steps"))
        least = asked.seconds(rate, copied)
        rows.append(
            (
                str(size),
                f"{asked.operations / 1e9:.2f}",
                f"{asked.bytes / 1e6:.0f}",
                f"{least:.3f}",
                f"{evaluation:.3f}",
                f"{least / evaluation:.0%}",
                f"{step / (evaluation + step):.0%}",
            )
        )
    header = ("size", "GFLOP", "MB", "least, s", "evaluation, s", "share of the roofline", "L-BFGS in an iteration")
    return [
        "## The roofline",
        (
            f"On `{path}`: a product of matrices of 2048 x 2048 runs at {rate / 1e9:.0f} GFLOP/s, a copy at"
            f" {copied / 1e9:.1f} GB/s. The least time is the larger of operations and bytes over these."
        ),
        table(header, rows),
    ]


def commands(pair: Pair, peer: Peer | None, folder: Path) -> list[str]:
    """Return the section on whole commands, with the imports."""
    each = median(peer.run(pair, 512, 31).seconds) if peer is not None else None
    rows = []
    for quality in ("draft", "normal", "fine"):
        seconds = _rendered(pair, folder, quality)
        ratio = NOT_MEASURED if each is None else f"{each * PEER_ITERATIONS / seconds:.0f}"
        rows.append((quality, f"{seconds:.1f}", ratio))
    whole = NOT_MEASURED if each is None else f"{each * PEER_ITERATIONS:.0f} s ({each:.2f} s each)"
    return [
        "## A picture of 512 x 512 pixels, the whole command",
        (
            f"`stylefarm render --quality ...` on a fresh farm, imports included. neural-style-pt's default of"
            f" {PEER_ITERATIONS} iterations, extrapolated from 30: {whole}."
        ),
        table(("quality", "s", "peer / it"), rows),
    ]


def _rendered(pair: Pair, folder: Path, quality: str) -> float:
    output = folder / f"{quality}.png"
    command = [sys.executable, "-m", "stylefarm", "render", str(pair[0]), str(pair[1]), "-o", str(output), "--force"]
    with tempfile.TemporaryDirectory() as home:
        environment = {**os.environ, "STYLEFARM_HOME": home}
        began = time.perf_counter()
        subprocess.run(
            [*command, "--size", "512", "--quality", quality], env=environment, check=True, capture_output=True
        )
        return time.perf_counter() - began


def memory(pair: Pair) -> list[str]:
    """Return the section on large pictures."""
    rows = []
    for size, limit in ((1024, 8 * GIB), (2048, 4 * GIB), (4096, 5 * GIB)):
        found = run(pair, size, 2, "squeezenet", "--optimizer", "adam", "--memory", str(limit))
        plan, seconds = found.told["plan"], min(found.told["evaluations"])
        rows.append((str(size), f"{limit / GIB:.0f}", plan, f"{found.peak / GIB:.2f}", f"{seconds:.1f}"))
    return [
        "## Large pictures",
        "Adam; the memory that may be used is given, and how the picture is made to fit is the engine's choice.",
        table(("size", "may use, GiB", "way", "peak of the process, GiB", "evaluation, s"), rows),
    ]


def starts() -> list[str]:
    """Return the section on a worker's start, of farms on servers of their own."""
    seconds = []
    with benchmark_farm() as setup, setup.farm() as farm:
        content, style = setup.pictures(2)
        for seed in range(STARTS):
            job = farm.submit(content=content, style=style, features="squeezenet", size=256, init="noise", seed=seed)
            began = time.perf_counter()
            worker = start_worker(setup, f"bench-{seed}")
            wait_until(partial(_has_begun, job), 120)
            seconds.append(time.perf_counter() - began)
            job.cancel()
            kill_worker(worker)
    return [
        "## From the start of a worker to its first iteration",
        (
            "The program's start, its registration, the weights from the store (kept on the machine's disk from the"
            f" second start on), and the first iteration at 256 pixels: {format_spread(seconds, 's')} of {STARTS}."
        ),
    ]


def _has_begun(job: Job) -> bool:
    return job.status().iteration > 0


def _pair(folder: Path) -> Pair:
    files = []
    for name in ("astronaut", "immunohistochemistry"):
        files.append(folder / f"{name}.png")
        Image.fromarray(getattr(data, name)()).convert("RGB").save(files[-1])
    return files[0], files[1]


def main() -> None:
    """Measure, and write the page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--peer", type=Path, help="a folder with neural-style-pt as it comes")
    parser.add_argument("--out", type=Path, default=Path("docs/squeezenet-benchmarks.md"))
    arguments = parser.parse_args()
    # Where Python is told not to keep what it compiled, as in some containers, each command takes two seconds more.
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    precisions: list[Precision] = list(dict.fromkeys((choose().precision, "fp32")))
    capability = torch.backends.cpu.get_cpu_capability()
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        pair = _pair(folder)
        peer = None
        if arguments.peer is not None:
            weights = folder / "vgg19-random.pth"
            run_ours(pair, 256, 1, "--export", str(weights))
            peer = Peer(arguments.peer.resolve(), weights, choose().device.type == "cuda")
        parts = [
            ["# Benchmarks of SqueezeNet", (f"Machine: {choose().device_name}, {capability}, {torch.get_num_threads()}"
             f" threads; torch {torch.__version__}.")],
            iterations(pair, peer, precisions),
            *(roofline(pair, precision) for precision in precisions),
            commands(pair, peer, folder),
            memory(pair),
            starts(),
        ]  # fmt: skip
    page = "\n\n".join(part for section in parts for part in section)
    print(page)
    arguments.out.write_text(page + "\n")


if __name__ == "__main__":
    main()
