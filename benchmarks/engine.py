"""The engine beside neural-style-pt, and beside itself: `make bench PEER=...` writes docs/benchmarks.md.

    python -m benchmarks.engine --peer neural-style-pt --out docs/benchmarks.md

Without --peer its rows are left as not measured. The two run in turn, in processes of their own.
"""

from __future__ import annotations

import argparse
import json
import platform
import re
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from statistics import median

# Before torch, since importing the worker says how OpenMP's threads are to wait.
from stylefarm.worker.engine.hardware.device import ComputePath, choose

# isort: split
import torch
from PIL import Image
from skimage import data

from benchmarks.rates import iteration_flops, matmul_rate
from benchmarks.runs import Peer, Run, joined, run_ours, spread

PAIRS = (("astronaut", "immunohistochemistry"), ("chelsea", "brick"), ("coffee", "retina"))
NOT_MEASURED = "not measured"
GIB = 1 << 30

# What the preset `auto` does otherwise than the peer.
_SET = {"preset": "auto", "content_layers": ["relu3_1"], "style_weight": 5.0, "tv_norm": "l2"}
AUTO = ("--set", json.dumps(_SET))

Row = Sequence[str]


class Bench:
    """All measurements on one machine; each method returns a section of the page."""

    def __init__(self, folder: Path, peer: Path | None, quick: bool) -> None:
        self.folder = folder
        self.quick = quick
        self.path = choose()
        self.gpu = self.path.device.type == "cuda"
        self.pairs = [(self._picture(content), self._picture(style)) for content, style in PAIRS]
        weights = folder / "vgg19-random.pth"
        run_ours(self.pairs[0], 256, 1, "--export", str(weights))
        self.peer = None if peer is None else Peer(peer, weights, self.gpu)

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
        count = 7 if self.quick else 9
        # Without half precision as well, where the path has it.
        paths = list(dict.fromkeys((self.path, choose("fp32"))))
        # The best of several, since a slower one would flatter the share of it.
        rates = {path: max(matmul_rate(path.device, path.dtype) for _ in range(5)) for path in paths}
        for size in (256, 512):
            for path, ours, peers in self._in_turn(size, count, paths):
                ratio = memory = NOT_MEASURED
                if peers:
                    ratio = f"{median(peers.seconds) / median(ours.seconds):.2f}"
                    memory = f"{peers.peak / GIB:.2f}"
                share = iteration_flops(size, size) / median(ours.seconds) / rates[path]
                theirs = spread(peers.seconds) if peers else NOT_MEASURED
                figures = (spread(ours.seconds), theirs, ratio, f"{share:.0%}", f"{ours.peak / GIB:.2f}", memory)
                rows.append((str(size), str(path), *figures))
        header = ("size", "path", "ours, s", "peer, s", "peer / ours", "of the matmul rate", "ours, GiB", "peer, GiB")
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

    def to_the_loss(self) -> list[str]:
        """Time to the loss that the peer has after so many iterations, both in float32."""
        size, count = (128, 40) if self.quick else (256, 100)
        rows: list[Row] = []
        for names in PAIRS[:1] if self.quick else PAIRS:
            # Of that very size, so that both begin with the same pixels.
            content, style = (self._picture(name, size) for name in names)
            for weight in ("1e-3", "0"):
                figures = [NOT_MEASURED] * 6
                if self.peer is not None and self.path.precision == "bf16":
                    figures = _raced(self.peer, (content, style), size, count, weight)
                rows.append((" x ".join(names), weight, *figures))
        return [
            "## Time to the peer's loss",
            (
                f"The peer makes {count} iterations in float32 at {size} pixels; ours in bfloat16, until its loss,"
                " evaluated in float32, is no more than the peer's last: at that size alone, and from coarse to fine"
                f" ({size // 4}, {size // 2}, {size} pixels, {count // 2} iterations at each, at the last one as many"
                " as it needs of them). The seconds are of all scales, with what making the finer ones ready takes; in"
                " brackets, how many times faster that is. Measured where the path is bfloat16."
            ),
            table(
                (
                    "pair",
                    "total variation",
                    "loss at the start, ours and the peer's",
                    "peer's last",
                    "peer, s",
                    "at one scale, s",
                    "coarse to fine, s",
                    "iterations at one scale, at the last of three",
                ),
                rows,
            ),
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
            told = (run.told["estimated_bytes"] + self._base) / GIB
            memory = (f"{told:.2f}", f"{run.peak / GIB:.2f}")
            rows.append((str(size), run.told["fit"], f"{large:.1f}", f"{small:.1f}", ratio, *memory))
            before = after
        return [
            "## Large pictures under 8 GiB",
            (
                "Adam, whose state is small; the memory of the process is limited to 8 GiB, and how the picture is"
                " made to fit is the engine's own choice. The fastest evaluation of loss and gradient, of one at 4096"
                " pixels and two at 2048, beside the fastest of six at 1024, which fit whole, just before and after."
                " Memory is told as below, with the optimizer's vectors, which a single evaluation has no need of."
            ),
            table(("size", "way", "s", "1024, s", "time per pixel / at 1024", "told, GiB", "peak, GiB"), rows),
        ]

    def _limited(self, size: int, count: int) -> Run:
        words = ("--optimizer", "adam", "--memory", str(8 * GIB), "--precision", "auto")
        return run_ours(self.pairs[0], size, count, *words)

    def fidelity(self) -> list[str]:
        """The loss of the fast path beside that of plain float32, after equal iterations and in equal time."""
        rows: list[Row] = []
        size, count = 128 if self.quick else 160, 20 if self.quick else 24
        for names, pair in zip(PAIRS, self.pairs, strict=True):
            for loss, weight in (("gram", "1e-3"), ("gram", "0"), ("wasserstein", "3")):
                options = ("--tv", weight, "--exact", *(AUTO if loss == "wasserstein" else ()))
                fast = run_ours(pair, size, count, *options)
                plain = run_ours(pair, size, count, *options, "--precision", "fp32", "--way", "plain")
                passed = sum(plain.seconds[: len(plain.seconds) // 2])
                row = (
                    " x ".join(names),
                    loss,
                    weight,
                    f"{_relative(fast.told['exact'][-1], plain.told['exact'][-1]):+.1e}",
                    f"{_relative(_at(fast, passed), _at(plain, passed)):+.1%}",
                )
                rows.append(row)
        return [
            "## What the fast path costs in fidelity",
            (
                f"The total loss, evaluated in float32, of what `{self.path}` rendered beside float32 with plain"
                f" convolutions: after {count} iterations, and after the time in which plain convolutions made half of"
                f" them. At {size} pixels; less than nought is better. Of the Gram matrix as the peer has it; of the"
                " Wasserstein distance as the preset `auto` has it."
            ),
            table(("pair", "style loss", "total variation", "at equal iterations", "at equal time"), rows),
        ]

    @cached_property
    def _base(self) -> int:
        """Bytes that the process takes before it begins, which are not among those that are told."""
        return run_ours(self.pairs[0], 16, 1).peak

    def estimates(self) -> list[str]:
        """What is told before the start beside what was taken."""
        rows: list[Row] = []
        # What 2048 pixels may take is too little for them to be gone through as a whole.
        small = ((256, 64), (512, 64), (1024, 64))
        for size, gib in small if self.quick else (*small, (2048, 4)):
            memory = str(gib * GIB)
            told = run_ours(self.pairs[0], size, 3, "--memory", memory, "--estimate")
            run = run_ours(self.pairs[0], size, 3, "--memory", memory)
            in_all, each = run.told["estimated_bytes"] + self._base, median(run.seconds)
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

    def _in_turn(
        self, size: int, count: int, paths: Sequence[ComputePath]
    ) -> list[tuple[ComputePath, Run, Run | None]]:
        ours: dict[ComputePath, list[Run]] = {path: [] for path in paths}
        peers = []
        for _ in range(2):
            for path in paths:
                ours[path].append(run_ours(self.pairs[0], size, count, "--precision", path.precision))
            if self.peer is not None:
                peers.append(self.peer.run(self.pairs[0], size, count))
        return [(path, joined(runs), joined(peers) if peers else None) for path, runs in ours.items()]

    def _picture(self, name: str, size: int | None = None) -> Path:
        """A picture of scikit-image, cropped to a square, so that a size is a number of pixels; of that size if any."""
        file = self.folder / f"{name}-{size}.png"
        if not file.exists():
            picture = Image.fromarray(getattr(data, name)()).convert("RGB")
            side = min(picture.size)
            square = picture.crop((0, 0, side, side))
            (square if size is None else square.resize((size, size), Image.Resampling.LANCZOS)).save(file)
        return file


def table(header: Row, rows: Sequence[Row]) -> str:
    """A table in Markdown."""
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def _evaluations(run: Run) -> list[float]:
    """The seconds of each evaluation of loss and gradient, the first one too."""
    return [run.told["first"], *run.seconds]


def _raced(peer: Peer, pair: tuple[Path, Path], size: int, count: int, weight: str) -> list[str]:
    """The losses of one pair, each program with the weights that it calibrates, and the seconds to the peer's last."""
    peer = replace(peer, weights=peer.weights.with_name(f"vgg19-{pair[0].stem}.pth"))
    if not peer.weights.exists():
        run_ours(pair, size, 1, "--export", str(peer.weights))
    theirs = peer.run(pair, size, count, weight)
    aim, last = theirs.losses[-1], count // 2
    coarse = {"min_size": size // 4, "scale_factor": 2.0, "iterations": last}
    words = ("--tv", weight, "--aim", str(aim))
    one = run_ours(pair, size, count * 3 // 2, *words)
    three = run_ours(pair, size, last, *words, "--set", json.dumps(coarse))
    # The peer tells its loss before each step, so the last one comes after one step fewer.
    passed = (len(theirs.losses) - 1) * median(theirs.seconds)
    starts = f"{one.told['exact'][0]:.4g}, {theirs.losses[0]:.4g}"
    steps = ", ".join(str(run.told["steps"]) for run in (one, three))
    return [starts, f"{aim:.4g}", f"{passed:.1f}", *(_time_to(aim, run, passed) for run in (one, three)), steps]


def _time_to(aim: float, run: Run, passed: float) -> str:
    """The seconds to that loss and how many times that is in `passed`, or by how much it was missed."""
    last, seconds = run.told["exact"][-1], sum(run.seconds)
    if last > aim:
        return f"not in {seconds:.1f}: {_relative(last, aim):.2%} above"
    return f"{seconds:.1f} ({passed / seconds:.2f})"


def _relative(value: float, to: float) -> float:
    return value / to - 1


def _at(run: Run, passed: float) -> float:
    """The loss that was reached in so many seconds after the first iteration."""
    done, spent = 0, 0.0
    while done < len(run.seconds) and spent + run.seconds[done] <= passed:
        spent += run.seconds[done]
        done += 1
    return float(run.told["exact"][done])


SECTIONS = ("machine", "iterations", "to_the_loss", "parts", "large", "estimates", "fidelity", "on_gpu")
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
