"""The cells of a grid: how many, which, and in which order."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stylefarm.producer.grids import Grid, parse_settings, read_grid
from stylefarm.producer.grids.sampling import Sample
from stylefarm.shared.errors import InvalidSpec


def write(folder: Path, text: str) -> Path:
    path = folder / "sweep.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def test_a_billion_cells_are_refused_before_they_are_unfolded() -> None:
    """Given three axes of a thousand values, I expect the count in a sentence, at once."""
    axis = range(1000)
    with pytest.raises(InvalidSpec, match="1,000,000,000 cells"):
        Grid({"seed": axis, "features_seed": axis, "iterations": axis})


def test_more_cells_than_python_counts_are_refused_too() -> None:
    """Given a product of lengths beyond 64 bits, I expect the count in a sentence."""
    with pytest.raises(InvalidSpec, match="1,000,000,000,000,000,000,000 cells"):
        Grid(dict.fromkeys(("seed", "features_seed", "iterations"), range(10_000_000)))


@pytest.mark.parametrize(
    ("axis", "written", "values"),
    [
        ("seed", "1..4", [1, 2, 3, 4]),
        ("seed", "9..1 step -4", [9, 5, 1]),
        ("seed", "[1..3, 7]", [1, 2, 3, 7]),
        ("tv_weight", "0.1..0.5 step 0.2", [0.1, 0.3, 0.5]),
        ("tv_weight", "{linspace: [0, 1, 5]}", [0.0, 0.25, 0.5, 0.75, 1.0]),
        ("style_weight", "{logspace: [1, 1000, 4]}", [1.0, 10.0, 100.0, 1000.0]),
        ("iterations", "{logspace: [100, 400, 3]}", [100, 200, 400]),
        ("style_loss", "[gram, {gram: 1, sliced: 0.5}]", ["gram", {"gram": 1, "sliced": 0.5}]),
    ],
)
def test_values_can_be_written_shortly(tmp_path: Path, axis: str, written: str, values: list[object]) -> None:
    """Given a range, a spacing or a list, I expect the values that it stands for, of the parameter's own kind."""
    found = read_grid(write(tmp_path, f"matrix: {{{axis}: {written}}}\n")).axes[axis]
    assert found == values
    assert [type(value) for value in found] == [type(value) for value in values]


def test_zip_turns_axes_together(tmp_path: Path) -> None:
    """Given an axis and two groups, I expect each step of a group as one, the matrix first, the last group fastest."""
    text = "zip: [{size: [64, 128], iterations: [9, 5]}, {features_seed: [1, 2]}]\nmatrix: {seed: [0, 1]}\n"
    grid = read_grid(write(tmp_path, text))
    steps = [(cell["seed"], cell["size"], cell["iterations"], cell["features_seed"]) for cell in grid.values()]
    assert steps[:5] == [(0, 64, 9, 1), (0, 64, 9, 2), (0, 128, 5, 1), (0, 128, 5, 2), (1, 64, 9, 1)]
    assert len(grid) == len(steps) == 8


def test_include_gives_more_or_adds_as_it_fits(tmp_path: Path) -> None:
    """Given entries of include, I expect more parameters where their axes fit, and one more cell where they do not."""
    text = (
        "matrix: {seed: [1, 2], size: [64, 128]}\nexclude: {seed: 2, size: 64}\n"
        "include:\n- {size: 128, iterations: 9}\n- {seed: 2, iterations: 7}\n- {seed: 3, size: 32, icc: false}\n"
    )
    grid = read_grid(write(tmp_path, text))
    assert list(grid.values()) == [
        {"seed": 1, "size": 64},
        {"seed": 1, "size": 128, "iterations": 9},
        {"seed": 2, "size": 128, "iterations": 7},
        {"seed": 3, "size": 32, "icc": False},
    ]
    assert grid.axes == {"seed": [1, 2, 3], "size": [64, 128, 32]}
    grid = read_grid(write(tmp_path, "matrix: {seed: [1], size: [64]}\ninclude: {seed: 3}\n"))
    with pytest.raises(InvalidSpec, match="include 1 fits no cell, and as one more cell it lacks size"):
        list(grid.values())


def test_a_grid_too_large_to_unfold_can_be_drawn_from(tmp_path: Path) -> None:
    """Given a billion seeds and a span, if cells are drawn, I expect so many, and the same of the same seed alone."""
    text = "matrix: {{seed: 1..1000000000, style_weight: {{loguniform: [1, 100]}}}}\nsample: {{count: 50, seed: {}}}\n"
    one, same, other = ([*read_grid(write(tmp_path, text.format(seed))).values()] for seed in (1, 1, 2))
    assert one == same != other
    assert len(one) == 50
    assert all(1 <= cell["style_weight"] <= 100 for cell in one)


@given(
    seeds=st.lists(st.integers(0, 30), min_size=1, max_size=5, unique=True),
    sizes=st.lists(st.integers(16, 40), min_size=1, max_size=5, unique=True),
    zipped=st.integers(1, 4),
    data=st.data(),
)
def test_exclude_and_include_change_the_count_by_what_they_name(
    seeds: list[int], sizes: list[int], zipped: int, data: st.DataObject
) -> None:
    """Given any grid, if cells are excluded and others included, I expect the others in their order, and these last."""
    steps = {"iterations": list(range(1, zipped + 1)), "snapshot_every": list(range(zipped))}
    whole = Grid({"seed": seeds, "size": sizes}, zip=[steps])
    cells = list(whole.values())
    assert len(cells) == len(whole) == len(seeds) * len(sizes) * zipped
    out = data.draw(st.sampled_from(cells))
    if len(cells) > 1:
        less = Grid({"seed": seeds, "size": sizes}, zip=[steps], exclude=[{k: [v] for k, v in out.items()}])
        assert list(less.values()) == [cell for cell in cells if cell != out]
        assert len(less) == len(cells) - 1
    more = {"seed": 99, "size": 16, "iterations": 50, "snapshot_every": 0}
    added = Grid({"seed": seeds, "size": sizes}, zip=[steps], include=[more, {**out, "icc": False}])
    expected = [{**cell, "icc": False} if cell == out else cell for cell in cells]
    assert list(added.values()) == [*expected, more]
    assert list(added.values()) == list(added.values())


@given(
    lengths=st.lists(st.integers(1, 6), min_size=1, max_size=4),
    count=st.integers(1, 30),
    seed=st.integers(0, 2**32 - 1),
)
def test_a_sample_is_of_the_grid(lengths: list[int], count: int, seed: int) -> None:
    """Given any factors, if cells are drawn, I expect them different, as many as asked for, and of the grid."""
    total = math.prod(lengths)
    drawn = Sample(min(count, total), seed=seed).places(lengths)
    assert len(set(drawn)) == len(drawn) == min(count, total)
    assert all(0 <= place < length for cell in drawn for place, length in zip(cell, lengths, strict=True))


@given(count=st.integers(1, 40), factors=st.integers(1, 4), seed=st.integers(0, 2**32 - 1))
def test_a_latin_hypercube_has_one_cell_in_each_part(count: int, factors: int, seed: int) -> None:
    """Given any count, I expect each of that many equal parts of each factor to hold exactly one cell."""
    drawn = Sample(count, "latin-hypercube", seed).places([None] * factors)
    for shares in zip(*drawn, strict=True):
        assert sorted(int(share * count) for share in shares) == list(range(count))


@pytest.mark.parametrize(
    ("word", "axes"),
    [
        ("seed=1,2,3", {"seed": [1, 2, 3]}),
        ("style-weight=1e2,.5", {"style_weight": [100.0, 0.5]}),
        ("content=*.jpg,s3://b/c/", {"content": ["*.jpg", "s3://b/c/"]}),
        ("style_loss={gram: 1, sliced: 2},gram", {"style_loss": [{"gram": 1, "sliced": 2}, "gram"]}),
        ("style=[a.jpg, b.jpg],c.jpg", {"style": [["a.jpg", "b.jpg"], "c.jpg"]}),
        ("normalize_gradients=true,false", {"normalize_gradients": [True, False]}),
        ("seed=1..3", {"seed": ["1..3"]}),
    ],
)
def test_axes_can_be_set_in_a_word(word: str, axes: dict[str, object]) -> None:
    """Given k=v,v on the command line, I expect the values that a sweep file would have."""
    assert parse_settings([word]) == axes


@pytest.mark.parametrize("assignments", [["seed"], ["seed="], ["seed=1", "seed=2"], ["seed=[1"], ["name={!!int x: 1}"]])
def test_a_word_that_is_no_axis_is_refused(assignments: list[str]) -> None:
    """Given no values, an axis twice, or brackets that stay open, I expect a sentence."""
    with pytest.raises(InvalidSpec):
        parse_settings(assignments)


@given(
    st.dictionaries(
        st.sampled_from(["seed", "iterations", "features_seed", "snapshot_every"]),
        st.lists(st.integers(1, 50), min_size=1, max_size=4, unique=True),
        min_size=1,
    )
)
def test_a_grid_has_every_cell_once(matrix: dict[str, list[int]]) -> None:
    """Given any matrix, I expect as many cells as the product of its axes, all of them different, each one a spec."""
    grid = Grid(matrix, {"content": "a.jpg", "style": "b.jpg"})
    cells = list(grid.cells())
    assert len(cells) == len(grid) == math.prod(map(len, matrix.values()))
    assert len({tuple(cell.items()) for cell, _ in cells}) == len(cells)
    assert all(getattr(spec, axis) == value for cell, spec in cells for axis, value in cell.items())
