"""Compare every method of a farm over contents and styles: a sweep each, a sheet, a table and a plot for docs/.

    python -m examples.comparison --pictures PAINTINGS [--size 384] [--contents 3] [--styles 12]

PAINTINGS is a folder of styles; the contents are scikit-image's photographs. The methods are the optimization and the
models of the farm that the settings name: those that take any style, and those that have learned one of the styles, as
`stylefarm train ... --style PAINTINGS/waves.jpg` makes them. It writes docs/comparison.md and its pictures.
"""

from __future__ import annotations

import argparse
import hashlib
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean, stdev
from typing import Any

from PIL import Image

from examples.embedded import photographs
from examples.photographs import NAMES
from stylefarm import Farm, Sweep, compare
from stylefarm.producer.reports.comparison_files import write_comparison
from stylefarm.producer.sheets.layout import contact_sheet
from stylefarm.producer.sheets.parts import Cell, Head, Words
from stylefarm.producer.views.status import Status
from stylefarm.shared.db.library_tables import ModelRow
from stylefarm.shared.spec.models import MODEL_METHODS
from stylefarm.shared.spec.spec import BLOB

DOCS = Path("docs")
# What is compared, and whether more of it is better.
MEASURES: Mapping[str, bool] = {"gram": False, "sliced": False, "self_similarity": False, "ssim": True}
# A method is on the front if no other is as good in all of these, and better in one.
FRONT = ("gram", "self_similarity", "seconds")
ABOUT = """\
{contents} photographs of scikit-image in {styles} styles at {size} pixels, on {device}, by `python -m
examples.comparison`. Each method is a sweep of one farm. A number is the mean over the styles, each of which counts
once, with the standard error over the styles, since most of the variance comes from the style (Yeh et al. 2019, arXiv
1910.09447). gram and sliced are distances to the style, self_similarity to the content (less is closer), ssim is a
similarity to the content, all on a random network that no method has optimized. None of them has been validated against
people's judgement. `seconds` is the time of a job at its worker, without the start of the program; `first picture` has
the training in it. A star marks the Pareto front of gram, self_similarity and seconds: no other method is as good in
all three. Models that have learned a style are compared over their own styles alone."""


@dataclass(frozen=True)
class Entry:
    """A method in the comparison: its sweep, and how long its training took; None without one."""

    name: str
    sweep: Sweep
    training: float | None = None


@dataclass(frozen=True)
class Numbers:
    """Mean and standard error over the styles; of one style there is no error."""

    mean: float
    error: float | None

    def __str__(self) -> str:
        return f"{self.mean:.3g}" if self.error is None else f"{self.mean:.3g} ± {self.error:.1g}"


def submit(farm: Farm, contents: Sequence[Path], styles: Sequence[Path], size: int) -> list[Entry]:
    """Submit a sweep for each method: the optimization, and every model of the farm that fits."""
    matrix = {"content": list(map(str, contents)), "style": list(map(str, styles))}
    base: dict[str, Any] = {"size": size}
    entries = [
        Entry(f"gatys {quality}", farm.sweep(matrix=matrix, base={**base, "quality": quality}, name=f"gatys {quality}"))
        for quality in ("draft", "normal")
    ]
    for row in farm.store.models.all():
        takes = MODEL_METHODS[row.method].takes
        if takes == "pictures":
            transforms = ("wct", "ot") if row.method == "wct" else ("auto",)
            for transform in transforms:
                name = row.name if len(transforms) == 1 else f"{row.name} {transform}"
                wanted = {**base, "model": row.name, "transform": transform}
                entries.append(Entry(name, farm.sweep(matrix=matrix, base=wanted, name=name), _seconds(row)))
        elif learned := _learned(farm, row, styles):
            entries += _of_learned(farm, row, learned, contents, size)
    return entries


def _learned(farm: Farm, row: ModelRow, styles: Sequence[Path]) -> dict[int, Path]:
    """Return which of the styles a model has learned, by their numbers in it."""
    spec = row.card.get("spec")
    addresses = list(spec.get("style", ())) if isinstance(spec, Mapping) else []
    found = {BLOB + hashlib.sha256(path.read_bytes()).hexdigest(): path for path in styles}
    # Those of the model that it has begun with come first.
    first = max(0, (row.architecture.get("styles") or 0) - len(addresses))
    return {number: found[address] for number, address in enumerate(addresses, first) if address in found}


def _of_learned(
    farm: Farm, row: ModelRow, learned: Mapping[int, Path], contents: Sequence[Path], size: int
) -> list[Entry]:
    base: dict[str, Any] = {"size": size, "model": row.name}
    matrix: dict[str, Any] = {"content": list(map(str, contents))}
    if MODEL_METHODS[row.method].takes == "indices":
        matrix["style_index"] = list(learned)
    return [Entry(row.name, farm.sweep(matrix=matrix, base=base, name=row.name), _seconds(row))]


def _seconds(row: ModelRow) -> float | None:
    seconds = row.card.get("seconds")
    return float(seconds) if isinstance(seconds, int | float) else None


def over_styles(statuses: Sequence[Status], metric: str) -> Numbers | None:
    """Return a metric over the styles, each of which counts once.

    Args:
        statuses: the jobs of one method.
        metric: the name of the metric.
    """
    by_style: dict[str, list[float]] = {}
    for status in statuses:
        value = status.metrics.get(metric, math.nan)
        if math.isfinite(value):
            by_style.setdefault(status.style, []).append(value)
    means = [fmean(values) for values in by_style.values()]
    if not means:
        return None
    return Numbers(fmean(means), stdev(means) / math.sqrt(len(means)) if len(means) > 1 else None)


def front(numbers: Mapping[str, Mapping[str, Numbers]]) -> set[str]:
    """Return the methods on the Pareto front.

    Args:
        numbers: by method and metric.

    Example:
        >>> one, two = ({name: Numbers(value, None) for name in FRONT} for value in (1.0, 2.0))
        >>> front({"one": one, "two": two})
        {'one'}
    """
    places = {
        name: [found[metric].mean for metric in FRONT]
        for name, found in numbers.items()
        if all(m in found for m in FRONT)
    }
    return {
        name
        for name, own in places.items()
        if not any(all(a <= b for a, b in zip(other, own, strict=True)) and other != own for other in places.values())
    }


def page(entries: Sequence[Entry], about: str) -> str:
    """Return the page in Markdown."""
    statuses = {entry.name: entry.sweep.statuses() for entry in entries}
    metrics = (*MEASURES, "seconds")
    numbers = {
        name: {metric: found for metric in metrics if (found := over_styles(jobs, metric)) is not None}
        for name, jobs in statuses.items()
    }
    best = front(numbers)
    rows = [["method", "styles", *metrics, "training", "first picture"]]
    for entry in entries:
        own = numbers[entry.name]
        seconds = own["seconds"].mean if "seconds" in own else math.nan
        training = "" if entry.training is None else _duration(entry.training)
        rows.append(
            [
                entry.name + (" *" if entry.name in best else ""),
                str(len({status.style for status in statuses[entry.name]})),
                *(str(own.get(metric, "")) for metric in metrics),
                training,
                _duration(seconds + (entry.training or 0)),
            ]
        )
    head, *body = [f"| {' | '.join(row)} |" for row in rows]
    rule = f"|{'|'.join(['---'] + ['---:'] * (len(rows[0]) - 1))}|"
    parts = [
        "# Methods compared",
        about,
        "\n".join([head, rule, *body]),
        "![A content in several styles by each method](images/comparison.jpg)",
        "![Distance to the style over the seconds of a picture](images/comparison-seconds.png)",
    ]
    return "\n\n".join(parts) + "\n"


def _duration(seconds: float) -> str:
    return f"{seconds:.1f} s" if seconds < 120 else f"{seconds / 60:.0f} min"


def sheet(farm: Farm, entries: Sequence[Entry], content: Path, styles: Sequence[Path]) -> Image.Image:
    """Return one content in several styles by each method that takes any style."""
    any_style = [entry for entry in entries if "style" in entry.sweep.axes]
    cells: dict[tuple[int, int], Cell] = {}
    for column, entry in enumerate(any_style):
        for job in entry.sweep.jobs():
            status = job.status()
            if status.cell["content"] == str(content) and (at := _place(status, styles)) is not None:
                cells[at, column] = Cell(farm.find_job(status.id).result().image)
    rows = [Head(path.stem.replace("_", " "), Image.open(path).convert("RGB")) for path in styles]
    columns = [Head(entry.name) for entry in any_style]
    return contact_sheet(rows, columns, cells, Words(content.stem), cell=200)


def _place(status: Status, styles: Sequence[Path]) -> int | None:
    names = list(map(str, styles))
    return names.index(status.cell["style"]) if status.cell["style"] in names else None


def main() -> None:
    """Render what is missing, and write the page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pictures", type=Path, required=True, help="the folder of styles")
    parser.add_argument("--size", type=int, default=384)
    parser.add_argument("--contents", type=int, default=3)
    parser.add_argument("--styles", type=int, default=12)
    arguments = parser.parse_args()
    with Farm() as farm:
        contents = [photographs() / name for name in NAMES[: arguments.contents]]
        styles = sorted(arguments.pictures.glob("*.jpg"))[: arguments.styles]
        entries = submit(farm, contents, styles, arguments.size)
        for entry in entries:
            entry.sweep.wait()
            print(entry.name, flush=True)
        device = farm.services.queries.attempts(entries[0].sweep.jobs()[0].id)[-1].record.get("device", "cpu")
        about = ABOUT.format(contents=len(contents), styles=len(styles), size=arguments.size, device=device)
        (DOCS / "comparison.md").write_text(page(entries, about))
        sheet(farm, entries, contents[0], styles[:6]).save(DOCS / "images" / "comparison.jpg", quality=88)
        found = compare([entry.sweep for entry in entries], by="sweep")
        write_comparison(found, DOCS / "images" / "comparison-seconds.png", metric="gram", force=True)


if __name__ == "__main__":
    main()
