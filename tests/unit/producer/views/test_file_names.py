"""What the files of a sweep are called."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from stylefarm.producer.views.file_names import LONGEST, file_names
from stylefarm.producer.views.status import Status
from tests.unit.statuses import status


def jobs(*cells: Mapping[str, Any]) -> list[Status]:
    return [status(cell=cell) for cell in cells]


def test_a_name_says_the_cell() -> None:
    """Given pictures, weights and mixtures, I expect their names and values in it, in the order of the axes."""
    cells: list[dict[str, Any]] = [
        {"content": "in/cat.jpg", "style": "waves.png", "style_weight": 2.5},
        {"style": ["waves.png", "night sky.png"], "seed": 3},
        {"style_loss": {"gram": 1.0, "sliced": 0.5}, "init_image": "a/b.png"},
    ]
    assert file_names(jobs(*cells)) == [
        "cat_waves_style_weight-2.5",
        "content_waves+night-sky_seed-3",
        "content_style_style_loss-gram=1,sliced=0.5_init_image-a-b.png",
    ]
    assert file_names([status(content="con.png", style="")]) == ["con_"]


def test_names_in_common_are_numbered() -> None:
    """Given pictures whose names differ in their folder, their case or an accent alone, I expect names that do not."""
    cells = [{"content": name} for name in ("x/a.png", "y/a.png", "A.png", "á.png", "b.png")]
    assert file_names(jobs(*cells)) == ["a_style", "a_style~2", "A_style~3", "á_style~4", "b_style"]


NAMES = st.text(st.characters(exclude_categories=["Cs"]), max_size=300)
CELLS = st.lists(
    st.fixed_dictionaries({"content": NAMES, "style": NAMES | st.lists(NAMES, max_size=3), "seed": st.integers()}),
    min_size=1,
    max_size=8,
)


@given(cells=CELLS, more=CELLS)
def test_names_are_unlike_fit_for_files_and_stay(cells: list[dict[str, Any]], more: list[dict[str, Any]]) -> None:
    """Given any cells, I expect names that no two have, of one part, not hidden; and the same when cells are added."""
    names = file_names(jobs(*cells, *more))
    assert len({name.casefold() for name in names}) == len(names)
    for name in names:
        assert Path(name).name == name
        assert len(os.fsencode(name)) <= LONGEST + 3
        assert not name.startswith((".", "-"))
        assert not set(name) & set('/\\:*?"<>|\0\n ')
    assert file_names(jobs(*cells)) == names[: len(cells)]
