"""Asking for many pictures in one line, with the program itself."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

from tests.programs import SHALLOW, CommandLine, InProcess
from tests.webhook_receiver import WebhookReceiver

PLAIN = f"base: {{style: s.png, size: 32, iterations: 2, snapshot_every: 0, {SHALLOW}}}\n"
BASE = PLAIN.replace("size: 32", "size: 32, init: noise")


@pytest.fixture
def farm(tmp_path: Path, pictures: Path) -> CommandLine:
    """The program, in the folder of the pictures, with a home of its own."""
    home = {"STYLEFARM_HOME": str(tmp_path / "home"), "TORCH_HOME": str(tmp_path / "torch")}
    return CommandLine(pictures, {**home, "STYLEFARM_THREADS": "1"})


@pytest.fixture
def inside(farm: CommandLine, request: pytest.FixtureRequest) -> InProcess:
    """The same without a process of its own."""
    return InProcess.of(farm, request)


def created(farm: CommandLine, *arguments: str) -> Any:
    ended = farm.run("sweep", "create", *arguments, "--json")
    assert ended.code == 0, ended.messages
    return ended.document


def flags(document: Any) -> list[bool]:
    return [job["created"] for job in document["jobs"]]


def test_what_is_there_is_told(inside: InProcess) -> None:
    """Given a sweep that is queued, then done, if its file is created again, I expect to hear which of both it is."""
    (inside.folder / "sweep.yaml").write_text(BASE + "matrix: {content: [a.png], seed: 1..2}\n")
    assert "2 of 2" not in inside.run("sweep", "create", "sweep.yaml").messages
    waited = inside.run("sweep", "create", "sweep.yaml", "--wait").messages
    assert "2 of 2 were submitted before, and are not done yet" in waited
    assert "not rendered again" not in waited
    again = inside.run("sweep", "create", "sweep.yaml").messages
    assert "2 of 2 are done already, and are not rendered again (--force does)" in again


def test_the_same_file_again_is_the_same_sweep(inside: InProcess) -> None:
    """Given a rendered sweep, if its file is created again, I expect its jobs; with more values, these alone queued."""
    file = inside.folder / "sweep.yaml"
    file.write_text(BASE + "matrix: {content: [a.png, b.png], seed: 1..2}\n")
    first = created(inside, "sweep.yaml", "--wait")
    assert (flags(first), first["counts"]) == ([True] * 4, {"done": 4})
    again = created(inside, "sweep.yaml")
    assert (flags(again), again["counts"]) == ([False] * 4, {"done": 4})
    assert again["sweep"]["id"] == first["sweep"]["id"]
    file.write_text(BASE + "matrix: {content: [a.png, b.png], seed: 1..3}\n")
    longer = created(inside, "sweep.yaml")
    assert (flags(longer), longer["counts"]) == ([False, False, True] * 2, {"queued": 2, "done": 4})
    assert [job["cell"]["seed"] for job in longer["jobs"]] == [1, 2, 3, 1, 2, 3]
    assert flags(created(inside, "sweep.yaml", "--force")) == [True] * 6


def test_a_dry_run_tells_and_stores_nothing(inside: InProcess) -> None:
    """Given a grid, if it is only tried, I expect its size, its axes and a time with its source, and no sweep."""
    (inside.folder / "sweep.yaml").write_text(BASE + "matrix: {content: [a.png, b.png], seed: 1..2}\n")
    tried = inside.run("sweep", "create", "sweep.yaml", "--dry-run", "--json")
    assert tried.code == 0, tried.messages
    found = tried.document["dry_run"]
    assert (found["cells"], found["new"], found["known"], found["workers"]) == (4, 4, 0, 1)
    assert found["axes"] == {"content": ["a.png", "b.png"], "seed": [1, 2]}
    assert found["hours"] > 0
    assert found["basis"] == "a few iterations timed here for 1 size"
    assert found["hours"] == found["machine_hours"]
    assert "price" not in found
    created(inside, "sweep.yaml", "--wait")
    longer = inside.run("sweep", "create", "sweep.yaml", "--set", "seed=1..5", "--dry-run", "--gpu-hour", "1000000")
    assert longer.code == 0, longer.messages
    lines = dict(line.split("  ", 1) for line in longer.out.splitlines())
    assert lines["cells"].strip() == "10"
    assert float(lines["price"].split(" for ")[0].replace(",", "")) > 0
    assert "content (2), seed (5)" in longer.out
    assert "the median of 4 done jobs of the same size" in longer.out
    assert lines["there already"].strip() == "4"


@pytest.mark.parametrize(
    ("terms", "sentence"),
    [
        (("--max-running", "-1"), "max_running = -1"),
        (("--time-limit", "nan"), "time_limit = nan"),
        (("--after", "00000000"), "there is no job 00000000"),
        (("--webhook", "ftp://example.org"), "'ftp://example.org' is no address to call"),
        (("--timeout", "5"), "--timeout says how long --wait waits at most"),
    ],
)
def test_a_dry_run_checks_the_terms_too(inside: InProcess, terms: tuple[str, ...], sentence: str) -> None:
    """Given terms that a submission would be refused for, if it is only tried, I expect the same refusal."""
    (inside.folder / "sweep.yaml").write_text(BASE + "matrix: {content: a.png}\n")
    for more in (("--dry-run",), ()):
        refused = inside.run("sweep", "create", "sweep.yaml", *terms, *more)
        assert (refused.code in {2, 3}, refused.out) == (True, "")
        assert sentence in refused.messages


def test_a_sweep_without_a_name_is_called_as_its_file(inside: InProcess) -> None:
    """Given a file that names no sweep, I expect its own name; what --name says goes before it."""
    (inside.folder / "two cats.yaml").write_text(BASE + "matrix: {content: a.png}\n")
    assert created(inside, "two cats.yaml")["sweep"]["name"] == "two cats"
    assert created(inside, "two cats.yaml", "--name", "small")["sweep"]["name"] == "small"


def test_a_grid_needs_no_file(inside: InProcess) -> None:
    """Given axes on the command line, I expect their grid; without a file or an axis, a sentence."""
    assignments = ("content=a.png,b.png", "style=s.png", "style_weight=1,10", "size=32", "iterations=2")
    found = created(inside, *(part for assignment in assignments for part in ("--set", assignment)), "--name", "small")
    assert found["sweep"]["name"] == "small"
    assert [(job["content"], job["spec"]["style_weight"]) for job in found["jobs"]] == [
        ("a.png", 1.0),
        ("a.png", 10.0),
        ("b.png", 1.0),
        ("b.png", 10.0),
    ]
    nothing = inside.run("sweep", "create")
    assert (nothing.code, "give one of the two" in nothing.messages) == (2, True)


def test_many_cells_are_not_submitted_unasked(inside: InProcess) -> None:
    """Given more cells than --yes-above, and no terminal, I expect a refusal with the count, and --yes to do it."""
    (inside.folder / "sweep.yaml").write_text(BASE + "matrix: {content: a.png, seed: 1..6}\n")
    refused = inside.run("sweep", "create", "sweep.yaml", "--yes-above", "5")
    assert refused.code == 2
    assert "this is 6 cells, more than 5, and nobody is here to be asked" in refused.messages
    assert inside.run("sweep", "create", "sweep.yaml", "--yes-above", "5", "--yes").code == 0
    assert inside.run("sweep", "create", "sweep.yaml", "--yes-above", "6").code == 0


def test_all_bad_pictures_are_told_at_once(inside: InProcess) -> None:
    """Given three bad pictures among many, I expect all named and nothing submitted; --skip-bad to do the others."""
    folder = inside.folder / "in"
    folder.mkdir()
    good = (inside.folder / "a.png").read_bytes()
    for number in range(20):
        (folder / f"{number:02}.png").write_bytes(good + bytes([number]))
    for name in ("03.png", "11.png"):
        (folder / name).write_bytes(b"no picture")
    (folder / "17.png").write_bytes(b"")
    (inside.folder / "sweep.yaml").write_text(BASE + "matrix: {content: in, seed: [1, 2]}\n")
    refused = inside.run("sweep", "create", "sweep.yaml")
    assert refused.code == 2
    assert "3 pictures cannot be used" in refused.messages
    assert all(name in refused.messages for name in ("03.png", "11.png", "17.png", "--skip-bad"))
    assert len(refused.messages.splitlines()) == 1
    assert not list((Path(inside.variables["STYLEFARM_HOME"]) / "objects").glob("**/*.*"))
    ended = inside.run("sweep", "create", "sweep.yaml", "--skip-bad", "--json")
    assert ended.code == 0, ended.messages
    assert (len(ended.document["jobs"]), ended.document["skipped"]) == (34, 6)
    assert "6 cells are left out" in ended.messages


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("matrix: {content: a.png, seeds: [1]}\n", "sweep.yaml, line 2, column 26: unknown axis 'seeds'"),
        ("matrix: {content: a.png, seed: [1, -1]}\n", "sweep.yaml, line 2, column 26: seed = -1"),
        ("matrix: {content: a.png, seed: 1..1000000000}\n", "1,000,000,000 cells"),
        ("matrix: {content: [a.png\n", "line 3, column 1: this is no YAML"),
    ],
)
def test_what_is_wrong_with_a_file_is_told_with_its_place(inside: InProcess, text: str, sentence: str) -> None:
    """Given a file that cannot be meant, I expect 2 and one line with the place, and no sweep."""
    (inside.folder / "sweep.yaml").write_text(BASE + text)
    for more in ((), ("--dry-run",)):
        refused = inside.run("sweep", "create", "sweep.yaml", *more)
        assert (refused.code, refused.out) == (2, "")
        assert sentence in refused.messages


def test_a_sweep_calls_whom_it_is_told_to(
    inside: InProcess, receiver: WebhookReceiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Given a secret and an address, if the sweep is rendered, I expect one call, and its state to be shown."""
    file = inside.folder / "sweep.yaml"
    file.write_text(BASE + "matrix: {content: a.png, seed: 1..2}\n")
    refused = inside.run("sweep", "create", "sweep.yaml", "--webhook", receiver.url)
    assert (refused.code, "set STYLEFARM_WEBHOOK_SECRET" in refused.messages) == (2, True)
    monkeypatch.setenv("STYLEFARM_WEBHOOK_SECRET", "0123456789abcdef")
    monkeypatch.setenv("STYLEFARM_WEBHOOK_PRIVATE", "true")
    refused = inside.run("sweep", "create", "sweep.yaml", "--webhook", "nowhere")
    assert (refused.code, "'nowhere' is no address to call" in refused.messages) == (2, True)
    found = created(inside, "sweep.yaml", "--webhook", receiver.url, "--wait")["sweep"]["id"]
    assert [(document["event"], document["sweep"]["id"]) for document in receiver.documents] == [("sweep.ended", found)]
    shown = inside.run("sweep", "webhook", found, "--json").document["webhooks"]
    assert [(call["event"], call["state"]) for call in shown] == [("ended", "delivered"), ("failed", "waiting")]
    assert inside.run("sweep", "webhook", found, "--remove", "--json").document["webhooks"] == []


def test_a_sweep_that_takes_too_long_is_told_of(inside: InProcess) -> None:
    """Given too little time, if a new sweep is waited for, I expect 8, and its object all the same."""
    (inside.folder / "sweep.yaml").write_text(BASE + "matrix: {content: a.png, seed: 1..2}\n")
    ended = inside.run("sweep", "create", "sweep.yaml", "--wait", "--timeout", "0", "--json")
    assert (ended.code, len(ended.document["jobs"])) == (8, 2)


def test_cells_of_one_picture_are_cells_all_the_same(inside: InProcess) -> None:
    """Given two copies of a picture and an axis without effect, I expect one job, and each cell told by its own names.

    And the axis named with the number of cells, by a dry run too.
    """
    (inside.folder / "copy.png").write_bytes((inside.folder / "a.png").read_bytes())
    (inside.folder / "sweep.yaml").write_text(PLAIN + "matrix: {content: [a.png, copy.png], seed: 1..3}\n")
    in_vain = "seed has no effect here: 5 of 6 cells have the picture of another cell"
    tried = inside.run("sweep", "create", "sweep.yaml", "--dry-run")
    assert in_vain in tried.messages
    assert "to render      1\n" in tried.out
    ended = inside.run("sweep", "create", "sweep.yaml", "--wait", "--json")
    assert in_vain in ended.messages
    assert "seed: has no effect, since init = content, and no loss draws at random" in ended.messages
    assert "6/6  copy, seed 3" in ended.messages
    jobs = ended.document["jobs"]
    assert [job["content"] for job in jobs] == ["a.png"] * 3 + ["copy.png"] * 3
    assert [job["cell"]["seed"] for job in jobs] == [1, 2, 3] * 2
    assert (len({job["id"] for job in jobs}), ended.document["counts"]) == (1, {"done": 6})


def test_what_does_not_take_effect_is_told(inside: InProcess) -> None:
    """Given a sweep that is there and whose file includes a cell, if it is asked for again with other terms, with the
    included parameter set, with an option twice, or to be tried from checkpoints that it has not, I expect what can be
    done done, and a line for each of the others."""
    file = inside.folder / "sweep.yaml"
    file.write_text(BASE + "matrix: {content: [a.png], seed: [1, 2]}\ninclude: [{content: b.png, seed: 7}]\n")
    first = created(inside, "sweep.yaml")
    again = inside.run("sweep", "create", "sweep.yaml", "--priority", "9", "--label", "night", "--json")
    assert again.document["sweep"]["id"] == first["sweep"]["id"]
    assert {job["priority"] for job in again.document["jobs"]} == {9}
    assert "3 jobs were there already, and stay with label '', not 'night': submit with force" in again.messages

    changed = inside.run("sweep", "create", "sweep.yaml", "--set", "seed=3", "--dry-run", "--dry-run")
    assert "include 1 of the file names seed too, and stays as it is" in changed.messages
    assert "more than once" not in changed.messages
    twice = inside.run("job", "list", "--limit", "9", "--limit", "1", "--json")
    assert (twice.code, len(twice.document["jobs"])) == (0, 1)
    assert twice.messages.strip() == "--limit is given more than once: the last value counts"

    sweep_id = first["sweep"]["id"]
    inside.run("sweep", "cancel", sweep_id)
    retried = inside.run("sweep", "retry", sweep_id, "--from-checkpoint")
    assert retried.messages.strip() == "3 jobs without a checkpoint: they start over"
    job = first["jobs"][0]["id"]
    inside.run("job", "cancel", job)
    assert inside.run("job", "retry", job, "--from-checkpoint").messages.strip() == (
        "the job has no checkpoint: it starts over"
    )


def test_a_machine_without_torch_says_so_first(inside: InProcess, monkeypatch: pytest.MonkeyPatch) -> None:
    """Given an embedded farm without PyTorch, if a command is to wait, I expect a refusal before anything is stored;
    if it only queues, a line that says so; and doctor to call it wrong."""
    monkeypatch.setitem(sys.modules, "torch", None)
    (inside.folder / "sweep.yaml").write_text(BASE + "matrix: {content: [a.png]}\n")
    for command in (("sweep", "create", "sweep.yaml", "--wait"), ("render", "a.png", "s.png", "-o", "out.png")):
        refused = inside.run(*command)
        assert refused.code == 2
        assert "this farm is embedded, and there is no PyTorch on this machine to render with" in refused.messages
        assert inside.run("job", "list", "--json").document["jobs"] == []
    queued = inside.run("sweep", "create", "sweep.yaml")
    assert (queued.code, "there is no PyTorch on this machine" in queued.messages) == (0, True)
    examined = inside.run("doctor", "--json")
    assert examined.code == 1
    (rendering,) = [each for each in examined.document["findings"] if each["what"] == "rendering"]
    assert (rendering["health"], rendering["remedy"]) == ("wrong", "pip install 'stylefarm[worker]'")
