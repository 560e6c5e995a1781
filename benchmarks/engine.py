"""The engine beside neural-style-pt, and beside itself: `make bench PEER=...` writes docs/benchmarks.md.

    python -m benchmarks.engine --peer neural-style-pt --out docs/benchmarks.md

Without --peer its rows are left as not measured. The two run in turn, in processes of their own.
"""

from __future__ import annotations

import argparse
import platform
import re
import tempfile
from collections.abc import Sequence
from pathlib import Path
from statistics import median

# Before torch, since importing the worker says how OpenMP's threads are to wait.
from worker.engine.device import choose

# isort: split
import torch
from PIL import Image
from skimage import data

from benchmarks.rates import iteration_flops, matmul_rate
from benchmarks.runs import Run, joined, run_ours, run_peer, spread

PAIRS = (("astronaut", "immunohistochemistry"), ("chelsea", "brick"), ("coffee", "retina"))
NOT_MEASURED = "not measured"
GIB = 1 << 30

Row = Sequence[str]


class Bench:
    """All measurements on one machine; each method returns a section of the page."""

    def __init__(self, folder: Path, peer: Path | None, quick: bool) -> None:
        self.folder = folder
        self.peer = peer
        self.quick = quick
        self.path = choose()
        self.gpu = self.path.device.type == "cuda"
        self.weights = folder / "vgg19-random.pth"
        self.pairs = [(self._picture(content), self._picture(style)) for content, style in PAIRS]
        run_ours(self.pairs[0], 256, 1, "--export", str(self.weights))

    def machine(self) -> list[str]:
        """What it ran on."""
        capability = torch.backends.cpu.get_cpu_capability()
        rate = matmul_rate(self.path.device, self.path.dtype)
        return [
            (
                f"Machine: {self.path.device_name}, {platform.processor() or platform.machine()}, {capability},"
                f" {torch.get_num_threads()} threads; Python {platform.python_version()}, torch {torch.__version__}."
            ),
            (
                f"Path: {self.path}. A product of 2048 x 2048 matrices in {self.path.precision} runs at"
                f" {rate / 1e9:.0f} GFLOP/s, the median of 9."
            ),
        ]

    def iterations(self) -> list[str]:
        """Time of an iteration beside the peer's, and the peak of memory."""
        rows: list[Row] = []
        rate = matmul_rate(self.path.device, self.path.dtype)
        for size in (256, 512):
            count = 7 if self.quick else 12
            ours, peers = self._in_turn(size, count)
            ratio = memory = NOT_MEASURED
            if peers:
                ratio = f"{median(peers.seconds) / median(ours.seconds):.2f}"
                memory = f"{peers.peak / GIB:.2f}"
            share = iteration_flops(size, size) / median(ours.seconds) / rate
            theirs = spread(peers.seconds) if peers else NOT_MEASURED
            row = (str(size), spread(ours.seconds), theirs, ratio, f"{share:.0%}", f"{ours.peak / GIB:.2f}", memory)
            rows.append(row)
        header = ("size", "ours, s", "peer, s", "peer / ours", "of the matmul rate", "ours, GiB", "peer, GiB")
        return [
            "## An iteration beside neural-style-pt",
            (
                "VGG-19 to relu5_1, average pooling, style at relu1_1 to relu5_1, content at relu4_2, L-BFGS, total"
                " variation (L1); the peer with its own 100 corrections, ours with 20. Median and quartiles of single"
                " iterations, the two programs in turn. The share of the matmul rate counts the multiplications of"
                " plain convolutions: Winograd's need fewer, so it can pass 100 %."
            ),
            table(header, rows),
        ]

    def large(self) -> list[str]:
        """Pictures that are read in strips."""
        rows: list[Row] = []
        before = self._limited(1024, 2)
        for size, count in ((2048, 1),) if self.quick else ((2048, 1), (4096, 0)):
            # The small one before and after, since a machine is not as fast at all times.
            run, after = self._limited(size, count), self._limited(1024, 2)
            small, large = min(_evaluations(before) + _evaluations(after)), min(_evaluations(run))
            ratio = f"{large / small * (1024 / size) ** 2:.2f}"
            rows.append((str(size), run.told["fit"], f"{large:.1f}", f"{small:.1f}", ratio, f"{run.peak / GIB:.2f}"))
            before = after
        return [
            "## Large pictures under 8 GiB",
            (
                "Adam, whose state is small; the memory of the process is limited to 8 GiB, and how the picture is"
                " made to fit is the engine's own choice. The fastest evaluation of loss and gradient, of one at 4096"
                " pixels and two at 2048, beside the fastest of six at 1024, which fit whole, just before and after."
            ),
            table(("size", "way", "s", "1024, s", "time per pixel / at 1024", "peak, GiB"), rows),
        ]

    def _limited(self, size: int, count: int) -> Run:
        words = ("--optimizer", "adam", "--memory", str(8 * GIB), "--precision", "auto")
        return run_ours(self.pairs[0], size, count, *words)

    def fidelity(self) -> list[str]:
        """The loss of the fast path beside that of plain float32, after equal iterations and in equal time."""
        rows: list[Row] = []
        size, count = 128 if self.quick else 160, 20 if self.quick else 24
        for names, pair in zip(PAIRS, self.pairs, strict=True):
            for weight in ("1e-3", "0"):
                fast = run_ours(pair, size, count, "--tv", weight)
                plain = run_ours(pair, size, count, "--tv", weight, "--precision", "fp32", "--way", "plain")
                passed = sum(plain.seconds[: len(plain.seconds) // 2])
                row = (
                    " x ".join(names),
                    weight,
                    f"{_relative(fast.losses[-1], plain.losses[-1]):+.1e}",
                    f"{_relative(_at(fast, passed), _at(plain, passed)):+.1%}",
                )
                rows.append(row)
        return [
            "## What the fast path costs in fidelity",
            (
                f"The total loss of `{self.path}` beside float32 with plain convolutions: after {count} iterations, and"
                f" after the time in which plain convolutions made half of them. At {size} pixels; less than nought is"
                " better."
            ),
            table(("pair", "total variation", "at equal iterations", "at equal time"), rows),
        ]

    def estimates(self) -> list[str]:
        """What is told before the start beside what was taken."""
        rows: list[Row] = []
        base = run_ours(self.pairs[0], 16, 1).peak
        for size in (256, 512, 1024):
            for memory in (64 * GIB, 2 * GIB):
                if memory == 2 * GIB and size < 1024:
                    continue  # it fits whole all the same
                told = run_ours(self.pairs[0], size, 3, "--memory", str(memory), "--estimate")
                run = run_ours(self.pairs[0], size, 3, "--memory", str(memory))
                in_all, each = run.told["estimated_bytes"] + base, median(run.seconds)
                row = (
                    str(size),
                    run.told["fit"],
                    f"{in_all / GIB:.2f}",
                    f"{run.peak / GIB:.2f}",
                    f"{in_all / run.peak:.2f}",
                    f"{told.seconds[0]:.2f}",
                    f"{each:.2f}",
                    f"{told.seconds[0] / each:.2f}",
                )
                rows.append(row)
        return [
            "## Memory and time, told and taken",
            (
                "What `stylefarm estimate` tells (of memory, with what the process takes before it begins) beside the"
                " peak, and beside the median of an iteration."
            ),
            table(
                ("size", "way", "told, GiB", "taken, GiB", "ratio", "told, s per iteration", "taken, s", "ratio"), rows
            ),
        ]

    def parts(self) -> list[str]:
        """A profile of one iteration."""
        run = run_ours(self.pairs[0], 512, 3, "--profile")
        rows = [(name, f"{share:.1%}") for name, share in run.told["parts"].items()]
        return [
            "## Where an iteration's time goes",
            "The time of torch's operators in one iteration at 512 pixels, by torch's profiler.",
            table(("part", "share"), rows),
        ]

    def on_gpu(self) -> list[str]:
        """What only a GPU can say."""
        rows: list[Row] = [("alone", NOT_MEASURED, NOT_MEASURED), ("batch of 16", NOT_MEASURED, NOT_MEASURED)]
        if self.gpu:
            rate = matmul_rate(self.path.device, self.path.dtype)
            rows = []
            for name, batch in (("alone", 1), ("batch of 16", 16)):
                run = run_ours(self.pairs[0], 512, 60, "--batch", str(batch))
                each = median(run.seconds) / batch
                rows.append((name, f"{each * 1e3:.2f}", f"{iteration_flops(512, 512) / each / rate:.0%}"))
        return [
            "## On a GPU, 512 pixels",
            "The same command fills these rows where a GPU is.",
            table(("pictures", "ms per picture and iteration", "of the dense rate"), rows),
        ]

    def _in_turn(self, size: int, count: int) -> tuple[Run, Run | None]:
        ours, peers = [], []
        for _ in range(2):
            ours.append(run_ours(self.pairs[0], size, count))
            if self.peer is not None:
                peers.append(run_peer(self.peer, self.weights, self.pairs[0], size, count, self.gpu))
        return joined(ours), joined(peers) if peers else None

    def _picture(self, name: str) -> Path:
        file = self.folder / f"{name}.png"
        if not file.exists():
            # Square, so that a size is a number of pixels.
            picture = Image.fromarray(getattr(data, name)()).convert("RGB")
            side = min(picture.size)
            picture.crop((0, 0, side, side)).save(file)
        return file


def table(header: Row, rows: Sequence[Row]) -> str:
    """A table in Markdown."""
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def _evaluations(run: Run) -> list[float]:
    """The seconds of each evaluation of loss and gradient, the first one too."""
    return [run.told["first"], *run.seconds]


def _relative(value: float, to: float) -> float:
    return value / to - 1


def _at(run: Run, passed: float) -> float:
    """The loss that was reached in so many seconds after the first iteration."""
    done, spent = 0, 0.0
    while done < len(run.seconds) and spent + run.seconds[done] <= passed:
        spent += run.seconds[done]
        done += 1
    return run.losses[done]


SECTIONS = ("machine", "iterations", "parts", "large", "estimates", "fidelity", "on_gpu")
TITLE = "# Benchmarks of the engine"


def main() -> None:
    """Measures, and writes the page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--peer", type=Path, help="a folder with neural-style-pt as it comes")
    parser.add_argument("--out", type=Path, default=Path("docs/benchmarks.md"))
    parser.add_argument("--quick", action="store_true", help="fewer and smaller runs, to see that all of it works")
    parser.add_argument("--only", choices=SECTIONS, nargs="+", help="measure these again; the page keeps the others")
    arguments = parser.parse_args()
    kept = _sections(arguments.out) if arguments.only else {}
    with tempfile.TemporaryDirectory() as folder:
        peer = None if arguments.peer is None else arguments.peer.resolve()
        bench = Bench(Path(folder), peer, arguments.quick)
        for name in arguments.only or SECTIONS:
            kept[name] = "\n\n".join(getattr(bench, name)())
            print(kept[name], flush=True)
    arguments.out.write_text("\n\n".join([TITLE, *(kept[name] for name in SECTIONS)]) + "\n")


def _sections(page: Path) -> dict[str, str]:
    """The sections of a page that was written before."""
    _, *sections = re.split(r"\n\n(?=## |Machine: )", page.read_text().strip())
    return dict(zip(SECTIONS, sections, strict=True))


if __name__ == "__main__":
    main()
