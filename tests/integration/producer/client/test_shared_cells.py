"""Looking at a sweep that shares its jobs: with an older sweep, and one of them between two of its own cells."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from examples.embedded import embedded_settings
from stylefarm import Farm, Sweep, compare, export_losses, export_results, sweep_sheet, write_losses, write_sheet
from stylefarm.producer.reports.downloads import download_sweep
from tests.made_up import STEPS, made_up
from tests.pages import document

OLDER: dict[str, list[Any]] = {"content": ["cat.png", "dog.png"], "style_weight": [1]}
# To a spec 1 and 1.0 are the same, to a sweep they are two cells.
AXES: dict[str, list[Any]] = {"content": ["cat.png", "dog.png"], "style_weight": [1, 1.0, 2]}


@pytest.fixture
def sweep(tmp_path: Path) -> Iterator[Sweep]:
    """Six cells of four jobs, two of which are another sweep's."""
    with Farm(embedded_settings(tmp_path / "made-up")) as farm:
        made_up(farm, OLDER, name="older", snapshots=2)
        yield made_up(farm, AXES, name="newer", snapshots=2)


def rows_of(path: Path) -> list[dict[str, Any]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_it_is_exported_whole(sweep: Sweep, tmp_path: Path) -> None:
    """Given shared jobs, I expect a row for each of the six cells, with its own values, and each cell's curve."""
    rows = rows_of(export_results(sweep, tmp_path / "results.csv"))
    cells = [(row["content"], row["style_weight"]) for row in rows]
    assert cells == [(content, weight) for content in AXES["content"] for weight in ("1", "1.0", "2")]
    assert len({row["id"] for row in rows}) == 4
    assert all(row["state"] == "done" and row["result_sha256"] for row in rows)
    points = rows_of(export_losses(sweep, tmp_path / "losses.csv"))
    found = {(row["content"], row["style_weight"], row["iteration"]) for row in points}
    assert len(points) == len(found) == 6 * (STEPS + 1)


def test_its_jobs_end_cell_by_cell(sweep: Sweep) -> None:
    """Given shared jobs, if they are waited for as they end, I expect each of the six cells, as it is in this sweep."""
    cells = [job.status().cell for job in sweep.as_completed(timeout=60)]
    assert sorted(map(repr, cells)) == sorted(repr(status.cell) for status in sweep.statuses())
    assert [status.cell for status in sweep.wait()] == [status.cell for status in sweep.statuses()]


def test_it_is_plotted_whole(sweep: Sweep, tmp_path: Path) -> None:
    """Given shared jobs, I expect six curves, also those of the older sweep, and of one slice its two."""
    page = write_losses(sweep, tmp_path / "losses.html").read_text(encoding="utf-8")
    drawing = page[page.rindex("Plotly.newPlot") :]
    assert drawing.count('"mode":"lines"') == 6
    sliced = write_losses(sweep, tmp_path / "two.html", where={"style_weight": [2]}).read_text(encoding="utf-8")
    assert sliced[sliced.rindex("Plotly.newPlot") :].count('"mode":"lines"') == 2


def test_it_is_drawn_whole(sweep: Sweep, tmp_path: Path) -> None:
    """Given shared jobs, I expect a picture and snapshots in each of the six cells, and a sheet of all of them."""
    cells = document(write_sheet(sweep, tmp_path / "sheet.html")[0])["cells"]
    assert len(cells) == 6
    assert all(cell["image"] is not None and len(cell["steps"]) == 2 and not cell["problem"] for cell in cells)
    assert {tuple(cell["at"]) for cell in cells} == {(row, column) for row in range(2) for column in range(3)}
    assert sweep_sheet(sweep, cell=48).width > 3 * 48


def test_it_is_downloaded_whole(sweep: Sweep, tmp_path: Path) -> None:
    """Given shared jobs, I expect a file for each of the six cells, and those of one job alike."""
    done = download_sweep(sweep, tmp_path / "out", snapshots=True)
    results = [one for one in done.written if one.path.parent == tmp_path / "out"]
    assert (len(results), len(done.written)) == (6, 18)
    assert len({one.path.read_bytes() for one in results}) == 4


def test_it_is_compared_by_its_jobs(sweep: Sweep) -> None:
    """Given a job in two cells of one group, I expect it counted once, also where 1 is written in two ways."""
    (of_all,) = compare([sweep], by="method").groups
    assert of_all.jobs == 4
    assert [group.jobs for group in compare([sweep], by="style_weight").groups] == [2, 2]
