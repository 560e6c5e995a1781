"""Sweeps as tables."""

from __future__ import annotations

import csv
import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from examples.embedded import embedded_settings
from stylefarm import Farm, InvalidRequest, State, Sweep, export_losses, export_results
from tests.made_up import METRICS, made_up

AXES: dict[str, Any] = {
    "content": ["cat, the large.png", 'dog "Rex".png'],
    "style": ["waves.png", ["waves.png", "night.png"]],
    "seed": [1, 2],
}
Read = Callable[[Path], list[dict[str, Any]]]


@pytest.fixture
def sweep(tmp_path: Path) -> Iterator[Sweep]:
    """Eight jobs, two of which failed."""
    with Farm(embedded_settings(tmp_path / "made-up")) as farm:
        yield made_up(
            farm,
            AXES,
            outcome=lambda cell: State.FAILED if cell["seed"] == 2 and "cat" in cell["content"] else State.DONE,
        )


def from_csv(path: Path) -> list[dict[str, Any]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def from_jsonl(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def from_parquet(path: Path) -> list[dict[str, Any]]:
    parquet = pytest.importorskip("pyarrow.parquet")
    rows: list[dict[str, Any]] = parquet.read_table(path).to_pylist()
    return rows


@pytest.mark.parametrize(("suffix", "read"), [(".csv", from_csv), (".jsonl", from_jsonl), (".parquet", from_parquet)])
def test_a_row_for_each_job(sweep: Sweep, tmp_path: Path, suffix: str, read: Read) -> None:
    """Given eight jobs, I expect eight rows with what the farm says of each, in every format."""
    rows = read(export_results(sweep, tmp_path / f"results{suffix}"))
    statuses = sweep.statuses()
    assert [row["id"] for row in rows] == [status.id for status in statuses]
    for row, status in zip(rows, statuses, strict=True):
        assert row["content"] == status.cell["content"]
        assert int(row["seed"]) == status.cell["seed"]
        assert row["state"] == str(status.state)
        assert (row["result_sha256"] or None) == status.result_sha256
        for name in METRICS:
            assert (float(row[name]) if row[name] not in ("", None) else None) == status.metrics.get(name)
    assert json.loads(rows[2]["style"]) == ["waves.png", "night.png"]
    assert "cut short" in rows[1]["error"]


def test_every_row_is_of_the_sweep(sweep: Sweep, tmp_path: Path) -> None:
    """Given a sweep whose cells are shared with an older one, I expect its own id in each row."""
    assert isinstance(sweep.farm, Farm)
    newer = made_up(sweep.farm, {**AXES, "seed": [1, 3]}, name="newer")
    rows = from_csv(export_results(newer, tmp_path / "newer.csv"))
    assert {status.sweep for status in newer.statuses()} == {sweep.id, newer.id}
    assert {row["sweep"] for row in rows} == {newer.id}


@pytest.mark.parametrize(("suffix", "read"), [(".csv", from_csv), (".jsonl", from_jsonl), (".parquet", from_parquet)])
def test_a_row_for_each_point(sweep: Sweep, tmp_path: Path, suffix: str, read: Read) -> None:
    """Given a slice of four jobs, two of which failed at once, I expect the points of the two others, in order."""
    rows = read(export_losses(sweep, tmp_path / f"losses{suffix}", where={"content": ["cat, the large"]}))
    expected = [
        (job.id, iteration, total)
        for job, status in zip(sweep.jobs(), sweep.statuses(), strict=True)
        for losses in [job.losses()]
        for iteration, total in zip(losses.iteration, losses.total, strict=True)
        if status.cell["content"] == AXES["content"][0]
    ]
    assert [(row["id"], int(row["iteration"]), float(row["losses.total"])) for row in rows] == expected
    assert len(rows) == 22


def test_an_axis_of_several_types_is_one_column(tmp_path: Path) -> None:
    """Given axes of whole numbers and fractions, words and numbers, nothing and numbers, I expect each in Parquet."""
    axes: dict[str, Any] = {"style_weight": [1, 2.5], "learning_rate": ["auto", 0.5], "min_size": [None, 32]}
    with Farm(embedded_settings(tmp_path / "made-up")) as farm:
        rows = from_parquet(export_results(made_up(farm, axes), tmp_path / "results.parquet"))
    assert [row["style_weight"] for row in rows[::4]] == [1.0, 2.5]
    assert [row["learning_rate"] for row in rows[:4:2]] == ["auto", "0.5"]
    assert [row["min_size"] for row in rows[:2]] == [None, 32]


def test_what_cannot_be_written_is_told(sweep: Sweep, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Given no pyarrow, no such format, a file that is there, I expect a sentence for each, and nothing written."""
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(InvalidRequest, match=r"pip install 'stylefarm\[parquet\]'"):
        export_results(sweep, tmp_path / "results.parquet")
    with pytest.raises(InvalidRequest, match="no format of a table"):
        export_results(sweep, tmp_path / "results.xls")
    assert not list(tmp_path.glob("results*"))
    export_results(sweep, tmp_path / "results.csv")
    with pytest.raises(InvalidRequest, match="exists"):
        export_losses(sweep, tmp_path / "results.csv")


def test_a_table_does_not_tell_where_pictures_lie(tmp_path: Path) -> None:
    """Given pictures by absolute paths, I expect what the paths do not have in common, which tells them apart."""
    home = "/home/somebody/pictures"
    style = [f"{home}/waves.png", [f"{home}/waves.png", "night.png"]]
    axes: dict[str, Any] = {"content": [f"{home}/a/cat.png", f"{home}/b/cat.png"], "style": style}
    with Farm(embedded_settings(tmp_path / "made-up")) as farm:
        sweep = made_up(farm, axes)
        files = [export(sweep, tmp_path / f"{export.__name__}.csv") for export in (export_results, export_losses)]
    rows, points = map(from_csv, files)
    assert not [value for row in rows + points for value in row.values() if "somebody" in value]
    assert [(row["content"], row["style"]) for row in rows] == [
        (content, style)
        for content in ("a/cat.png", "b/cat.png")
        for style in ("waves.png", '["waves.png", "night.png"]')
    ]
