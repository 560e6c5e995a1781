"""What a user does on one machine, with the program itself."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image

from stylefarm.shared.db.connection import new_engine
from stylefarm.shared.db.states import State
from stylefarm.shared.images.encode import read_parameters
from stylefarm.shared.queries.jobs import Queries
from stylefarm.shared.settings import Settings
from tests.programs import SHALLOW, SHALLOW_OPTIONS, CommandLine, InProcess
from tests.servers.processes import wait_until

SMALL = ("--size", "32", "--snapshot-every", "2", *SHALLOW_OPTIONS)


@pytest.fixture
def farm(tmp_path: Path, pictures: Path) -> CommandLine:
    """The program, in the folder of the pictures, with a home of its own."""
    home = {"STYLEFARM_HOME": str(tmp_path / "home"), "TORCH_HOME": str(tmp_path / "torch")}
    return CommandLine(pictures, {**home, "STYLEFARM_THREADS": "1"})


@pytest.fixture
def inside(farm: CommandLine, request: pytest.FixtureRequest) -> InProcess:
    """The same without processes of their own: three commands in four spend most of their time with imports."""
    return InProcess.of(farm, request)


@pytest.fixture
def rows(tmp_path: Path) -> Iterator[Queries]:
    """What is in the farm's database, for who asks again and again."""
    queries = Queries(new_engine(Settings(home=tmp_path / "home").database))
    yield queries
    queries.engine.dispose()


def test_render_renders_one_picture(farm: CommandLine) -> None:
    """Given two pictures, if one is rendered, I expect a picture of the asked size that knows how it was rendered."""
    ended = farm.run("render", "a.png", "s.png", "-o", "out.png", *SMALL, "--iterations", "4", "--style-weight", "1e2")
    assert (ended.code, ended.out) == (0, "out.png\n"), ended.messages
    assert "features: random" in ended.messages
    data = (farm.folder / "out.png").read_bytes()
    parameters = read_parameters(data)
    assert parameters is not None
    assert (parameters["style_weight"], parameters["iteration"]) == (100.0, 4)
    assert not [name for name in ("a.png", "s.png") if name in str(parameters)], (
        "others may call the same picture otherwise"
    )
    with Image.open(farm.folder / "out.png") as image:
        assert (image.size, image.mode) == ((32, 24), "RGB")
        assert image.tobytes() != Image.open(farm.folder / "a.png").resize((32, 24)).tobytes()


def test_the_same_render_gives_the_same_picture(farm: CommandLine) -> None:
    """Given one spec, if it is rendered twice, in two processes, I expect the same bytes."""
    for name in ("one.png", "two.png"):
        arguments = (*SMALL, "--iterations", "5", "--init", "noise", "--seed", "3")
        assert farm.run("render", "a.png", "s.png", "-o", name, "--force", *arguments).code == 0
    assert (farm.folder / "one.png").read_bytes() == (farm.folder / "two.png").read_bytes()


def test_what_was_rendered_is_not_rendered_again(inside: InProcess) -> None:
    """Given a rendered picture, if it is asked for again, I expect that job's file, or another with --force."""
    arguments = ("render", "a.png", "s.png", *SMALL, "--iterations", "2", "--json")
    first = inside.run(*arguments, "-o", "one.png").document["job"]["id"]
    again = inside.run(*arguments, "-o", "two.png")
    assert again.document["job"]["id"] == first
    assert f"rendered before, by job {first}" in again.messages
    assert (inside.folder / "one.png").read_bytes() == (inside.folder / "two.png").read_bytes()
    assert inside.run(*arguments, "-o", "two.png", "--force").document["job"]["id"] != first


def test_an_output_is_not_overwritten_unasked(inside: InProcess) -> None:
    """Given a file where the output would go, I expect a refusal before any rendering, and --force to overwrite it."""
    output = inside.folder / "out.jpg"
    output.write_bytes(b"mine")
    refused = inside.run("render", "a.png", "s.png", "-o", "out.jpg", *SMALL)
    assert refused.code == 2
    assert "--force" in refused.messages
    assert output.read_bytes() == b"mine"
    assert inside.run("render", "a.png", "s.png", "-o", "out.jpg", "--force", *SMALL, "--iterations", "1").code == 0
    with Image.open(output) as image:
        assert image.format == "JPEG"


def test_a_sweep_is_created_now_and_rendered_later(inside: InProcess) -> None:
    """Given a sweep file, if it is created, and waited for by a later command, I expect every cell rendered."""
    (inside.folder / "sweep.yaml").write_text(
        f"name: try\nbase: {{style: s.png, size: 32, iterations: 3, init: noise, {SHALLOW}}}\n"
        "matrix: {content: [a.png, b.png], seed: [1, 2]}\n"
    )
    created = inside.run("sweep", "create", "sweep.yaml")
    assert created.code == 0, created.messages
    sweep_id = created.out.strip()
    before = inside.run("sweep", "show", sweep_id[:8], "--json").document
    assert before["counts"] == {"queued": 4}
    waited = inside.run("sweep", "wait", sweep_id, "--json")
    assert waited.code == 0, waited.messages
    after = waited.document
    assert (after["schema_version"], after["counts"]) == (1, {"done": 4})
    assert [job["cell"]["seed"] for job in after["jobs"]] == [1, 2, 1, 2]
    job_id = after["jobs"][0]["id"]
    shown = inside.run("job", "show", job_id, "--json").document
    assert [point["iteration"] for point in shown["losses"]] == [0, 1, 2, 3]
    assert shown["attempts"][0]["precision"] in {"fp32", "bf16"}
    downloaded = inside.run("job", "download", job_id, "-o", "cell.png")
    assert (downloaded.code, downloaded.out) == (0, "cell.png\n")
    assert "done" in inside.run("sweep", "show", sweep_id).out


@pytest.mark.parametrize(
    ("number", "last"),
    [
        (signal.SIGINT, "stylefarm: interrupted"),
        (signal.SIGTERM, "stylefarm: stopped by SIGTERM"),
        (signal.SIGHUP, "stylefarm: stopped by SIGHUP"),
    ],
)
def test_a_stopped_command_keeps_what_is_done_and_says_how_to_go_on(
    inside: InProcess, rows: Queries, number: signal.Signals, last: str
) -> None:
    """Given a sweep that is being rendered, if it is stopped, I expect its code, the rest queued, and how to go on."""
    (inside.folder / "sweep.yaml").write_text(
        f"base: {{style: s.png, content: a.png, size: 32, {SHALLOW}}}\nmatrix: {{iterations: [2, 90000]}}\n"
    )
    sweep_id = inside.run("sweep", "create", "sweep.yaml").out.strip()
    waiting = inside.start("sweep", "wait", sweep_id)
    try:
        wait_until(lambda: rows.counts(sweep_id) == {State.RUNNING: 1, State.DONE: 1}, 150)
        os.kill(waiting.pid, number)
        _, messages = waiting.communicate(timeout=120)
    finally:
        waiting.kill()
        waiting.wait()
    assert (waiting.returncode, messages.splitlines()[-1]) == (128 + number, last)
    assert f"stylefarm sweep wait {sweep_id}" in messages
    document = inside.run("sweep", "show", sweep_id, "--json").document
    assert document["counts"] == {"queued": 1, "done": 1}


# The program, interrupted in the middle of its imports.
EARLY = """\
import os, runpy, signal, sys

class Interrupt:
    def find_spec(self, name, *_):
        if name == "stylefarm.producer.cli":
            os.kill(os.getpid(), signal.SIGINT)

sys.meta_path.insert(0, Interrupt())
runpy.run_module("stylefarm", run_name="__main__")
"""


def test_an_early_ctrl_c_shows_no_traceback(farm: CommandLine) -> None:
    """Given a program that still imports its parts, if Ctrl-C comes, I expect it to end by that, without a word."""
    started = farm.start("-c", EARLY, program=(sys.executable,))
    out, messages = started.communicate(timeout=120)
    assert (started.returncode, out, messages) == (-signal.SIGINT, "", "")


# The program, interrupted at once, and again whenever it says so.
AGAIN = """\
import os, signal, sys
from stylefarm.producer import cli

later = [int(number) for number in sys.argv[1:]]

def interrupt(*_arguments, **_options):
    os.kill(os.getpid(), signal.SIGINT)

def say(sentence, say=cli._say):
    if later:
        os.kill(os.getpid(), later.pop(0))
    say(sentence)

cli.cli.main, cli._say = interrupt, say
cli.main([])
"""


@pytest.mark.parametrize(
    ("later", "code", "sentence"),
    [
        ((signal.SIGINT, signal.SIGINT), 130, "interrupted"),
        ((signal.SIGTERM,), 143, "stopped by SIGTERM"),
    ],
)
def test_a_signal_in_the_last_sentence_shows_no_traceback(
    farm: CommandLine, later: tuple[signal.Signals, ...], code: int, sentence: str
) -> None:
    """Given a program that says that it was interrupted, if signals come again, I expect the code of the first of them,
    and its sentence."""
    numbers = [str(int(number)) for number in later]
    started = farm.start("-c", AGAIN, *numbers, program=(sys.executable,))
    out, messages = started.communicate(timeout=120)
    assert (started.returncode, out, messages) == (code, "", f"stylefarm: {sentence}\n")


# The program, interrupted in code that is made when it runs, as that of dataclasses is.
WITHIN_CODE = """\
from stylefarm.producer import cli

def interrupt(*_arguments, **_options):
    exec("import os, signal; os.kill(os.getpid(), signal.SIGINT); [0 for _ in range(1000)]")

cli.cli.main = interrupt
cli.main([])
"""


def test_ctrl_c_has_one_exit_code_wherever_it_comes(farm: CommandLine) -> None:
    """Given a program by python -m, if Ctrl-C comes in code that was made by exec, I expect 130 as ever, no signal."""
    (farm.folder / "within_code.py").write_text(WITHIN_CODE)
    started = farm.start("-m", "within_code", program=(sys.executable,))
    out, messages = started.communicate(timeout=120)
    assert (started.returncode, out, messages) == (130, "", "stylefarm: interrupted\n")


def test_ctrl_c_again_leaves_the_painter_time_to_let_go(inside: InProcess, rows: Queries) -> None:
    """Given a picture that is being rendered, if Ctrl-C comes three times at once, I expect 130, and the job queued."""
    (inside.folder / "sweep.yaml").write_text(
        f"base: {{style: s.png, content: a.png, size: 512, {SHALLOW}}}\nmatrix: {{iterations: [90000]}}\n"
    )
    sweep_id = inside.run("sweep", "create", "sweep.yaml").out.strip()
    waiting = inside.start("sweep", "wait", sweep_id)
    try:
        wait_until(lambda: rows.sweep_jobs(sweep_id)[0].iteration > 0, 150)
        for _ in range(3):
            os.kill(waiting.pid, signal.SIGINT)
            time.sleep(0.05)
        _, messages = waiting.communicate(timeout=120)
    finally:
        waiting.kill()
        waiting.wait()
    assert (waiting.returncode, messages.splitlines()[-1]) == (130, "stylefarm: interrupted")
    document = inside.run("sweep", "show", sweep_id, "--json").document
    assert document["counts"] == {"queued": 1}


# The program, whose jobs are never done, so that it can be killed at one however fast the machine is.
ENDLESS = """\
import runpy, time
from stylefarm.shared.store.attempts import Attempts

Attempts.finish = lambda *_: time.sleep(3600)
runpy.run_module("stylefarm", run_name="__main__")
"""


def test_a_killed_painter_loses_no_job(inside: InProcess, rows: Queries) -> None:
    """Given a process that is killed while it renders, if another waits for the job, I expect it rendered there."""
    (inside.folder / "sweep.yaml").write_text(
        f"base: {{style: s.png, content: a.png, size: 32, {SHALLOW}}}\nmatrix: {{iterations: [20]}}\n"
    )
    sweep_id = inside.run("sweep", "create", "sweep.yaml").out.strip()
    # The lease is ten heartbeats, so that none but a killed process loses its job.
    short = {"STYLEFARM_LEASE_SECONDS": "5", "STYLEFARM_HEARTBEAT_SECONDS": "0.5"}
    impatient = CommandLine(inside.folder, {**inside.variables, **short})
    killed = impatient.start("-c", ENDLESS, "sweep", "wait", sweep_id, program=(sys.executable,))
    try:
        wait_until(lambda: rows.counts(sweep_id) == {State.RUNNING: 1}, 150)
    finally:
        os.killpg(killed.pid, signal.SIGKILL)
        killed.communicate()
    waited = inside.run("sweep", "wait", sweep_id, "--json")
    assert waited.code == 0, waited.messages
    (job,) = waited.document["jobs"]
    assert (job["state"], job["attempt"]) == ("done", 2)


def test_a_wait_may_end_before_the_work(inside: InProcess) -> None:
    """Given a long job, if it is waited for with a timeout, I expect 8; if it is cancelled, 5 from then on."""
    (inside.folder / "sweep.yaml").write_text(
        f"base: {{style: s.png, content: a.png, size: 32, {SHALLOW}}}\nmatrix: {{iterations: [50000]}}\n"
    )
    inside.run("sweep", "create", "sweep.yaml")
    sweep_id = inside.run("sweep", "create", "sweep.yaml").out.strip()
    (job,) = inside.run("sweep", "show", sweep_id, "--json").document["jobs"]
    assert inside.run("job", "wait", job["id"], "--timeout", "0.1").code == 8
    not_yet = inside.run("job", "download", job["id"])
    assert not_yet.code == 8
    assert inside.run("job", "cancel", job["id"][:8]).out == "cancelled\n"
    assert inside.run("job", "cancel", job["id"]).code == 2
    assert inside.run("job", "wait", job["id"]).code == 5
    assert inside.run("sweep", "wait", sweep_id).code == 5
    assert inside.run("job", "download", job["id"]).code == 5
