"""Sweeps beside each other."""

from __future__ import annotations

import csv
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from examples.embedded import embedded_settings
from stylefarm import Farm, InvalidRequest, State, Sweep, compare, write_comparison
from stylefarm.producer.views.metrics import NOT_VALIDATED
from tests.made_up import METRICS, made_up

AXES: dict[str, Any] = {"optimizer": ["lbfgs", "adam"], "content": ["a|b.png", "<b>.png"], "seed": [*range(5)]}


def outcome(cell: Mapping[str, Any]) -> State:
    return State.FAILED if (cell["optimizer"], cell["seed"]) == ("adam", 4) else State.DONE


@pytest.fixture
def farm(tmp_path: Path) -> Iterator[Farm]:
    with Farm(embedded_settings(tmp_path / "made-up")) as farm:
        yield farm


@pytest.fixture
def sweep(farm: Farm) -> Sweep:
    """Ten jobs of each optimizer; two of the second failed. The n-th took n seconds, and has a gram of n / 1000."""
    return made_up(farm, AXES, outcome=outcome, name="two <i> optimizers")


def test_medians_and_quartiles_of_each_value(sweep: Sweep) -> None:
    """Given two optimizers, I expect the numbers of those of their jobs that are done, by hand."""
    found = compare([sweep], by="optimizer")
    assert [(group.name, group.jobs, group.done) for group in found.groups] == [("lbfgs", 10, 10), ("adam", 10, 8)]
    assert list(found.metrics) == list(METRICS)
    lbfgs, adam = (group.numbers["seconds"] for group in found.groups)
    assert (lbfgs.count, lbfgs.median, lbfgs.low, lbfgs.high) == (10, 4.5, 2.25, 6.75)
    # 10, 11, 12, 13, 15, 16, 17, 18
    assert (adam.count, adam.median, adam.low, adam.high) == (8, 14.0, 11.75, 16.25)
    assert found.groups[1].numbers["gram"].median == pytest.approx(0.014)


def test_what_jobs_may_be_compared_by(farm: Farm, sweep: Sweep) -> None:
    """Given no wish, I expect the axis that is no picture; a parameter that is no axis; two sweeps; a sentence."""
    assert compare([sweep]).by == "optimizer"
    assert [group.name for group in compare([sweep], by="content").groups] == ["a|b", "<b>"]
    assert [group.name for group in compare([sweep], by="tv_weight").groups] == ["3"]
    assert [group.jobs for group in compare([sweep], where={"optimizer": ["adam"]}).groups] == [10]
    other = made_up(farm, {"seed": [7]}, name="one")
    both = compare([sweep, other])
    assert (both.by, [(group.name, group.jobs) for group in both.groups]) == (
        "sweep",
        [("two <i> optimizers", 20), ("one", 1)],
    )
    namesake = made_up(farm, {"seed": [8]}, name="one")
    found = compare([other, namesake]).groups
    assert [group.name for group in found] == [f"one {one.id[:8]}" for one in (other, namesake)]
    with pytest.raises(InvalidRequest, match="there is no axis or parameter 'optimiser': did you mean 'optimizer'"):
        compare([sweep], by="optimiser")


def test_tables(sweep: Sweep, tmp_path: Path) -> None:
    """Given names with marks of the formats in them, I expect their tables to hold, and the note under Markdown."""
    found = compare([sweep], by="content")
    with write_comparison(found, tmp_path / "table.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["content"] for row in rows] == ["a|b", "<b>"]
    assert float(rows[0]["seconds.median"]) == found.groups[0].numbers["seconds"].median
    text = write_comparison(found, tmp_path / "table.md").read_text(encoding="utf-8")
    lines = [line for line in text.splitlines() if line.startswith("|")]
    assert len(lines) == 4
    assert len({line.replace("\\|", "").count("|") for line in lines}) == 1
    assert NOT_VALIDATED in text


def test_plots(sweep: Sweep, tmp_path: Path) -> None:
    """Given two groups, I expect a PNG, an SVG with the note, and a page with both points, the table and the note."""
    found = compare([sweep], by="content")
    with Image.open(write_comparison(found, tmp_path / "plot.png", metric="ssim")) as image:
        assert image.format == "PNG"
    assert write_comparison(found, tmp_path / "plot.svg").read_text(encoding="utf-8").startswith("<?xml")
    page = write_comparison(found, tmp_path / "plot.html").read_text(encoding="utf-8")
    drawing = page[page.rindex("Plotly.newPlot") :]
    assert drawing.count('"mode":"markers"') == 2
    assert "<td>&lt;b&gt;</td>" in page
    assert "<b>" not in drawing.replace("</b>", "")
    assert NOT_VALIDATED.replace("'", "&#x27;") in page
    assert "two &lt;i&gt; optimizers" in page


@pytest.mark.parametrize(("over", "points"), [("seed", "lines+markers"), ("content", "markers")])
def test_a_metric_over_an_axis(sweep: Sweep, tmp_path: Path, over: str, points: str) -> None:
    """Given an axis of numbers or of names, I expect a line for each optimizer, its medians in the axis's order."""
    found = compare([sweep], by="optimizer", over=over)
    assert [group.name for group in found.groups] == ["lbfgs"] * len(AXES[over]) + ["adam"] * len(AXES[over])
    assert [group.at for group in found.groups] == AXES[over] * 2
    # The n-th took n seconds: the two contents of a seed are 5 apart, and the five seeds of a content 1.
    first = found.groups[0].numbers["seconds"]
    assert (first.count, first.median) == ((2, 2.5) if over == "seed" else (5, 2.0))
    page = write_comparison(found, tmp_path / "over.html").read_text(encoding="utf-8")
    drawing = page[page.rindex("Plotly.newPlot") :]
    assert drawing.count(f'"mode":"{points}"') == 2
    assert "<b>" not in drawing.replace("</b>", "")
    for suffix in ("png", "svg"):
        assert write_comparison(found, tmp_path / f"over.{suffix}").stat().st_size > 1000
    with write_comparison(found, tmp_path / "over.csv").open(encoding="utf-8", newline="") as file:
        assert next(csv.reader(file))[:4] == ["optimizer", over, "jobs", "done"]


def test_over_an_axis_all_jobs_are_one_line(sweep: Sweep) -> None:
    """Given no wish for groups, I expect one for each value of the axis, from the lowest number up."""
    found = compare([sweep], over="seed")
    assert (found.by, [group.at for group in found.groups]) == ("", [0, 1, 2, 3, 4])
    assert [group.jobs for group in found.groups] == [4] * 5


def test_what_cannot_be_written_is_told(sweep: Sweep, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Given an unknown metric or format, a file that is there, no Plotly, I expect a sentence, and nothing written."""
    monkeypatch.setitem(sys.modules, "plotly.graph_objects", None)
    found = compare([sweep])
    (tmp_path / "there.csv").touch()
    for name, metric, message in (
        ("a.png", "gramm", "no job has the metric gramm: did you mean 'gram'"),
        ("a.pdf", "gram", "no format of a comparison"),
        ("there.csv", "gram", "exists: give force=True"),
        ("a.html", "gram", "pip install 'stylefarm"),
    ):
        with pytest.raises(InvalidRequest, match=message):
            write_comparison(found, tmp_path / name, metric=metric)
    assert not list(tmp_path.glob("a.*"))
    assert (tmp_path / "there.csv").read_bytes() == b""
