"""Every name that a file can have, wherever a user writes it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from stylefarm.producer.grids import parse_grid, parse_settings
from stylefarm.producer.grids.pictures import beside
from stylefarm.shared.errors import FarmError, InvalidRequest
from stylefarm.shared.files import paths
from stylefarm.shared.files.paths import located, matching, split_names, written
from tests.unit.pictures import photograph, saved

PICTURE = saved(photograph(16, 16), "PNG")

ODD_NAMES = [
    "~til.png",
    "~$lock.jpg",
    "~",
    "~root",
    "sha256:1f",
    "s3:",
    "a,b.png",
    ",",
    " a.png ",
    "[a].png",
    "[1,2]",
    "{a}",
    "*.png",
    "1e3",
    "null",
    "'a'",
    '"',
    "a=b.png",
    "-a",
    "x\n.png",
]
NAMES = st.one_of(
    st.sampled_from(ODD_NAMES),
    st.text(st.sampled_from("~$,[]{}*?'\"=: .-abs3\\é波\n"), min_size=1, max_size=12),
    st.text(st.characters(exclude_characters="/\0", codec="utf-8"), min_size=1, max_size=40),
).filter(lambda name: name not in {".", ".."} and len(name.encode()) < 200)


@pytest.fixture
def inside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder, which is the current one; the home folder is another."""
    folder, home = tmp_path / "here", tmp_path / "home"
    folder.mkdir()
    home.mkdir()
    monkeypatch.chdir(folder)
    monkeypatch.setenv("HOME", str(home))
    return folder


def cleared(folder: Path) -> None:
    for path in folder.iterdir():
        path.unlink()


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@example(name="'',")
@example(name=".,a")
@example(name="~,a")
@given(name=NAMES)
def test_a_file_is_found_by_its_name(inside: Path, name: str) -> None:
    """Given a file of any name, if a user writes it anywhere, I expect that file, also where it is written again."""
    cleared(inside)
    file = inside / name
    file.write_bytes(PICTURE)
    assert located(name).samefile(file)
    assert located(written(located(name))).samefile(file)
    assert located(beside(Path(), "content", f"./{name}")).samefile(file)
    assert located(beside(inside, "content", name)).samefile(file) or name.startswith("sha256:")
    (found,) = parse_grid({"matrix": {"content": [f"./{name}"]}}).axes["content"]
    assert located(str(found)).samefile(file)
    (read,) = parse_settings([f"content={name}"])["content"] if name.strip() else (name,)
    assert read == name
    if not name.startswith("."):
        (listed,) = parse_grid({"matrix": {"content": ["."]}}).axes["content"]
        assert located(str(listed)).samefile(file)


@pytest.mark.parametrize("name", ["~/a.png", "~"])
def test_a_tilde_alone_is_the_home_folder(inside: Path, name: str) -> None:
    """Given ~, if there is nothing of that name here, I expect the home folder; else what is here."""
    assert located(name) == Path.home() / name[2:]
    (inside / "~").mkdir()
    assert located(name) == Path("~") / name[2:]


def test_nobodys_home_is_a_folder(inside: Path) -> None:
    """Given the home folder of nobody, I expect the path as it is written."""
    assert located("~nobody-of-that-name/a.png", inside) == inside / "~nobody-of-that-name" / "a.png"


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("a.png,b.png", ["a.png", "b.png"]),
        ("a,b.png", ["a,b.png"]),
        ("a.png, a,b.png ,c.png", ["a.png", "a,b.png", "c.png"]),
        ("'x,y.png',a.png", ["x,y.png", "a.png"]),
        ("x,y", ["x", "y"]),
    ],
)
def test_commas_of_names_part_nothing(inside: Path, text: str, names: list[str]) -> None:
    """Given a list of names, I expect it parted at the commas that are in no name and in no quotes."""
    for name in ("a.png", "b.png", "a,b.png"):
        (inside / name).touch()
    assert split_names(text) == names


@pytest.fixture
def tree(inside: Path) -> Path:
    """Folders with pictures, and links among them."""
    for name in ("top.png", "a/one.png", "a/deep/two.png", "b [c]/three.png", ".hidden/four.png"):
        (inside / name).parent.mkdir(exist_ok=True)
        (inside / name).touch()
    for link, to in (("l1", "."), ("l2", "."), ("a/up", ".."), ("0", "a/deep"), ("dangling", "nowhere")):
        (inside / link).symlink_to(to)
    return inside


@pytest.mark.parametrize(
    ("pattern", "found"),
    [
        ("**/*.png", ["a/deep/two.png", "a/one.png", "b [c]/three.png", "top.png"]),
        ("**", ["a/deep/two.png", "a/one.png", "b [c]/three.png", "dangling", "top.png"]),
        ("**/**/*.png", ["a/deep/two.png", "a/one.png", "b [c]/three.png", "top.png"]),
        ("a/**/*.png", ["a/deep/two.png", "a/one.png"]),
        ("*.png", ["top.png"]),
        ("*/*.png", ["0/two.png", "a/one.png", "b [c]/three.png", "l1/top.png"]),
        ("b [c]/*.png", ["b [c]/three.png"]),
        ("?/[n-p]*.png", ["a/one.png"]),
        (".h*/*.png", [".hidden/four.png"]),
        ("nowhere/**/*.png", []),
        ("a/../*.png", ["a/../top.png"]),
    ],
)
def test_a_pattern_finds_each_picture_once(tree: Path, pattern: str, found: list[str]) -> None:
    """Given links that lead to where they are, if a pattern is followed, I expect its end, and each picture once."""
    assert [path.as_posix() for path in matching(pattern)] == found
    assert [path.relative_to(tree).as_posix() for path in matching(str(tree / pattern))] == found


def test_a_pattern_has_a_limit(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Given more files than a pattern may look at, I expect a sentence."""
    monkeypatch.setattr(paths, "MOST_ENTRIES", 5)
    with pytest.raises(InvalidRequest, match=r"'\*\*/\*\.png' looks at more than 5 files: begin it with the folder"):
        matching("**/*.png")


@pytest.fixture
def undecodable(inside: Path) -> Iterator[Path]:
    """A folder with a good picture, and one whose name is no UTF-8."""
    (inside / "good.png").write_bytes(PICTURE)
    try:
        Path(os.fsdecode(os.fsencode(inside) + b"/bad\xff.png")).write_bytes(PICTURE)
    except OSError:
        pytest.skip("this file system has UTF-8 only")
    yield inside


def test_one_undecodable_name_is_left_out(undecodable: Path) -> None:
    """Given a file whose name is no UTF-8 among others, if its folder is swept, I expect the others, and to be told."""
    grid = parse_grid({"matrix": {"content": ["."]}})
    assert grid.axes["content"] == ["good.png"]
    assert grid.notes == ("of '.', 1 file is left out: bad\udcff.png (called by what is no UTF-8: rename it)",)
    (undecodable / "good.png").unlink()
    with pytest.raises(FarmError, match="there is no picture"):
        parse_grid({"matrix": {"content": ["*.png"]}})
