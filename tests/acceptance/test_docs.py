"""The commands and programs of the README and of docs/, run as they stand there, with small pictures."""

from __future__ import annotations

import ast
import asyncio
import dataclasses
import inspect
import io
import re
import shutil
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import click
import pytest

import stylefarm
from stylefarm import Farm, State
from stylefarm.producer import cli
from stylefarm.producer.cli import open as open_module
from stylefarm.producer.submission.datasets import read_dataset, store_dataset
from stylefarm.shared.settings import load_settings
from stylefarm.shared.spec.builtin import LOSS_ENTRIES
from tests.documents import PAGES, Block, blocks, console_lines, programs
from tests.made_up import made_up, texture
from tests.programs import SHALLOW_OPTIONS, CommandLine, InProcess
from tests.tiny_models import adain_model, put_models, trunk_model
from tests.web_server import web_server
from tests.weights_files import squeezenet_state, write_torch

# Rendered in an instant; a page's own numbers give way to them.
SMALL: Mapping[str, Any] = {"size": 16, "iterations": 1, "features": "random", "color": "style"}
SHALLOW = {"content_layers": ["relu2_1"], "style_layers": ["relu1_1", "relu2_1"], "style_loss": "gram"}
SMALL_OPTIONS = tuple(word for name, value in SMALL.items() for word in (f"--{name}", str(value)))
PICTURES = ("cat.jpg", "kitten.jpg", "b.jpg", "waves.jpg", "night.jpg", "starry-night.jpg")
MASKS = ("sky.png", "ground.png", "left.png", "right.png", "only-the-sea.png")
START = "2026-01-01T00:00"
AXES: Mapping[str, Sequence[Any]] = {
    "content": ["cat.jpg"],
    "style": ["waves.jpg", "starry-night.jpg"],
    "style_weight": [4, 16, 64],
}

NOT_RUN_PYTHON = {"architecture.md": "parts of two files, with dots for the rest"}

# What is only parsed, by words that stand in the command, with the reason.
ONLY_PARSED: Mapping[str, str] = {
    "worker start": "runs until it is stopped",
    "web --": "runs until it is stopped",
    "worker list": "needs servers",
    "worker drain": "needs a worker",
    "worker unbench": "needs a worker",
    "db upgrade": "needs a database server",
    "weights pull": "needs the network",
    "weights import": "needs a file of weights",
    "--weights": "needs a file of weights",
    "layers fire4": "needs SqueezeNet's weights",
    "layers relu1,fire3": "needs SqueezeNet's weights",
    "--first-layer": "needs SqueezeNet's weights",
    "sweep search": "renders forty pictures",
    "model pull": "needs the network",
    "model import-distilled": "needs files of another project",
    "train": "needs pretrained weights, and minutes",
    "--webhook": "needs a secret and a server that answers",
    "examples/": "renders the figures of a page",
    "photographs/": "renders the figures of a page",
    "SWEEP": "shows the figures of a page",
    "estimate": "times the machine",
    "job list --state running -w": "runs until Ctrl-C",
    "cat.mp4": "needs ffmpeg",
    "--min-size": "is for large pictures",
    "-o -": "prints bytes, which tests in one process cannot catch",
}

OTHER_PROGRAMS: Mapping[str, str] = {
    "make": "sets up an environment, or runs these tests",
    "source": "changes the shell",
    "export": "changes the shell",
    "eval": "changes the shell; the command within is run",
    "while": "the shell's",
    "do": "the shell's",
    "done": "the shell's",
    "break": "the shell's",
    "cp": "prepares docker-compose",
    "id": "the shell's",
    "curl": "needs the network",
    "docker-compose": "tests/acceptance/test_compose.py reads its file",
    "celery": "needs servers",
    "jq": "another program",
    "magick": "another program",
    "openssl": "another program",
    "./make-sweep": "stands for a program of the user's",
    ".venv/bin/pytest": "runs these tests",
    ".venv/bin/python": "the tests under faults",
    "pip": "installs packages",
    "python": "examples and benchmarks have tests of their own",
}


# What stands for the models that the pages name.
MODELS = {
    "arbitrary": adain_model(),
    "distilled-wct": dataclasses.replace(adain_model(), method="wct"),
    "cin26": trunk_model("cin", styles=26),
    "mine": trunk_model("cin", styles=27),
    "waves": trunk_model("ulyanov"),
}
SMALL_TRAINING = {
    "iterations": 2,
    "image_size": 32,
    "style_size": 32,
    "channels": 4,
    "blocks": 1,
    "samples": 1,
    "batch_size": 1,
    "force": True,
}


@pytest.fixture
def program(tmp_path: Path, request: pytest.FixtureRequest) -> InProcess:
    """The program in a folder with the pictures and the sweep file that the pages name."""
    folder = tmp_path / "here"
    (folder / "kittens").mkdir(parents=True)
    for number, name in enumerate((*PICTURES, *MASKS, "kittens/tom.jpg")):
        texture(number, (24, 24)).convert("L" if name in MASKS else "RGB").save(folder / name)
    small = ", ".join(f"{name}: {value}" for name, value in {**SMALL, **SHALLOW}.items())
    axes = "\n".join(f"  {axis}: {list(values)}" for axis, values in AXES.items())
    (folder / "cats.yaml").write_text(f"name: cats\nbase: {{{small}}}\nmatrix:\n{axes}\n")
    (folder / "pictures").mkdir()
    for name in PICTURES[:2]:
        shutil.copy(folder / name, folder / "pictures")
    home = {"STYLEFARM_HOME": str(tmp_path / "home"), "TORCH_HOME": str(tmp_path / "torch"), "STYLEFARM_THREADS": "1"}
    return InProcess.of(CommandLine(folder, home), request)


# What stands on the pages for the farm of another machine.
ELSEWHERE = "https://farm.example.org"


@pytest.fixture(scope="module")
def elsewhere(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """A farm that is asked over HTTP: its address and a token, as variables."""
    folder = tmp_path_factory.mktemp("elsewhere")
    own = {"STYLEFARM_HOME": str(folder / "home"), "STYLEFARM_THREADS": "1", "TORCH_HOME": str(folder / "torch")}
    with web_server(folder / "home", **own) as server:
        token = CommandLine(folder, own).run("token", "create", "docs", "--role", "submit").out.strip()
        yield {"STYLEFARM_URL": server.address, "STYLEFARM_TOKEN": token}


def _put_library() -> None:
    """Register the models and the data set that some pages name."""
    load_settings.cache_clear()
    with Farm() as farm:
        put_models(farm.services, **MODELS)
        store_dataset("photos", "pictures", read_dataset("pictures", farm.settings), farm.services)


def _console(page: Path) -> list[tuple[str, list[str]]]:
    """The programs that a page's console blocks start, each with its block."""
    return [
        (block.name, words)
        for block in blocks(page, "console")
        for line in console_lines(block.text)
        for words in programs(line)
    ]


def _runnable(page: Path) -> list[tuple[str, list[str]]]:
    """Of these, the ones that are run."""
    return [(where, words) for where, words in _console(page) if words[0] == "stylefarm" and not _reason(words)]


def _reason(words: Sequence[str]) -> str | None:
    text = " ".join(words)
    return next((key for key in ONLY_PARSED if key in text), None)


def _parsed(arguments: Sequence[str]) -> str:
    """The command of these arguments, once click has taken all of them; without running it."""
    command: click.Command = cli.cli
    context, rest = None, list(arguments)
    while isinstance(command, click.Group):
        context = command.make_context(command.name, rest, parent=context)
        name, found, rest = command.resolve_command(context, [*context._protected_args, *context.args])
        assert found is not None, name
        command = found
    try:
        return command.make_context(command.name, rest, parent=context).command_path
    except click.exceptions.Exit as ended:
        assert ended.exit_code == 0
        return "help"


@pytest.mark.parametrize("page", [page for page in PAGES if _console(page)], ids=lambda page: page.name)
def test_every_command_of_a_page_is_there(page: Path) -> None:
    """Given the commands of a page, I expect click to take their options and arguments, and to know other programs."""
    for where, words in _console(page):
        if words[0] != "stylefarm":
            assert words[0] in OTHER_PROGRAMS, (where, words)
            continue
        try:
            assert _parsed([START if word == "$cursor" else word for word in words[1:]])
        except click.ClickException as error:
            pytest.fail(f"{where}: {' '.join(words)}: {error.format_message()}")


def test_every_reason_is_needed() -> None:
    """Given the reasons for which commands are not run, I expect each to be that of some command."""
    found = [words for page in PAGES for _where, words in _console(page)]
    assert {_reason(words) for words in found if words[0] == "stylefarm"} - {None} == set(ONLY_PARSED)
    assert {words[0] for words in found} - {"stylefarm"} == set(OTHER_PROGRAMS)


def test_the_default_that_the_readme_names() -> None:
    """Given the README's word on the default style weight, I expect what covariance, SqueezeNet's loss, has."""
    named = re.search(r"less of the style; default: (\d+)", PAGES[0].read_text())
    assert named is not None
    assert float(named[1]) == LOSS_ENTRIES["covariance"].auto_weight


class _Ids:
    """What stands on the pages for ids, and what has them here: one farm for each page."""

    def __init__(self) -> None:
        with Farm() as farm:
            seeds: Mapping[str, Sequence[Any]] = {"content": ["b.jpg"], "seed": [0, 1, 2, 3, 4]}
            self.queued = [job.id for job in made_up(farm, seeds, outcome=lambda _: State.QUEUED)]
            other = made_up(farm, {**seeds, "size": [40]}, name="other", outcome=lambda _: State.FAILED)
            self.failed = [job.id for job in other]
            self.ended = made_up(farm, {**AXES, "iterations": [50]}, name="ended", snapshots=1)
            self.done = self.ended.jobs()[0].id
            self.names = {"5f0c2b1e": self.ended.id[:8], "$sweep": self.ended.id, "77d0a9e3": other.id[:8]}

    def filled(self, words: Sequence[str]) -> list[str]:
        """Put ids that suit a command into its words."""
        job = self.done
        if words[1] == "job" and words[2] in ("cancel", "pause"):
            job = self.queued.pop()
        if words[1] == "job" and words[2] == "retry":
            job = self.failed.pop()
        return [{**self.names, "9a41c07d": job}.get(word, word) for word in words]


def _options(words: Sequence[str]) -> tuple[str, ...]:
    """What makes a command's pictures small."""
    if words[1] != "render" and words[1:3] != ["job", "submit"]:
        return ()
    # The classic programs weigh each of their own layers.
    shallow = () if "--preset" in words or "--help" in words else SHALLOW_OPTIONS
    return (*SMALL_OPTIONS, *shallow)


@pytest.mark.parametrize("page", [page for page in PAGES if _runnable(page)], ids=lambda page: page.name)
def test_the_commands_of_a_page_run(
    page: Path, program: InProcess, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> None:
    """Given a page, if its commands are run one after the other in one folder, I expect each to end well."""
    monkeypatch.setattr(open_module, "_is_opened", lambda _path: True)
    ids = _Ids()
    if any("--model" in words or words[1] in ("model", "dataset") for _, words in _runnable(page)):
        _put_library()
    cursor = START
    for where, words in _console(page):
        if f"STYLEFARM_URL={ELSEWHERE}" in words:
            for name, value in request.getfixturevalue("elsewhere").items():
                monkeypatch.setenv(name, value)
        if words[0] != "stylefarm" or _reason(words):
            continue
        given = [cursor if word == "$cursor" else word for word in ids.filled(words)]
        document = program.folder / ("cats.yaml" if "sweep" in words else "cat.jpg")
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(document.read_bytes())))
        ended = program.run(*given[1:], *_options(given))
        assert ended.code == 0, f"{where}: {' '.join(words)}: {ended.messages}"
        if words[1:3] == ["sweep", "changes"]:
            cursor = ended.document["cursor"]


class _Enough(Exception):
    """A program that goes on for ever has been round once."""


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Whatever Python submits is small."""
    submit, sweep, train = Farm.submit, Farm.sweep, Farm.train
    weights = str(write_torch(tmp_path / "squeezenet.pth", squeezenet_state()))

    def small_train(self: Farm, **fields: Any) -> Any:
        return train(self, **{**fields, **SMALL_TRAINING, "weights": weights})

    def small_submit(self: Farm, *given: Any, **fields: Any) -> Any:
        return submit(self, *given, **{**fields, **SMALL, **SHALLOW})

    def small_sweep(self: Farm, *given: Any, **fields: Any) -> Any:
        own = {} if given else {"base": {**fields.get("base", {}), **SMALL, **SHALLOW}}
        return sweep(self, *given, **{**fields, **own})

    monkeypatch.setattr(Farm, "submit", small_submit)
    monkeypatch.setattr(Farm, "sweep", small_sweep)
    monkeypatch.setattr(Farm, "train", small_train)


PYTHON = [block for page in PAGES if page.name not in NOT_RUN_PYTHON for block in blocks(page, "python")]


@pytest.mark.usefixtures("small")
@pytest.mark.parametrize("block", PYTHON, ids=lambda block: block.name)
def test_the_python_of_a_page_runs(block: Block, program: InProcess, request: pytest.FixtureRequest) -> None:
    """Given a block of Python, if it is run where its pictures are, with the public API at hand, I expect no error."""
    assert program.folder.is_dir()
    if "train(" in block.text or "model=" in block.text:
        _put_library()
    rounds = iter(range(1))

    def sleep(_seconds: float) -> None:
        if next(rounds, None) is None:
            raise _Enough

    with Farm() as farm:
        sweep = made_up(farm, AXES, name="ended", snapshots=1)
        clock = type("time", (), {"sleep": staticmethod(sleep)})
        names = {name: getattr(stylefarm, name) for name in stylefarm.__all__}
        given = {**names, "farm": farm, "sweep": sweep, "time": clock}
        text = block.text.replace("5f0c2b1e", sweep.id[:8])
        if ELSEWHERE in text:
            there = request.getfixturevalue("elsewhere")
            text = text.replace(ELSEWHERE, there["STYLEFARM_URL"]).replace('"..."', repr(there["STYLEFARM_TOKEN"]))
        code = compile(text, block.name, "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
        try:
            if code.co_flags & inspect.CO_COROUTINE:
                asyncio.run(eval(code, given))
            else:
                exec(code, given)
        except _Enough:
            assert "while True" in block.text
