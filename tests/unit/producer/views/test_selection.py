"""Which jobs of a sweep are on a sheet."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stylefarm.producer.views.labels import label_of
from stylefarm.producer.views.selection import parse_where, ranked, select
from stylefarm.producer.views.status import Status
from stylefarm.shared.errors import InvalidRequest
from tests.unit.statuses import status

AXES: Mapping[str, Sequence[Any]] = {
    "style_weight": [1.0, 10.0],
    "style": ["s/waves.png", ["s/waves.png", "s/night.png"]],
    "content": ["a.png", "b.png", "c.png"],
}


def statuses(axes: Mapping[str, Sequence[Any]] = AXES) -> list[Status]:
    cells = [dict(zip(axes, values, strict=True)) for values in itertools.product(*axes.values())]
    return [status(cell=cell, metrics={"ssim": number / 100}) for number, cell in enumerate(cells)]


def sides(axes: Mapping[str, Sequence[Any]], **wanted: Any) -> tuple[list[str], list[str], list[str]]:
    """The axes of rows and columns, and the others."""
    found = select(axes, statuses(axes), **wanted)
    rows, columns, others = ([axis.name for axis in side] for side in (found.rows, found.columns, found.others))
    return rows, columns, others


def test_pictures_are_where_they_are_looked_for() -> None:
    """Given contents, styles and a weight in any order, if both sides are named, I expect a page for each weight."""
    selection = select(AXES, statuses(), "content", "style")
    pages = list(selection.pages())
    assert [page.title for page in pages] == ["style_weight = 1", "style_weight = 10"]
    assert {len(page.cells) for page in pages} == {6}
    shown = pages[1].cells[2, 1]
    assert shown.cell == {"style_weight": 10.0, "style": ["s/waves.png", "s/night.png"], "content": "c.png"}


@pytest.mark.parametrize(
    ("axes", "wanted", "expected"),
    [
        (AXES, {}, (["content"], ["style", "style_weight"], [])),
        ({**AXES, "seed": [1, 2]}, {}, (["content", "seed"], ["style", "style_weight"], [])),
        ({**AXES, "seed": [1, 2], "size": [16, 32]}, {}, (["content", "seed"], ["style", "style_weight"], ["size"])),
        (AXES, {"rows": "style_weight"}, (["style_weight"], ["style", "content"], [])),
        (AXES, {"rows": "style_weight", "columns": "content"}, (["style_weight"], ["content"], ["style"])),
        (AXES, {"rows": "content, style_weight"}, (["content", "style_weight"], ["style"], [])),
        (AXES, {"rows": ["style", "content"], "columns": "style_weight"}, (["style", "content"], ["style_weight"], [])),
        (AXES, {"where": {"style_weight": ["1"]}}, (["content"], ["style"], ["style_weight"])),
        ({"style": ["a", "b"]}, {}, ([], ["style"], [])),
        ({"seed": ["a", "b"]}, {}, (["seed"], [], [])),
    ],
)
def test_where_axes_go(
    axes: Mapping[str, Sequence[Any]], wanted: dict[str, Any], expected: tuple[list[str], list[str], list[str]]
) -> None:
    """Given axes, I expect a third and a fourth within the side that has fewer values, unless the sides are named."""
    assert sides(axes, **wanted) == expected
    assert sum(len(page.cells) for page in select(axes, statuses(axes), **wanted).pages()) == len(
        select(axes, statuses(axes), **wanted).statuses
    )


def test_no_page_row_or_column_is_empty() -> None:
    """Given a sweep that has few of the combinations of its axes, I expect only what has a job."""
    axes: dict[str, list[Any]] = {
        "content": ["a", "b", "c"],
        "style": ["s", "t"],
        "seed": [1, 2, 3],
        "size": [16, 32, 64],
    }
    some = [job for job in statuses(axes) if job.cell["seed"] * 16 == job.cell["size"] and job.cell["content"] != "b"]
    pages = list(select(axes, some, "content", "style").pages())
    assert [page.title for page in pages] == ["seed = 1, size = 16", "seed = 2, size = 32"]
    for page in pages:
        assert (page.rows, page.columns) == ([(0,), (2,)], [(0,), (1,)])
        assert set(page.cells) == {(0, 0), (0, 1), (1, 0), (1, 1)}
    (nested,) = select(axes, some, "content,seed", "style,size").pages()
    assert nested.rows == [(0, 0), (0, 1), (2, 0), (2, 1)]
    assert nested.columns == [(0, 0), (0, 1), (1, 0), (1, 1)]
    assert len(nested.cells) == 8


@pytest.mark.parametrize(
    ("where", "left"),
    [
        ({"style_weight": ["10"]}, 6),
        ({"style_weight": ["1e1"], "content": ["a", "b.png"]}, 4),
        ({"style": ["waves + night"]}, 6),
        ({"style": ["waves"]}, 6),
        ({"style": [["s/waves.png", "s/night.png"]]}, 6),
        ({"content": ["a.png", "a"]}, 4),
    ],
)
def test_slices_are_named_as_a_person_would(where: dict[str, list[Any]], left: int) -> None:
    """Given values by number, path, name or stem, I expect the jobs of those values, and heads for no others."""
    selection = select(AXES, statuses(), where=where)
    assert len(selection.statuses) == left
    assert sum(len(page.cells) for page in selection.pages()) == left


@pytest.mark.parametrize(
    ("wanted", "message"),
    [
        ({"rows": "seed"}, "no axis seed: it has style_weight, style, content"),
        ({"rows": "style", "columns": "style"}, "style is named twice"),
        ({"rows": "style,style"}, "style is named twice"),
        ({"columns": "style,seed"}, "no axis seed"),
        ({"rows": "style,content,style_weight"}, "give one axis, or two, the second within the first"),
        ({"where": {"seed": ["1"]}}, "no axis seed"),
        ({"where": {"style_weight": ["7"]}}, "never 7 in this sweep: it is 1, 10"),
    ],
)
def test_what_is_not_there_is_told(wanted: dict[str, Any], message: str) -> None:
    """Given an axis or a value that the sweep has not, I expect a sentence with those that it has."""
    with pytest.raises(InvalidRequest, match=message):
        select(AXES, statuses(), **wanted)


@given(st.permutations(list(AXES)), st.data())
def test_every_job_is_on_one_page(order: list[str], data: st.DataObject) -> None:
    """Given any two axes, I expect each job in one cell of one page, where its values say."""
    rows, columns, *_ = order
    axes = {axis: AXES[axis] for axis in data.draw(st.permutations(list(AXES)))}
    selection = select(axes, statuses(axes), rows, columns)
    seen = 0
    for page in selection.pages():
        for (row, column), job in page.cells.items():
            seen += 1
            assert job.cell[rows] == selection.rows[0].values[page.rows[row][0]]
            assert job.cell[columns] == selection.columns[0].values[page.columns[column][0]]
            assert all(label_of(axis, job.cell[axis]) == label for axis, label in page.slice.items())
    assert seen == len(statuses())


def test_a_ranking_begins_with_the_closest() -> None:
    """Given similarities and distances, I expect the largest similarity first, the smallest distance first."""
    jobs = [status(metrics={"ssim": ssim, "gram": 1 - ssim}, loss=None) for ssim in (0.2, 0.9, 0.5)]
    jobs.append(status(loss=3.0))
    assert [job.metrics["ssim"] for job in ranked(jobs, "ssim")] == [0.9, 0.5, 0.2]
    assert [job.metrics["ssim"] for job in ranked(jobs, "gram")] == [0.9, 0.5, 0.2]
    assert ranked(jobs, "loss") == jobs[3:]
    with pytest.raises(InvalidRequest, match="unknown metric 'ssmi'"):
        ranked(jobs, "ssmi")


def test_where_is_read_from_words() -> None:
    """Given axis=value again and again, I expect the values by axis; without an equals sign, a sentence."""
    assert parse_where(["style_weight=10", "style=a=b.png", "style=c"]) == {
        "style_weight": ["10"],
        "style": ["a=b.png", "c"],
    }
    for wrong in ("style", "=3"):
        with pytest.raises(InvalidRequest, match="axis=value"):
            parse_where([wrong])


def test_names_in_common_are_told_apart() -> None:
    """Given pictures of one name in two folders, I expect their folders in the heads, and short names elsewhere."""
    axes = {"content": ["x/a.png", "y/a.png", "b.png"]}
    assert select(axes, statuses(axes)).rows[0].labels == ["x/a", "y/a", "b"]
    assert label_of("style_loss", {"gram": 1.0, "sliced": 0.5}) == "gram=1, sliced=0.5"
