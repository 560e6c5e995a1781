"""Sweep files and matrices."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from producer.grid import Grid, read_grid
from shared.errors import InvalidSpec


def write(folder: Path, text: str) -> Path:
    path = folder / "sweep.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def test_a_file_unfolds_in_order_and_finds_pictures_beside_it(tmp_path: Path) -> None:
    """Given a file with two axes, I expect every cell, the last axis fastest, and paths beside the file."""
    path = write(
        tmp_path, "name: try\nbase: {style: s.jpg, iterations: 9}\nmatrix: {content: [a.jpg, b.jpg], seed: [1, 2]}\n"
    )
    grid = read_grid(path)
    cells = list(grid.cells())
    assert (grid.name, len(grid)) == ("try", 4)
    assert [(Path(cell["content"]).name, cell["seed"]) for cell, _ in cells] == [
        ("a.jpg", 1),
        ("a.jpg", 2),
        ("b.jpg", 1),
        ("b.jpg", 2),
    ]
    spec = cells[3][1]
    assert (spec.content, spec.style) == (str(tmp_path / "b.jpg"), (str(tmp_path / "s.jpg"),))
    assert (spec.iterations, spec.seed) == (9, 2)


def test_numbers_are_read_as_everybody_writes_them(tmp_path: Path) -> None:
    """Given 1e3, which YAML 1.1 takes for a text, I expect a number."""
    grid = read_grid(write(tmp_path, "matrix: {style_weight: [1e3, 2.5e-1, 100, 2.0E+1]}\n"))
    assert list(grid.matrix["style_weight"]) == [1000.0, 0.25, 100, 20.0]


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("matrix: {content: [a.jpg\n", "line 2, column 1: this is no YAML"),
        ("- a\n- b\n", "a sweep file is a mapping"),
        ("base: {}\n", "the matrix is missing or empty"),
        ("matrix: {stlye: [a.jpg]}\n", "unknown axis 'stlye': did you mean 'style'?"),
        ("matrix: {content: []}\n", "the axis content is empty"),
        ("matrix: {seed: [1, 2, 1]}\n", "the axis seed has 1 twice"),
        ("matrx: {seed: [1]}\n", "unknown key 'matrx': did you mean 'matrix'?"),
        ("base: {seed: 1}\nmatrix: {seed: [1]}\n", "seed stands both in base and in matrix"),
        ("base: {seed: 1}\nbase: {seed: 2}\n", "line 2, column 1: this is no YAML (base stands twice)"),
        ("matrix: 3\n", "matrix must be a mapping"),
        ("matrix: !!python/object/apply:os.getcwd []\n", "no YAML"),
        ("? [a]\n: 1\n", "line 1, column 3: this is no YAML (a key is a plain word)"),
        ("? &a {? *a : 1}\n: 1\n", "a key is a plain word"),
        ("matrix: !!map seed\n", "here should be a mapping"),
        ("name: 2020-13-45\n", "is no YAML that can be read (month must be in 1..12)"),
        (f"matrix: {{seed: {'1' * 5000}}}\n", "is no YAML that can be read (Exceeds the limit"),
        (f"matrix: {{seed: 0x{'1' * 5000}}}\n", "a number of too many digits"),
        ("matrix: {seed: !!int abc}\n", "is no YAML that can be read (invalid literal for int()"),
        ("matrix: {seed: 0x_}\n", "is no YAML that can be read (invalid literal for int()"),
        ('matrix: {seed: !!int ""}\n', "is no YAML that can be read (string index out of range)"),
        ("matrix: {seed: !!bool 3}\n", "is no YAML that can be read ('3')"),
        ('"a\\nb": 1\n"a\\nb": 2\n', "this is no YAML (a b stands twice)"),
        ("matrix: {content: [&a [*a], &b [*b]]}\n", "is nested too deeply"),
        ('name: "a\\0b"\nmatrix: {seed: 1}\n', r"name = 'a\x00b': the character '\x00' cannot be stored"),
        ('name: "\\ud800"\nmatrix: {seed: 1}\n', r"the character '\ud800' cannot be stored"),
    ],
)
def test_a_wrong_file_is_refused_in_a_sentence(tmp_path: Path, text: str, sentence: str) -> None:
    """Given a file that is no sweep, I expect a sentence that names the file, the place and the remedy."""
    path = write(tmp_path, text)
    with pytest.raises(InvalidSpec) as refused:
        read_grid(path)
    assert sentence in str(refused.value)
    assert str(path) in str(refused.value)
    assert "\n" not in str(refused.value)


def test_a_missing_file_or_a_picture_is_no_sweep(tmp_path: Path) -> None:
    """Given no file, or one that is no text, I expect a sentence."""
    with pytest.raises(InvalidSpec, match="cannot be read"):
        read_grid(tmp_path / "none.yaml")
    (tmp_path / "picture.yaml").write_bytes(b"\x89PNG\xff\xfe")
    with pytest.raises(InvalidSpec, match="no text"):
        read_grid(tmp_path / "picture.yaml")


def test_a_billion_cells_are_refused_before_they_are_unfolded() -> None:
    """Given three axes of a thousand values, I expect the count in a sentence, at once."""
    axis = range(1000)
    with pytest.raises(InvalidSpec, match="1,000,000,000 cells"):
        Grid({"seed": axis, "features_seed": axis, "iterations": axis})


def test_more_cells_than_python_counts_are_refused_too() -> None:
    """Given a product of lengths beyond 64 bits, I expect the count in a sentence."""
    with pytest.raises(InvalidSpec, match="1,000,000,000,000,000,000,000 cells"):
        Grid(dict.fromkeys(("seed", "features_seed", "iterations"), range(10_000_000)))


# What YAML gives a meaning to, so that a few letters of it reach every corner of the reader.
PIECES = (
    st.sampled_from("[]{}:,?-&*!|>#'\"%@`~<=_ \n\t")
    | st.sampled_from(["\n  ", "\n- ", ": ", "? ", "\\0", "\\ud800", "&a ", "*a ", "<<: ", "0x", "0b", "1:2", ".inf"])
    | st.sampled_from(["name: ", "base: ", "matrix: ", "seed: ", "content: ", "2020-13-45", "1e999"])
    | st.sampled_from(["int", "float", "bool", "null", "timestamp", "binary", "set", "omap", "map"]).map("!!{} ".format)
)


@given(st.text() | st.lists(PIECES | st.text(max_size=3), max_size=30).map("".join))
def test_any_text_is_a_grid_or_refused(tmp_path_factory: pytest.TempPathFactory, text: str) -> None:
    """Given a file of any text, I expect a grid, or an InvalidSpec of one line that names the file."""
    path = write(tmp_path_factory.getbasetemp(), text)
    try:
        assert len(read_grid(path)) >= 1
    except InvalidSpec as refused:
        assert str(path) in str(refused)
        assert "\n" not in str(refused)


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
