"""What the files of a sweep are called."""

from __future__ import annotations

import itertools
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from stylefarm.producer.views.file_names import LONGEST, file_names
from stylefarm.producer.views.labels import key_of, varying_labels
from stylefarm.producer.views.status import Status
from tests.unit.statuses import status


def jobs(*cells: Mapping[str, Any]) -> list[Status]:
    return [status(cell=cell) for cell in cells]


def test_a_name_says_what_varies() -> None:
    """Given pictures, weights and mixtures, I expect their names and values in it, in the order of the axes."""
    cells: list[dict[str, Any]] = [
        {"content": "in/cat.jpg", "style": "waves.png", "style_loss": {"gram": 1.0}, "size": 256},
        {"content": "in/cat.jpg", "style": ["waves.png", "night sky.png"], "style_loss": {"sliced": 0.5}, "size": 256},
    ]
    assert file_names(jobs(*cells)) == ["waves_style_loss-gram=1", "waves+night-sky_style_loss-sliced=0.5"]
    assert file_names([status(content="con.png", style="")]) == ["con_"]
    assert file_names([status(content="cat.png", style="waves.png")]) == ["cat_waves"]


def test_names_in_common_get_their_folders_and_their_suffixes() -> None:
    """Given pictures of one name in several folders, or with two suffixes, I expect what tells them apart."""
    cells = [{"content": name} for name in ("x/a.png", "y/a.png", "b.png", "b.jpg", "A.png")]
    assert file_names(jobs(*cells)) == ["x-a", "y-a", "b.png", "b.jpg", "A"]
    assert file_names(jobs(*({"content": name} for name in ("a.png", "A.png", "á.png")))) == ["a", "A~2", "á~3"]


def test_a_name_that_is_too_long_keeps_what_varies() -> None:
    """Given long names that differ at their end, and a further axis, I expect both in each name, which differ."""
    cells = [{"content": f"{'holiday-' * 40}{n}.jpg", "seed": seed} for n in (1, 2) for seed in (1, 2)]
    names = file_names(jobs(*cells))
    assert [name.split("_seed-")[1] for name in names] == ["1", "2", "1", "2"]
    assert [name.split("_seed-")[0][-2:] for name in names] == ["-1", "-1", "-2", "-2"]


NAMES = st.text(st.characters(exclude_categories=["Cs"]), max_size=300)
CELLS = st.lists(
    st.fixed_dictionaries({"content": NAMES, "style": NAMES | st.lists(NAMES, max_size=3), "seed": st.integers()}),
    min_size=1,
    max_size=8,
)


@given(cells=CELLS)
def test_names_are_unlike_and_fit_for_files(cells: list[dict[str, Any]]) -> None:
    """Given any cells, I expect names that no two have, of one part, not hidden."""
    names = file_names(jobs(*cells))
    assert len({name.casefold() for name in names}) == len(names)
    for name in names:
        assert Path(name).name == name
        assert len(os.fsencode(name)) <= LONGEST + 3
        assert not name.startswith((".", "-"))
        assert not set(name) & set('/\\:*?"<>|\0\n ')


@given(cells=CELLS)
def test_labels_are_alike_only_for_cells_alike(cells: list[dict[str, Any]]) -> None:
    """Given any cells, I expect two to have the same labels only if they have the same values."""
    labels = [tuple(own.items()) for own in varying_labels(cells)]
    for (one, cell), (two, other) in itertools.combinations(zip(labels, cells, strict=True), 2):
        assert (one == two) == (key_of(cell) == key_of(other))
