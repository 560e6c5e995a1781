"""The program as scripts use it: lists, filters, JSON, ids alone, watching, completion."""

from __future__ import annotations

import contextlib
import json
import os
import pty
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from examples.embedded import embedded_settings
from stylefarm import Farm, State, Sweep
from stylefarm.producer.cli import watch
from tests.made_up import made_up
from tests.programs import PROGRAM, CommandLine, InProcess

STATES = [State.DONE, State.FAILED, State.QUEUED]


@pytest.fixture
def program(tmp_path: Path) -> CommandLine:
    return CommandLine(tmp_path, {"STYLEFARM_HOME": str(tmp_path / "home"), "TORCH_HOME": str(tmp_path / "torch")})


@pytest.fixture
def inside(program: CommandLine, request: pytest.FixtureRequest) -> InProcess:
    """The same without a process of its own."""
    return InProcess.of(program, request)


@pytest.fixture
def farm(tmp_path: Path) -> Iterator[Farm]:
    """The program's farm, from Python."""
    with Farm(embedded_settings(tmp_path / "home")) as farm:
        yield farm


@pytest.fixture
def small(farm: Farm) -> Sweep:
    """Six jobs: of each of two contents a done, a failed and a queued one."""
    axes: Mapping[str, Any] = {"content": ["cat.png", "dog.png"], "style_weight": [1.0, 10.0, 100.0]}
    states = dict(zip(axes["style_weight"], STATES, strict=True))
    return made_up(farm, axes, outcome=lambda cell: states[cell["style_weight"]], name="small [b]one[/b]")


def objects(text: str) -> list[Any]:
    """The objects of JSON Lines."""
    return [json.loads(line) for line in text.splitlines()]


def ids(program: CommandLine, *arguments: str) -> list[str]:
    ended = program.run("job", "list", "-q", *arguments)
    assert ended.code == 0, ended.messages
    return ended.out.split()


def test_sweeps_are_listed_newest_first(program: CommandLine, farm: Farm, small: Sweep) -> None:
    """Given two sweeps, I expect the newer one first, with counts, as a table, JSON, lines of JSON, and ids."""
    newer = made_up(farm, {"content": ["hen.png"]}, name="newer", outcome=lambda _: State.QUEUED)
    table = program.run("sweep", "list").out
    assert table.index("newer") < table.index("small [b]one[/b]")
    assert "2 queued, 2 done, 2 failed" in table
    document = program.run("sweep", "list", "--json").document
    assert document["schema_version"] == 1
    assert [(each["name"], each["jobs"]) for each in document["sweeps"]] == [("newer", 1), ("small [b]one[/b]", 6)]
    assert document["sweeps"][1]["counts"] == {"queued": 2, "done": 2, "failed": 2}
    assert objects(program.run("sweep", "list", "--jsonl").out) == document["sweeps"]
    assert program.run("sweep", "list", "-q").out.split() == [newer.id, small.id]
    assert program.run("sweep", "list", "--quiet", "--limit", "1").out == f"{newer.id}\n"


def test_jobs_are_listed_by_what_they_are(inside: InProcess, farm: Farm, small: Sweep) -> None:
    """Given jobs of two sweeps, I expect each filter to leave the right ones, and all of them together."""
    newer = made_up(farm, {"content": ["cat.png"]}, name="newer", outcome=lambda _: State.QUEUED)
    of_small = [job.id for job in small]
    (hen,) = [job.id for job in newer]
    assert ids(inside) == [hen, *of_small]
    assert ids(inside, "--limit", "3") == [hen, *of_small[:2]]
    assert ids(inside, "--sweep", small.id[:8]) == of_small
    assert ids(inside, "--state", "done", "--state", "failed") == [of_small[n] for n in (0, 1, 3, 4)]
    assert ids(inside, "--where", "content=cat") == [hen, *of_small[:3]]
    assert ids(inside, "--where", "style_weight=10", "--where", "content=dog.png") == [of_small[4]]
    assert ids(inside, "--where", "style_weight=1", "--where", "style_weight=1e2", "--limit", "3") == [
        of_small[n] for n in (0, 2, 3)
    ]
    # Parameters that are not axes are in the spec.
    assert ids(inside, "--where", "icc=true", "--where", "size=48", "--all") == [hen, *of_small]
    assert ids(inside, "--where", "icc=false") == []
    assert ids(inside, "--where", "style_loss=wasserstein") == ids(inside, "--where", "style_loss=wasserstein=1")
    assert ids(inside, "--where", "style_loss=wasserstein", "--where", "noise_range=0,1") == [hen, *of_small]
    assert ids(inside, "--since", "1h") == [hen, *of_small]
    assert ids(inside, "--until", "1h") == []
    assert ids(inside, "--since", "2020-01-01T00:00", "--until", "2021-01-01") == []
    listed = inside.run("job", "list", "--state", "failed", "--json").document
    assert [job["cell"]["content"] for job in listed["jobs"]] == ["cat.png", "dog.png"]
    assert objects(inside.run("job", "list", "--state", "failed", "--jsonl").out) == listed["jobs"]
    assert "cat, style_weight 10" in inside.run("job", "list").out


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("--where", "stile=a"), "no parameter 'stile': did you mean 'style'?"),
        (("--where", "style"), "write it as axis=value"),
        (("--since", "yesterday"), "'yesterday' is no moment: write 2026-11-21T08:00, or an age such as 30m, 2h or 3d"),
        (("--state", "ready"), "'ready' is not one of"),
        (("--sweep", "00000000"), "there is no sweep 00000000"),
    ],
)
def test_a_filter_that_cannot_be_meant_is_told(inside: InProcess, arguments: tuple[str, ...], sentence: str) -> None:
    """Given a wrong filter, I expect one sentence, and nothing on standard output."""
    ended = inside.run("job", "list", *arguments)
    assert ended.code in (2, 3)
    assert ended.out == ""
    assert sentence in ended.messages


def test_a_large_sweep_is_summed_up(inside: InProcess, farm: Farm) -> None:
    """Given 103 jobs, I expect counts, throughput, the newest failures and the first jobs; all with --jobs."""
    axes = {"seed": list(range(103))}
    states = {0: State.DONE, 1: State.RUNNING, 2: State.FAILED}
    sweep = made_up(farm, axes, outcome=lambda cell: states.get(cell["seed"], State.QUEUED), variants=1)
    shown = inside.run("sweep", "show", sweep.id)
    assert shown.code == 0
    assert "100 queued, 1 running, 1 done, 1 failed" in shown.out
    assert "seed (103)" in shown.out
    assert "at this pace" in shown.out
    assert "the first 10 of 103 jobs: --jobs lists all" in shown.messages
    assert "cannot be decoded" in shown.messages
    assert len(shown.out.splitlines()) < 25
    document = inside.run("sweep", "show", sweep.id, "--json").document
    assert (len(document["jobs"]), document["left_out"]) == (100, 3)
    assert document["done_per_second"] > 0
    assert document["seconds_left"] > 0
    assert [job["cell"]["seed"] for job in document["failures"]] == [2]
    every = inside.run("sweep", "show", sweep.id, "--jobs", "--json").document
    assert [job["id"] for job in every["jobs"]] == [job.id for job in sweep]
    assert every["left_out"] == 0
    assert len(inside.run("sweep", "show", sweep.id, "--jobs").out.splitlines()) == 104


def test_a_job_s_way_is_told(inside: InProcess, small: Sweep) -> None:
    """Given a failed job, I expect its moves with time, worker and reason, and how its attempt ended."""
    failed = small.jobs()[1]
    logs = inside.run("job", "logs", failed.id)
    assert "attempt 1  failed, by made up" in logs.out
    lines = [line.split() for line in logs.out.splitlines()[2:]]
    assert [line[2] for line in lines[1:]] == ["queued", "running", "failed"]
    document = inside.run("job", "logs", failed.id, "--json").document
    assert [event["worker"] for event in document["events"]] == [None, "made up", "made up"]
    assert document["attempts"][0]["outcome"] == "failed"
    assert objects(inside.run("job", "logs", failed.id, "--jsonl").out) == document["events"]


@pytest.mark.parametrize(
    ("option", "message"),
    [
        (("--timeout", "nan"), "'nan' is no number of seconds"),
        (("--interval", "nan"), "'nan' is no number of seconds"),
        (("--interval", "inf"), "is not in the range"),
    ],
)
def test_a_time_is_a_number(inside: InProcess, small: Sweep, option: tuple[str, str], message: str) -> None:
    """Given a time that is none, I expect a sentence and 2, before anything is waited for."""
    refused = inside.run("sweep", "watch", small.id, *option, timeout=60)
    assert (refused.code, message in refused.messages) == (2, True), refused.messages


def test_a_wait_that_runs_out_prints_where_it_stands(
    inside: InProcess, farm: Farm, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Given a paused sweep, if it is waited for in vain with --json, I expect 8, and the object all the same."""
    sweep = made_up(farm, {"content": ["cat.png"]}, outcome=lambda _: State.PAUSED)
    for noun, name in (("sweep", sweep.id), ("job", sweep.jobs()[0].id)):
        ended = inside.run(noun, "wait", name, "--timeout", "0.1", "--json")
        assert ended.code == 8
        assert "1 of 1 jobs have not ended" in ended.messages
    assert ended.document["job"]["state"] == "paused"
    # A clock that goes on while the command sleeps, and at no other time.
    slept: list[float] = []
    monkeypatch.setattr(watch, "time", SimpleNamespace(monotonic=lambda: sum(slept), sleep=slept.append))
    watched = inside.run("sweep", "watch", sweep.id, "--timeout", "1.5", "--interval", "1", "--jsonl")
    assert watched.code == 8
    assert [look["counts"] for look in objects(watched.out)] == [{"paused": 1}] * 3


def test_watching_ends_with_the_jobs(inside: InProcess, farm: Farm, small: Sweep) -> None:
    """Given what has ended, I expect a line, and 5 if something failed; of a done job 0, and an object if asked for."""
    small.cancel()
    ended = inside.run("sweep", "watch", small.id)
    assert ended.code == 5
    assert ended.out.endswith("  2 done, 2 failed, 2 cancelled\n")
    assert "4 of 6 jobs failed or were cancelled" in ended.messages
    done, failed = small.jobs()[:2]
    assert inside.run("job", "watch", failed.id).code == 5
    watched = inside.run("job", "watch", done.id, "--jsonl")
    assert (watched.code, [look["job"]["state"] for look in objects(watched.out)]) == (0, ["done"])


def everything(terminal: int) -> str:
    """What was written to a terminal that nobody writes to any more; the kernel hands it over in parts."""
    parts: list[bytes] = []
    with contextlib.suppress(OSError):
        while part := os.read(terminal, 65536):
            parts.append(part)
    return b"".join(parts).decode()


def test_watching_on_a_terminal_is_a_table_without_colors(program: CommandLine, small: Sweep) -> None:
    """Given a terminal and NO_COLOR, I expect the table with its failures, and no color in it."""
    small.cancel()
    ours, theirs = pty.openpty()
    command = [str(PROGRAM), "sweep", "watch", small.id]
    environment = {**program.environment, "TERM": "xterm", "COLUMNS": "100"}
    ended = subprocess.run(command, stdout=theirs, stderr=subprocess.PIPE, env=environment, timeout=60)
    os.close(theirs)
    text = everything(ours)
    os.close(ours)
    assert ended.returncode == 5
    assert "2 done, 2 failed, 2 cancelled" in text
    assert text.rpartition("sweep ")[2].count("cannot be decoded") == 2
    assert "\x1b[3" not in text


def test_changes_since_a_cursor(inside: InProcess, small: Sweep) -> None:
    """Given a cursor, if a job is cancelled after it, I expect that job in the next answer."""
    first = inside.run("sweep", "changes", small.id).document
    assert len(first["changes"]) == 6
    queued = small.jobs()[2]
    queued.cancel()
    later = inside.run("sweep", "changes", small.id, "--since", first["cursor"]).document
    assert {change["id"]: change["state"] for change in later["changes"]}[queued.id] == "cancelled"
    lines = inside.run("sweep", "changes", small.id, "--jsonl").out
    assert {change["position"] for change in objects(lines)} == set(range(6))


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_a_shell_completes_commands(inside: InProcess, shell: str) -> None:
    """Given a shell, I expect a script for it."""
    ended = inside.run("completion", shell)
    assert (ended.code, ended.messages) == (0, "")
    assert f"_STYLEFARM_COMPLETE={shell}_complete" in ended.out


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("stylefarm sw", {"sweep"}),
        ("stylefarm sweep s", {"show", "search", "sheet"}),
        ("stylefarm job l", {"list", "logs"}),
    ],
)
def test_what_is_completed(program: CommandLine, line: str, expected: set[str]) -> None:
    """Given the beginning of a command, I expect its possible ends, also of commands that are imported late."""
    asked = {"_STYLEFARM_COMPLETE": "bash_complete", "COMP_WORDS": line, "COMP_CWORD": str(len(line.split()) - 1)}
    ended = CommandLine(program.folder, {**program.variables, **asked}).run()
    assert {line.split(",")[1] for line in ended.out.splitlines()} == expected


def test_a_farm_that_was_never_used_has_no_workers(inside: InProcess) -> None:
    """Given a home where nothing is yet, if its workers are listed, I expect none, and no errand to run first."""
    ended = inside.run("worker", "list", "-q")
    assert (ended.code, ended.out, ended.messages) == (0, "", "")


def test_lists_of_other_things_have_the_same_forms(inside: InProcess, farm: Farm) -> None:
    """Given presets and no workers, I expect names alone, an object a line, and an empty list."""
    names = inside.run("presets", "list", "-q").out.split()
    assert "gatys" in names
    assert [preset["name"] for preset in objects(inside.run("presets", "list", "--jsonl").out)] == names
    assert inside.run("worker", "list", "--json").document["workers"] == []


def test_completion_is_installed_once(inside: InProcess, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Given a home with a .bashrc, if completion is installed twice, I expect one line more in it, nothing of it lost;
    for fish a file of its own; and a sentence for a shell that has none, and for what is no file, without waiting for
    a pipe."""
    home = tmp_path / "home of mine"
    home.mkdir()
    (home / ".bashrc").write_text("alias ll='ls -l'")
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("SHELL", "/usr/bin/bash")
    assert inside.run("completion", "--install").code == 0
    again = inside.run("completion", "bash", "--install")
    assert (again.code, again.out) == (0, "")
    assert (home / ".bashrc").read_text().splitlines() == ["alias ll='ls -l'", 'eval "$(stylefarm completion bash)"']
    fish = inside.run("completion", "fish", "--install").out.strip()
    assert Path(fish).read_text() == inside.run("completion", "fish").out
    (home / ".zshrc").mkdir()
    os.mkfifo(home / "pipe")
    (home / ".bashrc").unlink()
    (home / ".bashrc").symlink_to("pipe")
    for name, reason in (("zsh", ".zshrc cannot be read (Is a directory)"), ("bash", ".bashrc is a pipe or a device")):
        ended = inside.run("completion", name, "--install")
        assert (ended.code, ended.out, reason in ended.messages) == (2, "", True), ended.messages
    monkeypatch.setenv("SHELL", "/bin/tcsh")
    refused = inside.run("completion")
    assert (refused.code, "name one of bash, zsh, fish" in refused.messages) == (2, True)
