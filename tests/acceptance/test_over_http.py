"""The command line on a machine that has an address and a token of a farm, and nothing else of it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image

from tests.conftest import write_pictures
from tests.programs import SHALLOW, SHALLOW_OPTIONS, CommandLine, InProcess
from tests.web_server import WebServer, web_server

SMALL = ("--size", "32", "--iterations", "2", "--features", "random", *SHALLOW_OPTIONS)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WebServer]:
    """A farm on another machine, as it were."""
    home = tmp_path_factory.mktemp("there") / "home"
    with web_server(home, TORCH_HOME=str(home.parent / "torch"), STYLEFARM_THREADS="1") as server:
        yield server


@pytest.fixture
def program(server: WebServer, tmp_path: Path, request: pytest.FixtureRequest) -> InProcess:
    """The program in a folder with pictures, and with a token that may submit."""
    home = server.home
    here = tmp_path / "here"
    here.mkdir()
    write_pictures(here)
    there = CommandLine(tmp_path, {"STYLEFARM_HOME": str(home)})
    token = there.run("token", "create", "ada", "--role", "submit").out.strip()
    return InProcess.of(CommandLine(here, {"STYLEFARM_URL": server.address, "STYLEFARM_TOKEN": token}), request)


def test_a_picture_is_rendered_there_and_looked_at_here(program: InProcess) -> None:
    """Given pictures of this machine, if they are rendered over HTTP, I expect the result here, and no farm."""
    ended = program.run("render", "a.png", "s.png", "-o", "out.png", *SMALL, "--snapshot-every", "1", "--json")
    assert ended.code == 0, ended.messages
    job = ended.document["job"]
    with Image.open(program.folder / "out.png") as image:
        assert image.size == (32, 24)
    assert (job["content"], job["style"], job["state"]) == ("a.png", "s.png", "done")
    assert program.run("render", "a.png", "s.png", "-o", "again.png", *SMALL, "--snapshot-every", "1").code == 0
    assert (program.folder / "again.png").read_bytes() == (program.folder / "out.png").read_bytes()
    shown = program.run("job", "show", "@last", "--json").document
    assert (shown["job"]["id"], len(shown["snapshots"]), len(shown["losses"])) == (job["id"], 1, 3)
    assert [event["state"] for event in shown["events"]][-1] == "done"
    assert "a.png" in program.run("job", "show", job["id"][:8]).out
    assert program.run("job", "download", job["id"], "-o", "third.png").out == "third.png\n"
    assert program.run("job", "plot", job["id"], "-o", "loss.png").code == 0
    assert program.run("job", "rate", job["id"], "--stars", "4", "--pick").out == "4 stars, pick\n"
    assert program.run("job", "tag", job["id"], "best").out == "best\n"
    listed = program.run("job", "list", "--tag", "best", "--flag", "pick", "--where", "size=32", "-q").out
    assert listed.split() == [job["id"]]
    assert program.run("job", "retry", job["id"]).code == 0
    assert program.run("job", "wait", job["id"]).out == "done\n"
    assert program.run("job", "delete", job["id"]).out.startswith("deleted 1 job")
    assert not (program.folder.parent / "home").exists()


def test_a_sweep_is_rendered_there_and_looked_at_here(program: InProcess) -> None:
    """Given a sweep file of this machine, if it is submitted, I expect its results, sheet and table here."""
    (program.folder / "cats.yaml").write_text(
        f"base: {{content: a.png, size: 32, iterations: 2, features: random, {SHALLOW}}}\n"
        "matrix: {style: [s.png, t.png], tv_weight: [0, 1]}\n"
    )
    tried = program.run("sweep", "create", "cats.yaml", "--dry-run", "--json").document["dry_run"]
    assert (tried["cells"], tried["new"], tried["workers"]) == (4, 4, 1)
    refused = program.run("sweep", "create", "cats.yaml", "--webhook", "https://example.org/x")
    assert (refused.code, program.run("sweep", "list", "-q").out) == (2, "")
    ended = program.run("sweep", "create", "cats.yaml", "--tag", "cats", "--wait", "--json")
    assert ended.code == 0, ended.messages
    sweep = ended.document["sweep"]["id"]
    assert {job["state"] for job in ended.document["jobs"]} == {"done"}
    again = program.run("sweep", "create", "cats.yaml")
    assert (again.out.strip(), "4 of 4 are done already" in again.messages) == (sweep, True)
    assert program.run("sweep", "list", "--tag", "cats", "-q").out.strip() == sweep
    assert program.run("sweep", "show", "cats", "--json").document["counts"] == {"done": 4}
    assert program.run("sweep", "download", "cats", "-o", "results").out.splitlines() == [
        f"results/{style}_tv_weight-{weight}.png" for style in "st" for weight in (0, 1)
    ]
    for name in ("sheet.html", "sheet.png"):
        assert program.run("sweep", "sheet", "cats", "-o", name, "--where", "tv_weight=1").code == 0
    assert program.run("sweep", "export", "cats", "-o", "cats.csv").code == 0
    assert len((program.folder / "cats.csv").read_text().splitlines()) == 5
    assert len(program.run("sweep", "changes", "cats").document["changes"]) == 4
    assert program.run("sweep", "retry", "cats", "--from-checkpoint").messages.startswith("4 jobs without a checkpoint")
    assert program.run("sweep", "wait", "cats").code == 0
    assert program.run("sweep", "delete", "cats").code == 0
    assert program.run("sweep", "show", "cats").code == 3


def test_which_farm_is_asked(program: InProcess) -> None:
    """Given an address and a token, I expect the settings to tell the farm, not the token, and what is done there."""
    shown = program.run("config", "show")
    token = program.variables["STYLEFARM_TOKEN"]
    assert f"this farm is asked over HTTP, at {program.variables['STYLEFARM_URL']}" in shown.messages
    settings = json.loads(program.run("config", "show", "--json").out)["settings"]
    assert settings["token"] == {"value": "***", "source": "environment"}
    for command in (
        ("doctor",),
        ("worker", "list"),
        ("token", "list"),
        ("prune", "--older-than", "1d"),
        ("weights", "list"),
    ):
        ended = program.run(*command)
        assert ended.code == 2, command
        assert "needs the farm's own database, and http://127.0.0.1" in ended.messages
    assert token not in shown.out + shown.messages + ended.messages
