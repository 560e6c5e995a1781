"""A user who comes from the release before: what was documented works, and what was stored is there."""

from __future__ import annotations

import inspect
import json
import shlex
import shutil
import tarfile
from pathlib import Path
from typing import Any

import click
import pytest

from stylefarm.producer.cli import cli
from stylefarm.shared import errors
from stylefarm.shared.settings import Settings
from stylefarm.shared.spec.spec import JobSpec
from tests.programs import CommandLine, InProcess

DATA = Path(__file__).parent / "earlier_release"
SURFACE: dict[str, Any] = json.loads((DATA / "surface.json").read_text())


@pytest.fixture(scope="module")
def unpacked(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The files that the release before wrote."""
    folder = tmp_path_factory.mktemp("earlier")
    with tarfile.open(DATA / "home.tar.xz") as archive:
        archive.extractall(folder, filter="data")
    return folder


@pytest.fixture
def program(unpacked: Path, tmp_path: Path, request: pytest.FixtureRequest) -> InProcess:
    """Today's program, in a copy of them."""
    folder = tmp_path / "copy"
    shutil.copytree(unpacked, folder)
    variables = {"STYLEFARM_HOME": str(folder / "home"), "STYLEFARM_THREADS": "1", "STYLEFARM_CHECKPOINT_SECONDS": "0"}
    return InProcess.of(CommandLine(folder, variables), request)


def command_of(path: str) -> tuple[click.Command, click.Context]:
    """The command of these arguments, and its context."""
    command: click.Command = cli
    context = click.Context(cli, info_name="stylefarm")
    for word in path.split():
        assert isinstance(command, click.Group)
        found = command.get_command(context, word)
        assert found is not None, f"there is no command {path}"
        command, context = found, click.Context(found, info_name=word, parent=context)
    return command, context


def test_every_option_is_still_there() -> None:
    """Given the commands and options of the release before, I expect each of them."""
    for path, options in SURFACE["commands"].items():
        command, _ = command_of(path)
        names = {
            name
            for parameter in command.params
            if isinstance(parameter, click.Option)
            for name in (*parameter.opts, *parameter.secondary_opts)
        }
        assert set(options) <= names, f"stylefarm {path} has lost {set(options) - names}"


@pytest.mark.parametrize("line", (DATA / "commands.txt").read_text().splitlines())
def test_documented_commands_are_understood(line: str) -> None:
    """Given a command of the documentation of the release before, I expect its arguments parsed without an error."""
    arguments = shlex.split(line)
    context = click.Context(cli, info_name="stylefarm")
    command: click.Command = cli
    while isinstance(command, click.Group) and arguments:
        found = command.get_command(context, arguments[0])
        assert found is not None, line
        command, arguments = found, arguments[1:]
    if "--help" in arguments:
        return
    with command.make_context(line, list(arguments), parent=context):
        pass


def test_settings_parameters_and_exit_codes_are_what_they_were() -> None:
    """Given the names and numbers that scripts rely on, I expect each of them."""
    assert set(SURFACE["settings"]) <= set(Settings.model_fields)
    assert set(SURFACE["parameters"]) <= set(JobSpec.model_fields)
    codes = {
        name: kind.exit_code
        for name, kind in vars(errors).items()
        if inspect.isclass(kind) and issubclass(kind, errors.FarmError)
    }
    assert codes.items() >= SURFACE["exit_codes"].items()


def test_jobs_are_shown_as_before(program: InProcess) -> None:
    """Given a home of the release before, if its jobs are shown, I expect every field as that release printed it."""
    shown: dict[str, Any] = json.loads((program.folder / "jobs-as-shown.json").read_text())
    assert {job["job"]["state"] for job in shown.values()} == {"done", "failed", "cancelled", "queued"}
    for job_id, before in shown.items():
        ended = program.run("job", "show", job_id, "--json")
        assert ended.code == 0, ended.messages
        assert_kept(before, ended.document, f"job {job_id}")


def test_its_pictures_are_where_they_were(program: InProcess) -> None:
    """Given a done job and its snapshots, if they are downloaded, I expect the bytes that were stored."""
    shown: dict[str, Any] = json.loads((program.folder / "jobs-as-shown.json").read_text())
    done = next(job for job in shown.values() if job["job"]["state"] == "done")
    job_id = done["job"]["id"]
    stored = program.folder / "home" / "objects" / done["job"]["result_key"]
    assert program.run("job", "download", job_id, "-o", "result.png").code == 0
    assert (program.folder / "result.png").read_bytes() == stored.read_bytes()
    ended = program.run("job", "download", job_id, "--snapshots", "-o", "steps", "--json")
    assert len(ended.document["files"]) == len(done["snapshots"]) == 2
    sweep = done["job"]["sweep"]
    for arguments in (
        ("sweep", "sheet", sweep, "-o", "sheet.png"),
        ("sweep", "plot", sweep, "-o", "losses.png"),
        ("sweep", "export", sweep, "-o", "losses.csv", "--losses"),
        ("job", "timelapse", job_id, "-o", "steps.gif"),
    ):
        ended = program.run(*arguments)
        assert ended.code == 0, ended.messages


def test_what_was_rendered_is_found_again(program: InProcess) -> None:
    """Given its sweep file, if it is submitted again, I expect the same sweep and nothing new to render."""
    before = program.run("sweep", "list", "--json").document["sweeps"]
    ended = program.run("sweep", "create", "cats.yaml", "--json")
    assert ended.code == 0, ended.messages
    assert ended.document["sweep"]["id"] in {sweep["id"] for sweep in before}
    assert [job["created"] for job in ended.document["jobs"]] == [False] * 4
    assert {job["state"] for job in ended.document["jobs"]} == {"done"}


def test_an_interrupted_job_continues_from_its_checkpoint(program: InProcess) -> None:
    """Given a job that was interrupted, if it is waited for, I expect it to continue, and a curve without a gap."""
    (waiting,) = program.run("job", "list", "--state", "queued", "--json").document["jobs"]
    ended = program.run("job", "wait", waiting["id"], "--json")
    assert ended.code == 0, ended.messages
    *_, last = ended.document["attempts"]
    assert last["resumed"]["iteration"] > 100
    assert [point["iteration"] for point in ended.document["losses"]] == list(range(241))


def assert_kept(before: Any, after: Any, where: str) -> None:
    """Fail unless everything of `before` is in `after`, where objects may have more fields."""
    if isinstance(before, dict):
        assert isinstance(after, dict), where
        for name, value in before.items():
            assert name in after, f"{where} has lost {name}"
            assert_kept(value, after[name], f"{where}.{name}")
    elif isinstance(before, list):
        assert len(before) == len(after), where
        for index, (one, other) in enumerate(zip(before, after, strict=True)):
            assert_kept(one, other, f"{where}[{index}]")
    else:
        assert before == after, where
