"""Names that somebody gave to trick or to spoil the terminal of somebody else."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from examples.embedded import embedded_settings
from stylefarm import Farm, State, Sweep
from tests.made_up import made_up
from tests.programs import CommandLine, InProcess

NAMES = [
    "[/foo]",
    "[red]x[",
    "\x1b]0;title\x07\x1b[31mred",
    "\x9b31mred",
    "two\nlines\r",
    "=HYPERLINK(A1)",
    "<script>alert(1)</script>",
    "\u202egpj.exe",
    "{0}%s",
]


@pytest.fixture
def farm(tmp_path: Path) -> Iterator[Farm]:
    with Farm(embedded_settings(tmp_path / "home")) as farm:
        yield farm


@pytest.fixture
def inside(tmp_path: Path, request: pytest.FixtureRequest) -> InProcess:
    """The command line in this process, on the same farm."""
    return InProcess.of(CommandLine(tmp_path, {"STYLEFARM_HOME": str(tmp_path / "home")}), request)


def named(farm: Farm, name: str) -> Sweep:
    """A sweep in which everything that a user may name is called so; one of its two jobs failed."""
    axes: dict[str, Sequence[Any]] = {"content": [f"{name}.png"], "seed": [1, 2]}
    return made_up(farm, axes, name=name, outcome=lambda cell: State.FAILED if cell["seed"] == 2 else State.DONE)


def commands(sweep: Sweep) -> Iterator[tuple[str, ...]]:
    """Every command that shows a sweep or its jobs."""
    yield from (("sweep", "list"), ("job", "list"), ("compare", sweep.id))
    yield from (("sweep", "show", sweep.id), ("sweep", "wait", sweep.id), ("sweep", "watch", sweep.id))
    for job in sweep:
        yield from (("job", word, job.id) for word in ("show", "logs", "wait", "watch"))


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("form", ["words", "--json"])
def test_no_command_obeys_a_name(farm: Farm, inside: InProcess, name: str, form: str) -> None:
    """Given a name with commands to a terminal or markup, if it is shown, I expect to read it, and nothing else."""
    sweep = named(farm, name)
    seen = ""
    for command in commands(sweep):
        options = () if form == "words" else ("--jsonl",) if "watch" in command else (form,)
        ended = inside.run(*command, *options)
        assert ended.code in {0, 5}, ended
        for line in (ended.out + ended.messages).split("\n"):
            assert line.isprintable(), command
        seen += ended.out
    if form == "words" and name.isprintable():
        assert name in seen


def test_tables_compute_and_run_nothing(farm: Farm, inside: InProcess, tmp_path: Path) -> None:
    """Given names that are formulas and tags, if tables are written of them, I expect texts in every cell."""
    sweeps = [named(farm, name) for name in NAMES]
    for number, sweep in enumerate(sweeps):
        assert inside.run("sweep", "export", sweep.id, "-o", f"{number}.csv").code == 0
    assert inside.run("compare", *(sweep.id for sweep in sweeps), "--by", "sweep", "-o", "c.md").code == 0
    assert inside.run("compare", *(sweep.id for sweep in sweeps), "--by", "sweep", "-o", "c.csv").code == 0
    assert "<" not in (tmp_path / "c.md").read_text(encoding="utf-8")
    for path in tmp_path.glob("*.csv"):
        with path.open(encoding="utf-8", newline="") as file:
            for cell in (cell for row in csv.reader(file) for cell in row):
                assert cell.isprintable()
                assert cell[:1] not in {"=", "@", "+", "-"}


def test_an_encoding_of_few_letters_is_no_error(farm: Farm, inside: InProcess, tmp_path: Path) -> None:
    """Given a terminal whose encoding lacks letters of a table, if it is shown, I expect similar ones."""
    made_up(farm, {"content": ["波.png", "a.png"], "style": ["s.png", "t.png"]})
    program = CommandLine(tmp_path, {**inside.variables, "PYTHONIOENCODING": "koi8-r"})
    ended = program.run("job", "list")
    assert (ended.code, ended.messages) == (0, "")
    assert "\\u6ce2 x s" in ended.out
