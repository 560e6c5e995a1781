"""Workers that are stopped or killed, and what becomes of their jobs; all of real processes."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import uuid
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from stylefarm.shared.db.connection import connect
from stylefarm.shared.db.states import State
from stylefarm.shared.queries.jobs import Queries
from tests.acceptance.served_farm import never_done, rendering_processes, served_farm, worker_of
from tests.programs import SHALLOW, CommandLine, InProcess
from tests.servers import RedisServer, SwiftServer
from tests.servers.processes import are_gone, wait_until
from tests.servers.variables import variables_of

if TYPE_CHECKING:
    from types_boto3_s3 import S3Client

# A worker starts in some seconds; where three test processes share two slow cores, in a minute.
SECONDS = 120

Start = Callable[..., subprocess.Popen[str]]


@pytest.fixture
def bucket() -> str:
    return f"farm-{uuid.uuid4().hex}"


@pytest.fixture
def farm(
    pictures: Path,
    redis_server: RedisServer,
    postgres_url: str,
    swift_server: SwiftServer,
    bucket: str,
    request: pytest.FixtureRequest,
) -> InProcess:
    """The program, told of servers of the test's own."""
    return InProcess.of(served_farm(pictures, variables_of(redis_server, postgres_url, swift_server, bucket)), request)


@pytest.fixture
def rows(postgres_url: str) -> Iterator[Queries]:
    """What is in the farm's database."""
    queries = Queries(connect(postgres_url))
    yield queries
    queries.engine.dispose()


@pytest.fixture
def start(farm: InProcess) -> Iterator[Start]:
    """Start a worker with options and variables of its own."""
    with contextlib.ExitStack() as until_the_end:

        def start(*options: str, **variables: str) -> subprocess.Popen[str]:
            program = CommandLine(farm.folder, {**farm.variables, **variables})
            return until_the_end.enter_context(worker_of(program, *options))

        yield start


@pytest.fixture
def worker(start: Start) -> subprocess.Popen[str]:
    """A worker process."""
    return start("--name", "test")


def test_a_running_job_is_cancelled_and_a_stopped_worker_finishes_its_own(
    farm: InProcess, worker: subprocess.Popen[str], rows: Queries
) -> None:
    """Given a worker at a long job, if the job is cancelled, I expect it to stop soon and the next to be taken.

    And if the worker is stopped then, I expect it to finish the job that it has.
    """
    (farm.folder / "sweep.yaml").write_text(
        f"base: {{content: a.png, style: s.png, size: 32, {SHALLOW}}}\nmatrix: {{iterations: [90000, 2]}}\n"
    )
    created = farm.run("sweep", "create", "sweep.yaml", "--json").document
    long, short = (job["id"] for job in created["jobs"])
    wait_until(lambda: rows.job(long).state == State.RUNNING, SECONDS)
    # A worker that has just stored loss points has heard of it before the command looks again.
    assert farm.run("job", "cancel", long).out in {"asked to stop\n", "cancelled\n"}
    assert farm.run("job", "wait", short, "--timeout", str(SECONDS)).code == 0
    assert farm.run("job", "wait", long, "--timeout", str(SECONDS)).code == 5
    # A worker at a job that gets SIGTERM finishes that job, ends with 0, and logs in JSON.
    (farm.folder / "sweep.yaml").write_text(
        f"base: {{content: a.png, style: s.png, size: 32, {SHALLOW}}}\nmatrix: {{iterations: [300]}}\n"
    )
    created = farm.run("sweep", "create", "sweep.yaml", "--json").document
    (job,) = (job["id"] for job in created["jobs"])
    wait_until(lambda: rows.job(job).state != State.QUEUED, SECONDS)
    os.kill(worker.pid, signal.SIGTERM)
    _, log = worker.communicate(timeout=SECONDS)
    assert worker.returncode == 0
    assert farm.run("job", "wait", job, "--timeout", "1").code == 0
    assert f'"job": "{job}"' in log


def test_a_stopped_worker_lets_a_long_job_go(farm: InProcess, start: Start, rows: Queries) -> None:
    """Given a worker at a long job, if it is stopped, I expect it to end in time, and the job stored and queued."""
    (farm.folder / "sweep.yaml").write_text(
        f"base: {{content: a.png, style: s.png, size: 32, {SHALLOW}}}\nmatrix: {{iterations: [90000]}}\n"
    )
    (job,) = farm.run("sweep", "create", "sweep.yaml", "--json").document["jobs"]
    second = start("--grace", "12")
    wait_until(lambda: rows.job(job["id"]).iteration > 0, SECONDS)
    second.send_signal(signal.SIGTERM)
    second.communicate(timeout=SECONDS)
    assert second.returncode == 0
    left = rows.job(job["id"])
    assert (left.state, left.attempt) == (State.QUEUED, 1)
    assert left.checkpoint is not None
    assert left.checkpoint.iteration >= left.iteration > 0
    assert rows.events(job["id"])[-1].reason == "its worker was stopped"


def test_a_killed_worker_loses_no_job(farm: InProcess, start: Start, rows: Queries) -> None:
    """Given a worker that is killed at a job, I expect what it has started to end at once.

    And if another one runs, I expect whoever waits to have the job rendered.
    """
    (farm.folder / "sweep.yaml").write_text(
        f"base: {{content: a.png, style: s.png, size: 32, {SHALLOW}}}\nmatrix: {{iterations: [20]}}\n"
    )
    (job,) = farm.run("sweep", "create", "sweep.yaml", "--json").document["jobs"]
    # Ten heartbeats, so that none but a killed worker loses its job; the second one is not to lose it at all.
    with never_done(job["id"], rows.engine):
        first = start(STYLEFARM_LEASE_SECONDS="5")
        wait_until(lambda: rows.job(job["id"]).state == State.RUNNING, SECONDS)
        processes = rendering_processes(first)
        first.kill()
        wait_until(lambda: are_gone(processes), SECONDS)
    start()
    waited = farm.run("job", "wait", job["id"], "--timeout", str(SECONDS), "--json")
    assert waited.code == 0, waited.messages
    assert [attempt["outcome"] for attempt in waited.document["attempts"]] == ["expired", "done"]


def test_a_killed_job_goes_on_from_its_checkpoint(
    farm: InProcess, start: Start, rows: Queries, swift_server: SwiftServer, bucket: str
) -> None:
    """Given a job whose process is killed, I expect it to go on from its checkpoint, as if nothing had happened.

    That is: the file of a job of the same spec that ran through, a curve without gap or double, no checkpoint left.
    """
    (farm.folder / "sweep.yaml").write_text(
        f"base: {{content: a.png, style: s.png, size: 32, snapshot_every: 100, {SHALLOW}}}\n"
        "matrix: {iterations: [500]}\n"
    )
    (job,) = farm.run("sweep", "create", "sweep.yaml", "--json").document["jobs"]
    with never_done(job["id"], rows.engine):
        worker = start(STYLEFARM_CHECKPOINT_SECONDS="0.1")
        wait_until(lambda: rows.job(job["id"]).checkpoint is not None, SECONDS)
        os.kill(rendering_processes(worker)[1], signal.SIGKILL)
    waited = farm.run("job", "wait", job["id"], "--timeout", str(SECONDS), "--json")
    (whole,) = farm.run("sweep", "create", "sweep.yaml", "--force", "--json").document["jobs"]
    assert farm.run("job", "wait", whole["id"], "--timeout", str(SECONDS)).code == 0
    shown = farm.run("job", "show", job["id"], "--json").document
    begun = f"jobs/{job['id']}/1/checkpoint-"
    resumed = f"{begun}{shown['attempts'][1]['resumed']['iteration']}.safetensors"
    with contextlib.closing(swift_server.client()) as client:
        # Deleted once the job is done: whoever waits for the job may be told before. What the killed process has
        # stored and not named is left to the sweep of orphans.
        wait_until(
            lambda: (
                not [
                    key
                    for key in _checkpoints(client, bucket, job["id"], whole["id"])
                    if key == resumed or not key.startswith(begun)
                ]
            ),
            SECONDS,
        )
    assert waited.code == 0, waited.messages
    assert [attempt["outcome"] for attempt in shown["attempts"]] == ["died", "done"]
    assert shown["attempts"][1]["resumed"]["iteration"] > 0
    assert [point["iteration"] for point in shown["losses"]] == list(range(501))
    assert len(shown["snapshots"]) == 4
    assert shown["losses"] == farm.run("job", "show", whole["id"], "--json").document["losses"]
    files = [farm.folder / f"{name}.png" for name in ("resumed", "whole")]
    for file, rendered in zip(files, (job, whole), strict=True):
        assert farm.run("job", "download", rendered["id"], "-o", file.name).code == 0
    assert files[0].read_bytes() == files[1].read_bytes()


def _checkpoints(client: S3Client, bucket: str, *jobs: str) -> list[str]:
    listed = [client.list_objects_v2(Bucket=bucket, Prefix=f"jobs/{job}/") for job in jobs]
    return [entry["Key"] for each in listed for entry in each["Contents"] if "checkpoint" in entry["Key"]]


def test_a_poison_job_is_quarantined_and_the_worker_renders_on(
    farm: InProcess, worker: subprocess.Popen[str], rows: Queries
) -> None:
    """Given a job whose process is killed three times, I expect it quarantined, each time without the lease's wait.

    If the worker is drained and unbenched then, I expect its process to end, and another one to render. And if the
    slot's process is killed, I expect what is below it to go too, and new ones that render.
    """
    (farm.folder / "sweep.yaml").write_text(
        f"base: {{content: a.png, style: s.png, size: 32, {SHALLOW}}}\nmatrix: {{iterations: [90000]}}\n"
    )
    created = farm.run("sweep", "create", "sweep.yaml", "--json").document
    (job,) = (job["id"] for job in created["jobs"])
    for attempt in (1, 2, 3):
        wait_until(partial(is_at, rows, job, attempt), SECONDS)
        os.kill(rendering_processes(worker)[1], signal.SIGKILL)
    wait_until(lambda: rows.counts(created["sweep"]["id"]) == {State.FAILED: 1}, SECONDS)
    shown = farm.run("job", "show", job, "--json").document
    assert [attempt["outcome"] for attempt in shown["attempts"]] == ["died"] * 3
    assert shown["job"]["error"].startswith("quarantined: it has killed the process that rendered it 3 times")

    (listed,) = farm.run("worker", "list", "--json").document["workers"]
    assert (listed["state"], listed["device"]) == ("active", "cpu")
    before = rendering_processes(worker)
    assert farm.run("worker", "drain", listed["name"]).code == 0
    wait_until(lambda: are_gone(before), SECONDS)
    assert farm.run("worker", "unbench", listed["name"], "--json").document["workers"][0]["state"] == "active"
    check_it_renders(farm)

    before = rendering_processes(worker)
    os.kill(before[0], signal.SIGKILL)
    wait_until(lambda: are_gone(before), SECONDS)
    check_it_renders(farm)
    assert not {*before} & {*rendering_processes(worker)}


def is_at(rows: Queries, job_id: str, attempt: int) -> bool:
    """Whether a job runs, as its attempt of that number."""
    job = rows.job(job_id)
    return (job.state, job.attempt) == (State.RUNNING, attempt)


def check_it_renders(farm: InProcess) -> None:
    """Have a small job rendered."""
    (farm.folder / "sweep.yaml").write_text(
        f"base: {{content: a.png, style: s.png, size: 32, {SHALLOW}}}\nmatrix: {{iterations: [2]}}\n"
    )
    (job,) = farm.run("sweep", "create", "sweep.yaml", "--force", "--json").document["jobs"]
    assert farm.run("job", "wait", job["id"], "--timeout", str(SECONDS)).code == 0
