"""What a user does every day: queue, pipe, open, find the last one again, and delete what is over."""

from __future__ import annotations

import io
import json
import os
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import pytest
from PIL import Image

from examples.embedded import embedded_settings
from stylefarm import Farm, InvalidRequest, State
from stylefarm.shared.db.records import NewJob
from stylefarm.shared.spec.spec import load_spec
from tests.made_up import made_up
from tests.programs import PROGRAM, SHALLOW_OPTIONS, CommandLine, InProcess
from tests.servers.processes import wait_until

# What Python makes of an argument that is the byte 0xff.
NO_TEXT = "\udcff"
SMALL = ("--size", "32", "--iterations", "2", *SHALLOW_OPTIONS)


@pytest.fixture
def program(tmp_path: Path, pictures: Path) -> CommandLine:
    """The program, in the folder of the pictures, with a home of its own."""
    home = {"STYLEFARM_HOME": str(tmp_path / "home"), "TORCH_HOME": str(tmp_path / "torch")}
    return CommandLine(pictures, {**home, "STYLEFARM_THREADS": "1"})


@pytest.fixture
def inside(program: CommandLine, request: pytest.FixtureRequest) -> InProcess:
    """The same without a process of its own."""
    return InProcess.of(program, request)


@pytest.fixture
def farm(tmp_path: Path) -> Iterator[Farm]:
    """The program's farm, from Python."""
    with Farm(embedded_settings(tmp_path / "home")) as farm:
        yield farm


def piped(program: CommandLine, data: bytes, *arguments: str) -> subprocess.CompletedProcess[bytes]:
    """Run a command with these bytes on standard input."""
    return subprocess.run(
        [str(PROGRAM), *arguments],
        cwd=program.folder,
        env=program.environment,
        input=data,
        capture_output=True,
        timeout=120,
    )


def objects_of(program: CommandLine) -> list[str]:
    """The keys of all objects in the farm's store."""
    root = Path(program.variables["STYLEFARM_HOME"]) / "objects"
    return sorted(path.relative_to(root).as_posix() for path in root.glob("**/*") if path.is_file())


def test_a_picture_comes_and_goes_through_pipes(program: CommandLine) -> None:
    """Given a picture on standard input, if it is rendered to standard output, I expect nothing but a PNG there."""
    ended = piped(program, (program.folder / "a.png").read_bytes(), "render", "-", "s.png", "-o", "-", *SMALL)
    assert ended.returncode == 0, ended.stderr
    with Image.open(io.BytesIO(ended.stdout)) as image:
        assert (image.format, image.size) == ("PNG", (32, 24))
    (job,) = json.loads(program.run("job", "list", "--json").out)["jobs"]
    assert (job["content"], job["style"]) == ("stdin", "s.png")
    again = piped(program, b"", "job", "download", "@last", "-o", "-")
    assert (again.returncode, again.stdout) == (0, ended.stdout)


def test_a_sweep_file_comes_through_a_pipe(program: CommandLine) -> None:
    """Given a sweep file on standard input, I expect its cells, with paths from the current folder, and its faults."""
    sweep = b"base: {size: 32, iterations: 2}\nmatrix: {content: [a.png, b.png], style: s.png}\n"
    created = piped(program, sweep, "sweep", "create", "-")
    assert created.returncode == 0, created.stderr
    shown = program.run("sweep", "show", "stdin", "--json").document
    assert (shown["sweep"]["id"], shown["counts"]) == (created.stdout.decode().strip(), {"queued": 2})
    wrong = piped(program, b"matrix: {content: a.png, seeds: 1}", "sweep", "create", "-")
    assert (wrong.returncode, wrong.stdout) == (2, b"")
    assert b"stdin, line 1, column 26: unknown axis 'seeds'" in wrong.stderr


@pytest.mark.parametrize(
    ("command", "code", "sentence"),
    [
        ("sweep create - <&-", 2, "standard input is empty: pipe a sweep file into the command"),
        ("init first >&-", 0, "next: stylefarm"),
    ],
)
def test_a_closed_stream_is_an_empty_one(program: CommandLine, command: str, code: int, sentence: str) -> None:
    """Given a caller that has closed standard input or output, I expect a command to read and write nothing there."""
    ended = subprocess.run(
        ["bash", "-c", f'exec "$0" {command}', str(PROGRAM)],
        cwd=program.folder,
        env=program.environment,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert (ended.returncode, ended.stdout) == (code, ""), ended.stderr
    assert sentence in ended.stderr


@pytest.mark.parametrize("command", [("job", "submit"), ("render", "--no-wait")])
def test_a_job_is_queued_and_its_id_printed(inside: InProcess, command: tuple[str, ...]) -> None:
    """Given a picture, if it is only submitted, I expect its id alone, a queued job, and how it comes to be rendered.

    If it is submitted again when it is rendered, I expect the same id.
    """
    ended = inside.run(*command, "a.png", "s.png", "--priority", "8", *SMALL)
    assert ended.code == 0, ended.messages
    job_id = ended.out.strip()
    assert f"stylefarm job wait {job_id}" in ended.messages
    waited = inside.run("job", "wait", "@last", "--json").document["job"]
    assert (waited["id"], waited["state"], waited["priority"]) == (job_id, "done", 8)
    again = inside.run(*command, "a.png", "s.png", *SMALL, "--json").document["job"]
    assert (again["id"], again["created"]) == (job_id, False)
    assert inside.run(*command, "a.png", "s.png", *SMALL, "--force").out.strip() != job_id


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("render", "a.png", "s.png"), "missing option '-o'"),
        (("render", "a.png", "s.png", "--no-wait", "-o", "x.png"), "--no-wait writes no file: leave out -o"),
        (("render", "a.png", "s.png", "-o", "-", "--json"), "-o - and --json both write to standard output"),
        (("render", "-", "s.png", "-o", "x.png"), "standard input is empty"),
        (("job", "submit", "missing.png", "s.png"), "missing.png does not exist"),
        (("job", "delete", "@last"), "@last: there is no job"),
        (("sweep", "delete", "cats"), "no sweep is called 'cats'"),
        (("prune",), "missing option '--older-than'"),
        (("prune", "--older-than", "often"), "'often' is no moment"),
        (("open", "cats"), "no job and no sweep is called 'cats'"),
        (("open", NO_TEXT), r"no job and no sweep is called '\udcff'"),
        (("sweep", "show", NO_TEXT), r"no sweep is called '\udcff'"),
        (("job", "submit", "a.png", "s.png", "--after", NO_TEXT), r"no job is called '\udcff'"),
        (("job", "submit", "a.png", "s.png", "--note", NO_TEXT), r"the character '\udcff' cannot be stored"),
        (("worker", "bench", NO_TEXT), r"'\udcff' is no text in UTF-8"),
        (("job", "list", "--sort", ""), "--sort names no field"),
        (("job", "list", "--format", ""), "--format is empty"),
        (("job", "list", "-q", "--fields", "id"), "-q prints ids alone: leave out --fields"),
    ],
)
def test_what_cannot_be_meant_is_told(
    inside: InProcess, arguments: tuple[str, ...], sentence: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Given a request that cannot be carried out, I expect one sentence, nothing on standard output, and no job."""
    with Path(os.devnull).open() as nothing:
        monkeypatch.setattr("sys.stdin", nothing)
        ended = inside.run(*arguments)
    assert (ended.code in {2, 3}, ended.out) == (True, "")
    assert sentence in ended.messages
    assert len(ended.messages.splitlines()) == 1
    assert not (inside.folder / "x.png").exists()
    assert inside.run("job", "list", "-q").out == ""


@dataclass(frozen=True)
class Desktop:
    """Stands for the desktop's viewer: keeps what it was asked to open."""

    program: CommandLine
    opened: Path

    def open(self, *arguments: str) -> Path:
        """Open something, and return the path that the viewer was given."""
        ended = self.program.run("open", *arguments)
        assert ended.code == 0, ended.messages
        # The viewer is started, and not waited for.
        wait_until(lambda: self.opened.exists() and self.opened.read_text().endswith("\n"), 60)
        assert self.opened.read_text() == ended.out
        self.opened.unlink()
        return Path(ended.out.strip())


@pytest.fixture
def desktop(program: CommandLine, tmp_path: Path) -> Desktop:
    folder = tmp_path / "bin"
    folder.mkdir()
    (folder / "xdg-open").write_text(f'#!/bin/sh\necho "$1" > {tmp_path}/opened\n')
    (folder / "xdg-open").chmod(0o755)
    paths = {"PATH": f"{folder}:{os.environ['PATH']}", "TMPDIR": str(tmp_path)}
    return Desktop(CommandLine(program.folder, {**program.variables, **paths}), tmp_path / "opened")


def test_results_are_opened_in_the_viewer(desktop: Desktop, farm: Farm) -> None:
    """Given a sweep, I expect its sheet opened, a job's result, and folders; and without a viewer a sentence."""
    sweep = made_up(farm, {"content": ["cat.png", "dog.png"]}, name="pets", snapshots=1)
    job = sweep.jobs()[1]
    assert desktop.open("pets").name == "sheet.html"
    result = desktop.open(job.id[:8])
    assert result.name == "dog_style.png"
    assert result.read_bytes() == job.result().data
    assert len(list(desktop.open("@last", "--folder").glob("**/*.png"))) == 4
    assert {path.name for path in desktop.open(job.id, "--folder").iterdir()} == {"dog_style.png", "000010.png"}
    # Without an opener, and with one that finds no viewer.
    lost = desktop.program.folder / "lost"
    lost.mkdir()
    (lost / "xdg-open").write_text("#!/bin/sh\nexit 3\n")
    (lost / "xdg-open").chmod(0o755)
    for path in ("/nowhere", f"{lost}:/usr/bin:/bin"):
        bare = CommandLine(desktop.program.folder, {**desktop.program.variables, "PATH": path})
        ended = bare.run("open", job.id)
        assert (ended.code, "no viewer can be opened here: look at " in ended.messages) == (2, True)


def test_what_is_deleted_is_gone_from_the_disk(inside: InProcess, farm: Farm) -> None:
    """Given two sweeps that share a job, if one is deleted, I expect its share kept; if both are, an empty store."""
    older = made_up(farm, {"content": ["cat.png", "dog.png"]}, name="older", snapshots=2)
    newer = made_up(farm, {"content": ["dog.png", "hen.png"]}, name="newer")
    ended = inside.run("sweep", "delete", "older", "--json")
    assert ended.code == 0, ended.messages
    assert ended.document["deleted"] | {"bytes": 0} == {
        "sweeps": 1,
        "jobs": 1,
        "kept": 1,
        "objects": 3,
        "bytes": 0,
        "inputs": 1,
    }
    assert inside.run("sweep", "show", older.id).code == 3
    assert [job.status().state for job in newer] == [State.DONE] * 2
    assert [job.status().sweep for job in newer] == [newer.id] * 2
    first, second = newer.jobs()
    assert inside.run("job", "delete", first.id, "@last").code == 0
    assert (inside.run("job", "list", "-q").out, len(newer)) == ("", 0)
    assert newer.delete() == 0
    assert objects_of(inside) == []
    assert inside.run("job", "delete", second.id).code == 3


def test_what_runs_is_not_deleted(inside: InProcess, farm: Farm) -> None:
    """Given a running job, if it or its sweep is deleted, I expect a sentence with the remedy, and all still there."""
    states = {"cat.png": State.RUNNING, "dog.png": State.DONE}
    sweep = made_up(farm, {"content": list(states)}, outcome=lambda cell: states[cell["content"]])
    job = sweep.jobs()[0]
    for arguments in (("sweep", "delete", "@last"), ("job", "delete", *(job.id for job in sweep))):
        ended = inside.run(*arguments)
        assert (ended.code, f"job {job.id} is running: cancel it first" in ended.messages) == (2, True)
    with pytest.raises(InvalidRequest, match="is running"):
        job.delete()
    assert sweep.counts() == {State.RUNNING: 1, State.DONE: 1}


def test_what_a_killed_process_has_left_is_deleted(inside: InProcess, farm: Farm) -> None:
    """Given a job whose process was killed a lease ago, if it is deleted, I expect it gone."""
    job = made_up(farm, {"content": ["cat.png"]}, outcome=lambda _: State.QUEUED).jobs()[0]
    assert farm.store.attempts.claim(job.id, "killed", lease=0) is not None
    wait_until(lambda: inside.run("job", "delete", job.id).code == 0, 60)
    assert farm.jobs() == []


def test_weights_go_with_the_last_job_that_names_them(farm: Farm) -> None:
    """Given two jobs with weights of their own, if one is deleted, I expect its weights and their copy gone."""
    digests = ["d" * 64, "e" * 64]
    copies = farm.settings.home / "cache" / "weights"
    copies.mkdir(parents=True)
    sweep = made_up(farm, {"content": ["cat.png", "dog.png"]})
    jobs = []
    for job, digest in zip(sweep, digests, strict=True):
        spec = load_spec(job.status().spec).model_copy(update={"features": "vgg19", "weights": f"sha256:{digest}"})
        (copies / digest).write_bytes(b"weights")
        farm.services.blobs.put(f"weights/{digest}", b"weights", "application/octet-stream")
        (job_id,) = farm.store.submissions.create([NewJob(spec, "a", "s")])
        jobs.append(farm.find_job(job_id))
    assert farm.delete([jobs[0]]).inputs == 1
    assert list(farm.services.blobs.keys("weights/")) == [f"weights/{digests[1]}"]
    assert [path.name for path in copies.iterdir()] == [digests[1]]


def test_what_is_over_is_pruned(inside: InProcess, farm: Farm) -> None:
    """Given ended sweeps, if they are pruned, I expect them gone; of a dry run the same numbers, and nothing gone."""
    made_up(farm, {"content": ["cat.png", "dog.png"]}, snapshots=1)
    lasting = made_up(farm, {"content": ["hen.png"]}, name="lasting", outcome=lambda _: State.QUEUED)
    before = objects_of(inside)
    assert inside.run("prune", "--older-than", "1h").out == "deleted 0 jobs: 0 objects of 0 bytes\n"
    tried = inside.run("prune", "--older-than", "0s", "--dry-run", "--json").document
    assert tried["dry_run"] is True
    assert (tried["deleted"]["sweeps"], tried["deleted"]["jobs"], tried["deleted"]["inputs"]) == (1, 2, 2)
    assert objects_of(inside) == before
    pruned = inside.run("prune", "--older-than", "0s", "--json").document
    assert pruned == {**tried, "dry_run": False}
    assert [sweep.id for sweep in farm.sweeps()] == [lasting.id]
    assert len(objects_of(inside)) == 2, "the content and the style of what is queued"
    assert farm.prune(timedelta(days=30)).jobs == 0


def test_jobs_and_sweeps_are_found_by_their_tags(inside: InProcess, farm: Farm) -> None:
    """Given tags of a job and of a sweep, I expect lists by them, a sweep's for its jobs too."""
    sweep = made_up(farm, {"content": ["cat.png", "dog.png"]}, name="pets")
    assert inside.run("sweep", "tag", "pets", "Print", "animals").out == "animals, print\n"
    submitted = inside.run("job", "submit", "a.png", "s.png", "--tag", "print", "--note", "for grandma", *SMALL)
    (alone,) = submitted.out.split()
    assert inside.run("job", "list", "--tag", "print", "-q").out.split() == [alone, *(job.id for job in sweep)]
    assert inside.run("job", "list", "--tag", "print", "--tag", "animals", "-q").out.split() == [
        job.id for job in sweep
    ]
    (listed,) = inside.run("sweep", "list", "--tag", "animals", "--json").document["sweeps"]
    assert (listed["id"], listed["tags"], listed["note"]) == (sweep.id, ["animals", "print"], None)
    assert inside.run("sweep", "list", "--tag", "grandma", "-q").out == ""
    shown = inside.run("job", "show", alone, "--json").document["job"]
    assert (shown["tags"], shown["note"]) == (["print"], "for grandma")
    assert "for grandma" in inside.run("job", "show", alone).out
    changed = inside.run("job", "tag", alone, "best", "--remove", "print", "--note", "", "--json").document["job"]
    assert (changed["tags"], changed["note"]) == (["best"], None)
    assert [status.id for status in farm.jobs(tags="best")] == [alone]
    assert farm.find_job(alone).tag("cats", note="mine") == ("best", "cats")
    assert farm.find_job(alone).status().note == "mine"
    assert [found.tags for found in farm.sweeps(tags=["print"])] == [("animals", "print")]
    assert "animals, print" in inside.run("sweep", "list").out
    refused = inside.run("job", "tag", alone, "to print")
    assert (refused.code, "no tag can be called 'to print'" in refused.messages) == (2, True)


def test_what_is_asked_for_again_gets_its_tags(inside: InProcess, farm: Farm) -> None:
    """Given a picture and a sweep that are there, if they are submitted again with a tag, I expect it on both."""
    assert inside.run("job", "submit", "a.png", "s.png", "--tag", "one", *SMALL).code == 0
    assert inside.run("job", "wait", "@last").code == 0
    again = inside.run("job", "submit", "a.png", "s.png", "--tag", "two", *SMALL, "--json").document["job"]
    assert (again["created"], again["tags"]) == (False, ["one", "two"])
    sweep = ("sweep", "create", "--set", "content=a.png,b.png", "--set", "style=s.png", "--set", "size=32")
    for tag in ("one", "two"):
        created = inside.run(*sweep, "--tag", tag, "--note", f"try {tag}", "--json").document["sweep"]
    assert (created["tags"], created["note"]) == (["one", "two"], "try two")
    assert len(farm.sweeps()) == 1


def test_pictures_are_rated_and_found_by_their_ratings(inside: InProcess, farm: Farm) -> None:
    """Given a job, if it is rated in parts, I expect its whole rating printed, shown and found in lists, until it is
    cleared."""
    job = made_up(farm, {"content": ["cat.png", "dog.png"]}).jobs()[0].id
    assert inside.run("job", "rate", job, "--stars", "4").out == "4 stars\n"
    rated = inside.run("job", "rate", job[:8], "--pick", "--json").document["job"]
    assert (rated["id"], rated["stars"], rated["flag"]) == (job, 4, "pick")
    assert "4 stars, pick" in inside.run("job", "show", job).out
    assert inside.run("job", "list", "--flag", "pick", "-q").out.split() == [job]
    assert inside.run("job", "list", "--stars", "5", "-q").out == ""
    assert "4 stars, pick" in inside.run("job", "list").out
    assert inside.run("job", "rate", job, "--clear", "--stars", "1").out == "1 star\n"
    assert inside.run("job", "rate", job, "--clear").out == "not rated\n"
    assert "rating" not in inside.run("job", "list").out
    refused = inside.run("job", "rate", job)
    assert (refused.code, "give --stars, --pick, --reject or --clear" in refused.messages) == (2, True)


@pytest.mark.parametrize("paused", [1, 2])
def test_who_waits_for_what_is_paused_is_told_so(inside: InProcess, farm: Farm, paused: int) -> None:
    """Given paused jobs, if they are waited for, I expect one sentence that says how they go on."""
    sweep = made_up(farm, {"seed": list(range(paused))}, outcome=lambda _: State.PAUSED)
    waited = inside.run("sweep", "wait", sweep.id, "--timeout", "1")
    if paused == 1:
        job = sweep.jobs()[0].id
        sentence = f"job {job} is paused, and goes on when somebody resumes it: stylefarm job resume {job}"
        assert inside.run("job", "wait", job, "--timeout", "1").messages.count(sentence) == 1
    else:
        sentence = f"2 jobs are paused, and go on when somebody resumes them: stylefarm sweep resume {sweep.id}"
    assert (waited.code, waited.messages.count(sentence)) == (8, 1)
