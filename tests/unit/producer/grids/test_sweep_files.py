"""Sweep files, as they are written and as they are refused."""

from __future__ import annotations

import os
import re
import tracemalloc
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stylefarm.producer.grids import read_grid
from stylefarm.shared.errors import InvalidSpec
from stylefarm.shared.images.recognize import reads_heic
from stylefarm.shared.spec.spec import JobSpec
from tests import REPOSITORY
from tests.unit.pictures import photograph, saved


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
    assert grid.axes["style_weight"] == [1000.0, 0.25, 100, 20.0]


@pytest.mark.parametrize("name", JobSpec.model_fields)
def test_a_parameter_in_the_wrong_place_is_told_its_place(tmp_path: Path, name: str) -> None:
    """Given a parameter at the top of a file, I expect to be told where it stands, and not itself as a correction."""
    with pytest.raises(InvalidSpec) as refused:
        read_grid(write(tmp_path, f"{name}: 1\nmatrix: {{seed: [1]}}\n"))
    assert str(refused.value).endswith(
        f"sweep.yaml, line 1, column 1: {name!r} is a parameter, which stands below base, or below matrix with several"
        " values"
    )


@pytest.mark.parametrize("part", ["base", "matrix"])
def test_a_key_in_the_wrong_place_is_told_its_place(tmp_path: Path, part: str) -> None:
    """Given a key of the whole sweep among parameters, I expect to be told where it stands."""
    text = f"{part}: {{seed: [1], priority: [3]}}\n" + ("matrix: {size: [64]}\n" if part == "base" else "")
    with pytest.raises(InvalidSpec, match=f"'priority' is no parameter of a picture: .* and stands beside {part}$"):
        read_grid(write(tmp_path, text))


# Small files, each alias of which stands for nine times what the one before it does.
BOMB = "a: &a 0\n" + "".join(f"{n}: &{n} [{', '.join([f'*{to}'] * 9)}]\n" for to, n in pairwise("abcdefghij"))

MERGES = "a: &a {x: 1}\n" + "".join(
    f"{n}: &{n} {{<<: [{', '.join([f'*{to}'] * 9)}]}}\n" for to, n in pairwise("abcdefghij")
)


@pytest.mark.parametrize(
    "text",
    [
        f"{BOMB}name: *j\nmatrix: {{seed: 1}}\n",
        f"{BOMB}matrix: {{seed: *j}}\n",
        f"{MERGES}base: *j\nmatrix: {{seed: 1}}\n",
    ],
)
def test_a_small_file_cannot_ask_for_everything(tmp_path: Path, text: str) -> None:
    """Given aliases of aliases that stand for a billion entries, I expect a sentence, at once and in little memory."""
    path = write(tmp_path, text)
    tracemalloc.start()
    try:
        with pytest.raises(
            InvalidSpec, match=r"line \d+, column \d+: with its aliases written out it has more than 1,500,000"
        ):
            read_grid(path)
        assert tracemalloc.get_traced_memory()[1] < 10_000_000
    finally:
        tracemalloc.stop()


def test_aliases_are_for_use(tmp_path: Path) -> None:
    """Given aliases and merged mappings as people write them, I expect what they stand for."""
    grid = read_grid(
        write(
            tmp_path,
            "base: &b {style: s.jpg}\nzip: {size: &s [64, 128], min_size: *s}\nmatrix: {seed: [1]}\n"
            "include: {<<: *b, size: 64}\n",
        )
    )
    assert [cell["min_size"] for cell in grid.values()] == [64, 128]


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("name: [cats]\nmatrix: {seed: [1]}\n", "line 1, column 1: name must be a text"),
        ("matrix: {content: [a.jpg\n", "line 2, column 1: this is no YAML"),
        ("- a\n- b\n", "a sweep file is a mapping"),
        ("base: {}\n", "the matrix is missing or empty"),
        ("matrix: {stlye: [a.jpg]}\n", "unknown axis 'stlye': did you mean 'style'?"),
        ("matrix: {content: []}\n", "the axis content is empty"),
        ("matrix: {seed: [1, 2, 1]}\n", "the axis seed has 1 twice"),
        (
            "iteration: 9\nmatrix: {seed: [1]}\n",
            "'iteration' is unknown: 'iterations' is a parameter, which",
        ),
        ("matrx: {seed: [1]}\n", "unknown key 'matrx': did you mean 'matrix'?"),
        ("base: {seed: 1}\nmatrix: {seed: [1]}\n", "seed stands both in base and in matrix"),
        ("base: {seed: 1}\nbase: {seed: 2}\n", "line 2, column 1: this is no YAML (base stands twice)"),
        ("matrix: 3\n", "matrix must be a mapping"),
        ("name: x\nmatrix:\n  seed: [1]\n  stlye: [a.jpg]\n", ", line 4, column 3: unknown axis 'stlye'"),
        ("base: {content: a, style: b}\nmatrix:\n  seed: []\n", ", line 3, column 3: the axis seed is empty"),
        ("matrix: {seed: 1}\nzip:\n- {size: [64, 128], seed: [1, 2]}\n", "column 10: seed stands both in matrix and"),
        ("zip: {size: [64, 128], seed: [1]}\n", "size has 2 values, seed has 1 value: make them alike"),
        ("zip: {size: [64, 64], seed: [1, 1]}\n", "line 1, column 1: the zip of size, seed has the same step twice"),
        ("zip: [3]\n", "line 1, column 7: zip must be a list of mappings"),
        ("matrix: {seed: [1]}\nexclude:\n- {sede: 1}\n", "line 3, column 3: exclude 1 names 'sede', which is no axis"),
        ("matrix: {seed: [1]}\nexclude: {seed: 2}\n", "exclude 1 takes out no cell: the axis seed has no value 2"),
        ("matrix: {seed: [1]}\nexclude: {seed: 1}\n", "line 2, column 1: exclude takes out all cells"),
        ("matrix: {seed: [1]}\ninclude: {sed: 1}\n", "include 1 names 'sed': did you mean 'seed'?"),
        ("matrix: {seed: 1..5 step 0}\n", "the axis seed has '1..5 step 0', which does not get on"),
        ("matrix: {seed: 5..1}\n", "line 1, column 10: the axis seed has '5..1', which goes away from its end"),
        ("matrix: {tv_weight: 0..9 step 0.000001}\n", "the axis tv_weight has 9,000,001 values"),
        ("matrix: {seed: 1..1000000000}\n", "the matrix has 1,000,000,000 cells, more than 1,000,000"),
        ("matrix: {seed: {linspace: [1, 2]}}\n", "write 3 numbers, [from, to, how many]"),
        ("matrix: {tv_weight: {logspace: [0, 2, 3]}}\n", "give the values themselves, both above 0"),
        ("matrix: {tv_weight: {uniform: [0, 2]}}\n", "the axis tv_weight is a span without values of its own"),
        ("matrix: {tv_weight: {uniform: [2, 0]}}\nsample: {count: 3}\n", "give the lower number first"),
        ("matrix: {seed: 1..9}\nsample: {count: 10}\n", "sample draws 10 of 9 cells"),
        ("matrix: {seed: 1..9}\nsample: {cuont: 1}\n", "line 2, column 10: sample has 'cuont': did you mean 'count'?"),
        ("matrix: {seed: 1..9}\nsample: {count: 1, method: latin}\n", "must be random or latin-hypercube"),
        ("matrix: {content: '*.jpg'}\n", "the axis content has '*.jpg', in which there is no picture"),
        ("matrix: {content: s3:///a.jpg}\n", "names no bucket"),
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
        (f"name: {'x' * 256}\nmatrix: {{seed: 1}}\n", "it has 256 letters; give at most 255"),
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


def test_what_a_cell_lacks_is_told_with_its_place(tmp_path: Path) -> None:
    """Given a value that its parameter does not take, I expect the place of its axis."""
    grid = read_grid(write(tmp_path, "base: {content: a, style: b}\nmatrix:\n  seed: [1, -1]\n"))
    with pytest.raises(InvalidSpec, match=r"sweep.yaml, line 3, column 3: seed = -1: must be greater"):
        list(grid.cells())


def test_folders_and_patterns_are_the_pictures_in_them(tmp_path: Path) -> None:
    """Given a folder and a pattern, I expect the pictures of each beside the file, sorted, and nothing else of them."""
    (tmp_path / "in").mkdir()
    for name in ("b.png", "a.JPG", "notes.txt", ".hidden.png"):
        (tmp_path / "in" / name).touch()
    for name in ("s2.webp", "s1.webp", "[x].png"):
        (tmp_path / name).touch()
    grid = read_grid(write(tmp_path, "matrix: {content: in, style: ['s*.webp', '[x].png']}\n"))
    assert [Path(str(name)).relative_to(tmp_path).as_posix() for name in grid.axes["content"]] == [
        "in/a.JPG",
        "in/b.png",
    ]
    assert [Path(str(name)).name for name in grid.axes["style"]] == ["s1.webp", "s2.webp", "[x].png"]


def test_pictures_are_told_by_what_is_in_them(tmp_path: Path) -> None:
    """Given files with odd suffixes or none, I expect those that are pictures, and a sentence on the others."""
    (tmp_path / "in").mkdir()
    files = {
        "a.jfif": saved(photograph(), "JPEG"),
        "b.jpe": saved(photograph(), "JPEG"),
        "c": saved(photograph(), "PNG"),
        "d.dat": saved(photograph(), "TIFF"),
        "e.jpg": b"damaged, which is told when it is read",
        "f.txt": b"BM",
        "g": b"P1 is the first",
        "h.md": b"",
        "i.csv": b"1,2",
        "photo.HEIC": b"\0\0\0\x18ftypheic\0\0\0\0mif1heic",
    }
    for name, data in files.items():
        (tmp_path / "in" / name).write_bytes(data)
    os.mkfifo(tmp_path / "in" / "pipe")
    grid = read_grid(write(tmp_path, "matrix: {content: in, style: 'in/[ab]*'}\n"))
    taken = ["a.jfif", "b.jpe", "c", "d.dat", "e.jpg", *(["photo.HEIC"] if reads_heic() else [])]
    assert [Path(str(name)).name for name in grid.axes["content"]] == taken
    assert [Path(str(name)).name for name in grid.axes["style"]] == ["a.jfif", "b.jpe"]
    (sentence,) = grid.notes
    assert sentence.startswith(
        f"of 'in', {5 if reads_heic() else 6} files are left out: f.txt, g, h.md and 2 more (no pic"
    )
    assert reads_heic() or sentence.endswith(
        "; photo.HEIC (HEIC, which needs pillow-heif: pip install 'stylefarm[heic]', or export it as JPEG)"
    )


# Characters that mean something in YAML, so that short texts reach every branch of the reader.
PIECES = (
    st.sampled_from("[]{}:,?-&*!|>#'\"%@`~<=_ \n\t")
    | st.sampled_from(["\n  ", "\n- ", ": ", "? ", "\\0", "\\ud800", "&a ", "*a ", "<<: ", "0x", "0b", "1:2", ".inf"])
    | st.sampled_from(
        [
            "name: ",
            "base: ",
            "matrix: ",
            "zip: ",
            "exclude: ",
            "sample: ",
            "..",
            "seed: ",
            "content: ",
            "2020-13-45",
            "1e999",
        ]
    )
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


@pytest.mark.parametrize(
    "text", re.findall(r"```yaml\n(.*?)```", (REPOSITORY / "docs/sweeps.md").read_text(), re.DOTALL)
)
def test_the_files_of_the_documentation_are_sweep_files(tmp_path: Path, text: str) -> None:
    """Given a file that the documentation shows, I expect it to be taken as it stands, with cells to render."""
    for name in ("kittens/a.jpg", "waves/b.jpg", "photos/c.jpg"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    grid = read_grid(write(tmp_path, text))
    assert len(grid) > 1
