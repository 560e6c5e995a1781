"""Looking at a sweep with the program itself, on a farm whose pictures are made up."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from examples.embedded import embedded_settings
from stylefarm import Farm, State
from stylefarm.producer.views.metrics import NOT_VALIDATED
from tests.made_up import made_up
from tests.programs import CommandLine, InProcess


@pytest.fixture
def farm(tmp_path: Path) -> CommandLine:
    """The program, in an empty folder."""
    folder = tmp_path / "out"
    folder.mkdir()
    return CommandLine(folder, {"STYLEFARM_HOME": str(tmp_path / "home")})


@pytest.fixture
def inside(farm: CommandLine, request: pytest.FixtureRequest) -> InProcess:
    """The same without a process of its own."""
    return InProcess.of(farm, request)


@pytest.fixture
def sweep_id(farm: CommandLine) -> str:
    """Two contents at two weights, the last of which waits, with three snapshots each."""
    with Farm(embedded_settings(Path(farm.variables["STYLEFARM_HOME"]))) as made:
        axes: dict[str, list[Any]] = {"content": ["cat.png", "dog.png"], "style_weight": [1, 10]}
        queued = {"content": "dog.png", "style_weight": 10}
        return made_up(made, axes, snapshots=3, outcome=lambda cell: State.QUEUED if cell == queued else State.DONE).id


def test_a_sweep_is_downloaded(farm: CommandLine, sweep_id: str) -> None:
    """Given a sweep, if it is downloaded twice, I expect its files named, the second time there already."""
    ended = farm.run("sweep", "download", sweep_id, "-o", "files")
    names = ["cat_style_weight-1.png", "cat_style_weight-10.png", "dog_style_weight-1.png"]
    assert (ended.code, ended.out.splitlines()) == (0, [f"files/{name}" for name in names]), ended.messages
    assert ended.messages == "3 written, 0 there already, 1 job has no result (yet)\n"
    again = farm.run("sweep", "download", sweep_id, "-o", "files", "--where", "content=cat", "--snapshots", "--json")
    found = [(file["output"], file["written"]) for file in again.document["files"]]
    assert found[-2:] == [(f"files/{name}", False) for name in names[:2]]
    assert (len(found), found[0]) == (8, (f"files/{names[0][:-4]}_snapshots/000003.png", True))
    assert again.document["missing"] == 0
    (farm.folder / "files" / names[0]).write_bytes(b"mine")
    refused = farm.run("sweep", "download", sweep_id, "-o", "files")
    assert (refused.code, refused.out) == (2, "")
    assert f"files/{names[0]} holds something else: give --force" in refused.messages


def test_snapshots_are_listed_and_downloaded(inside: InProcess, sweep_id: str) -> None:
    """Given a job with three snapshots, I expect them listed, one or all of them as files, and a sentence else."""
    job_id = inside.run("sweep", "show", sweep_id, "--json").document["jobs"][0]["id"]
    listed = inside.run("job", "snapshots", job_id, "--json").document
    assert [shot["iteration"] for shot in listed["snapshots"]] == [3, 6, 10]
    assert len(inside.run("job", "snapshots", job_id).out.splitlines()) == 4
    one = inside.run("job", "download", job_id, "--snapshot", "6")
    assert (one.code, one.out) == (0, f"{job_id}-000006.png\n"), one.messages
    every = inside.run("job", "download", job_id, "--snapshots", "-o", "shots")
    assert every.out.split() == [f"shots/{number:06}.png" for number in (3, 6, 10)]
    assert (inside.folder / "shots" / "000006.png").read_bytes() == (inside.folder / one.out.strip()).read_bytes()
    missing = inside.run("job", "download", job_id, "--snapshot", "7")
    assert (missing.code, "has no snapshot after 7 steps: it has 3, 6, 10" in missing.messages) == (3, True)
    both = inside.run("job", "download", job_id, "--snapshot", "6", "--snapshots")
    assert (both.code, "give one of the two" in both.messages) == (2, True)


@pytest.mark.parametrize("command", [("compare",), ("sweep", "compare")])
def test_a_sweep_is_compared(inside: InProcess, sweep_id: str, command: tuple[str, ...]) -> None:
    """Given two weights, I expect a row for each with its medians, a plot, and what the metrics do not say."""
    ended = inside.run(*command, sweep_id, "-o", "plot.png", "--metric", "ssim")
    assert ended.code == 0, ended.messages
    head, *rows = (line.split() for line in ended.out.splitlines())
    assert head[:4] == ["style_weight", "jobs", "done", "gram"]
    assert [row[:3] for row in rows] == [["1", "2", "2"], ["10", "2", "1"]]
    assert NOT_VALIDATED in ended.messages
    with Image.open(inside.folder / "plot.png") as image:
        assert image.width > 600
    document = inside.run(*command, sweep_id, "--by", "content", "--json").document
    assert [group["name"] for group in document["groups"]] == ["cat", "dog"]
    assert document["groups"][0]["numbers"]["seconds"]["median"] == 0.5
    assert document["note"] == NOT_VALIDATED


def test_many_files_are_asked_for_first(inside: InProcess, tmp_path: Path) -> None:
    """Given a sheet of a dozen files and nobody to ask, I expect a sentence and no file; with --yes, all of them."""
    with Farm(embedded_settings(Path(inside.variables["STYLEFARM_HOME"]))) as made:
        sweep_id = made_up(made, {"content": ["a.png"], "style": ["s.png"], "seed": list(range(12))}).id
    command = ("sweep", "sheet", sweep_id, "-o", "many.png", "--rows", "content", "--columns", "style", "--cell", "32")
    refused = inside.run(*command)
    assert (refused.code, refused.out) == (2, "")
    assert "the sheet would be 12 files, and nobody is here to be asked: give --yes" in refused.messages
    assert not list(inside.folder.glob("many*"))
    assert len(inside.run(*command, "--yes").out.splitlines()) == 12


def test_a_metric_over_an_axis(inside: InProcess, sweep_id: str) -> None:
    """Given --over, I expect a row for each value of the axis, by contents where it is asked for, and a plot."""
    ended = inside.run("compare", sweep_id, "--over", "style_weight", "-o", "over.png", "--metric", "ssim")
    head, *rows = (line.split() for line in ended.out.splitlines())
    assert (head[:3], [row[:3] for row in rows]) == (
        ["style_weight", "jobs", "done"],
        [["1", "2", "2"], ["10", "2", "1"]],
    )
    with Image.open(inside.folder / "over.png") as image:
        assert image.width > 600
    document = inside.run("compare", sweep_id, "--over", "style_weight", "--by", "content", "--json").document
    assert (document["by"], document["over"]) == ("content", "style_weight")
    assert [(group["name"], group["at"], group["jobs"]) for group in document["groups"]] == [
        ("cat", 1, 1),
        ("cat", 10, 1),
        ("dog", 1, 1),
        ("dog", 10, 1),
    ]
    same = inside.run("compare", sweep_id, "--over", "content", "--by", "content")
    assert (same.code, "by and over are both content" in same.messages) == (2, True)


@pytest.mark.parametrize(
    "command",
    [
        "sweep sheet {sweep} -o {name}.html --metric ssim",
        "sweep sheet {sweep} -o {name}.png --rows style_weight --columns content --cell 32",
        "sweep plot {sweep} -o {name}.svg --overlay",
        "sweep export {sweep} -o {name}.csv --where content=cat",
        "sweep export {sweep} -o {name}.jsonl --losses",
        "job plot {job} -o {name}.png",
        "job timelapse {job} -o {name}.webp --size 32",
    ],
)
def test_what_is_written_is_named(inside: InProcess, sweep_id: str, command: str) -> None:
    """Given a command that writes a file, I expect its name printed and no bar where no terminal is, and 2 again."""
    job_id = inside.run("sweep", "show", sweep_id, "--json").document["jobs"][0]["id"]
    arguments = command.format(sweep=sweep_id, job=job_id, name="made").split()
    name = arguments[arguments.index("-o") + 1]
    ended = inside.run(*arguments)
    assert (ended.code, ended.out, ended.messages) == (0, f"{name}\n", "")
    assert (inside.folder / name).stat().st_size > 100
    again = inside.run(*arguments)
    assert (again.code, "exists: give --force" in again.messages) == (2, True)
    assert inside.run(*arguments, "--force", "--json").document["output"] == [name]


@pytest.mark.parametrize(
    ("command", "sentences"),
    [
        ("compare {sweep} --metric nosuch", ["--metric has no effect without -o"]),
        ("sweep sheet {sweep} -o sheet.png --top 3", ["--top has no effect without --sort-by"]),
        (
            "sweep sheet {sweep} -o sheet.png --sort-by loss --rows content",
            ["--rows has no effect with --sort-by, which ranks the results"],
        ),
        ("sweep sheet {sweep} -o sheet.png --rows content", []),
    ],
)
def test_options_without_effect_are_told(inside: InProcess, sweep_id: str, command: str, sentences: list[str]) -> None:
    """Given an option that has no effect with the others, I expect a line that says so, and the command done."""
    ended = inside.run(*command.format(sweep=sweep_id).split())
    assert ended.code == 0, ended.messages
    assert [line for line in ended.messages.splitlines() if "no effect" in line] == sentences
