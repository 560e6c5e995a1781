"""The whole farm as it is run for real: Redis, PostgreSQL, S3, a worker process, and the command line."""

from __future__ import annotations

import contextlib
import io
import os
import signal
import subprocess
import sys
import uuid
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from PIL import Image
from redis import Redis

from stylefarm.shared.db.connection import connect
from stylefarm.shared.db.states import State
from stylefarm.shared.queries.jobs import Queries
from tests.acceptance.served_farm import rendering_processes, served_farm
from tests.programs import SHALLOW, SHALLOW_OPTIONS, CommandLine
from tests.servers import RedisServer, SwiftServer
from tests.servers.processes import are_gone, wait_until
from tests.servers.variables import variables_of
from tests.weights_files import squeezenet_state, write_torch

if TYPE_CHECKING:
    from types_boto3_s3 import S3Client


@pytest.fixture
def bucket() -> str:
    return f"farm-{uuid.uuid4().hex}"


@pytest.fixture
def farm(
    pictures: Path, redis_server: RedisServer, empty_postgres_url: str, swift_server: SwiftServer, bucket: str
) -> CommandLine:
    """The program, told of servers of the test's own; its database is not migrated yet."""
    return served_farm(pictures, variables_of(redis_server, empty_postgres_url, swift_server, bucket))


@pytest.fixture
def rows(empty_postgres_url: str) -> Iterator[Queries]:
    """What is in the farm's database, for who asks again and again: a command takes a second to begin."""
    queries = Queries(connect(empty_postgres_url))
    yield queries
    queries.engine.dispose()


@pytest.fixture
def migrated(farm: CommandLine) -> CommandLine:
    """The program, its database migrated."""
    upgraded = farm.run("db", "upgrade")
    assert upgraded.code == 0, upgraded.messages
    return farm


@pytest.fixture
def worker(migrated: CommandLine) -> Iterator[subprocess.Popen[str]]:
    """A worker process on a migrated farm."""
    process = migrated.start("worker", "start", "--name", "test")
    yield process
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGKILL)
    process.communicate()


def test_a_sweep_goes_through_the_whole_farm(
    farm: CommandLine, worker: subprocess.Popen[str], swift_server: SwiftServer, bucket: str
) -> None:
    """Given a farm on servers and a worker, if a 2 x 2 sweep is submitted and waited for, I expect all of it there.

    That is: four pictures, their snapshots in the bucket, loss curves that fall, and rows that tell how it went.
    """
    (farm.folder / "sweep.yaml").write_text(
        "name: acceptance\nbase: {size: 32, iterations: 12, snapshot_every: 5}\n"
        "matrix: {content: [a.png, b.png], style: [s.png, t.png]}\n"
    )
    created = farm.run("sweep", "create", "sweep.yaml", "--json")
    assert created.code == 0, created.messages
    sweep_id = created.document["sweep"]["id"]
    unserved = farm.run("sweep", "create", "sweep.yaml", "--force", "--name", "unserved", "--device", "gpu")
    assert "no worker takes jobs for device gpu now: they wait until one is started" in unserved.messages

    waited = farm.run("sweep", "wait", sweep_id, "--timeout", "120", "--json")
    assert waited.code == 0, waited.messages
    assert waited.document["counts"] == {"done": 4}
    inspected = subprocess.run(
        [sys.executable, "-m", "celery", "-A", "stylefarm", "inspect", "active_queues", "--json", "--timeout", "3"],
        cwd=farm.folder,
        env=farm.environment,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert '"name": "stylefarm.auto' in inspected.stdout, inspected.stderr

    with contextlib.closing(swift_server.client()) as client:
        listed = client.list_objects_v2(Bucket=bucket, Prefix="jobs/")
        inputs = client.list_objects_v2(Bucket=bucket, Prefix="inputs/")
        heads = [client.head_object(Bucket=bucket, Key=entry["Key"]) for entry in inputs["Contents"]]
    assert {head["ContentType"] for head in heads} == {"image/png"}
    keys = {entry["Key"] for entry in listed["Contents"]}
    pictures = []
    for number, job in enumerate(waited.document["jobs"]):
        shown = farm.run("job", "show", job["id"], "--json").document
        totals = [point["total"] for point in shown["losses"]]
        assert [point["iteration"] for point in shown["losses"]] == list(range(13))
        assert totals[-1] < totals[0]
        assert shown["snapshots"] == [f"jobs/{job['id']}/1/snapshots/{n:06d}.png" for n in (5, 10)]
        assert {*shown["snapshots"], job["result_key"]} <= keys
        assert [event["state"] for event in shown["events"]] == ["queued", "running", "done"]
        assert shown["attempts"][0]["outcome"] == "done"
        downloaded = farm.run("job", "download", job["id"], "-o", f"{number}.png")
        assert downloaded.code == 0, downloaded.messages
        pictures.append((farm.folder / f"{number}.png").read_bytes())
    assert len(keys) == 4 * 3
    assert len(set(pictures)) == 4
    assert all(Image.open(io.BytesIO(data)).size == (32, 24) for data in pictures)


def test_a_running_job_is_cancelled_and_a_stopped_worker_finishes_its_own(
    farm: CommandLine, worker: subprocess.Popen[str], rows: Queries
) -> None:
    """Given a worker at a long job, if the job is cancelled, I expect it to stop soon and the next to be taken.

    And if the worker is stopped then, I expect it to finish the job that it has.
    """
    (farm.folder / "sweep.yaml").write_text(
        f"base: {{content: a.png, style: s.png, size: 32, {SHALLOW}}}\nmatrix: {{iterations: [90000, 2]}}\n"
    )
    created = farm.run("sweep", "create", "sweep.yaml", "--json").document
    long, short = (job["id"] for job in created["jobs"])
    wait_until(lambda: rows.job(long).state == State.RUNNING, 60)
    # A worker that has just stored loss points has heard of it before the command looks again.
    assert farm.run("job", "cancel", long).out in {"asked to stop\n", "cancelled\n"}
    assert farm.run("job", "wait", short, "--timeout", "60").code == 0
    assert farm.run("job", "wait", long, "--timeout", "10").code == 5
    # A worker at a job that gets SIGTERM finishes that job, ends with 0, and logs in JSON.
    (farm.folder / "sweep.yaml").write_text(
        f"base: {{content: a.png, style: s.png, size: 32, {SHALLOW}}}\nmatrix: {{iterations: [300]}}\n"
    )
    created = farm.run("sweep", "create", "sweep.yaml", "--json").document
    (job,) = (job["id"] for job in created["jobs"])
    wait_until(lambda: rows.job(job).state != State.QUEUED, 60)
    os.kill(worker.pid, signal.SIGTERM)
    _, log = worker.communicate(timeout=60)
    assert worker.returncode == 0
    assert farm.run("job", "wait", job, "--timeout", "1").code == 0
    assert f'"job": "{job}"' in log


def test_a_stopped_worker_lets_a_long_job_go(migrated: CommandLine, rows: Queries) -> None:
    """Given a worker at a long job, if it is stopped, I expect it to end in time, and the job stored and queued."""
    farm = migrated
    (farm.folder / "sweep.yaml").write_text(
        f"base: {{content: a.png, style: s.png, size: 32, {SHALLOW}}}\nmatrix: {{iterations: [90000]}}\n"
    )
    (job,) = farm.run("sweep", "create", "sweep.yaml", "--json").document["jobs"]
    second = farm.start("worker", "start", "--grace", "20")
    wait_until(lambda: rows.job(job["id"]).iteration > 0, 60)
    second.send_signal(signal.SIGTERM)
    second.communicate(timeout=30)
    assert second.returncode == 0
    left = rows.job(job["id"])
    assert (left.state, left.attempt) == (State.QUEUED, 1)
    assert left.checkpoint is not None
    assert left.checkpoint.iteration >= left.iteration > 0
    assert rows.events(job["id"])[-1].reason == "its worker was stopped"


def test_a_killed_worker_loses_no_job(migrated: CommandLine, rows: Queries) -> None:
    """Given a worker that is killed at a job, if another one runs, I expect whoever waits to have the job rendered."""
    farm = migrated
    impatient = CommandLine(farm.folder, {**farm.variables, "STYLEFARM_LEASE_SECONDS": "3"})
    first = impatient.start("worker", "start")
    (farm.folder / "sweep.yaml").write_text(
        f"base: {{content: a.png, style: s.png, size: 32, {SHALLOW}}}\nmatrix: {{iterations: [500]}}\n"
    )
    (job,) = farm.run("sweep", "create", "sweep.yaml", "--json").document["jobs"]
    wait_until(lambda: rows.job(job["id"]).state == State.RUNNING, 60)
    os.killpg(first.pid, signal.SIGKILL)
    first.communicate()
    second = impatient.start("worker", "start")
    try:
        waited = farm.run("job", "wait", job["id"], "--timeout", "90", "--json")
    finally:
        os.killpg(second.pid, signal.SIGKILL)
        second.communicate()
    assert waited.code == 0, waited.messages
    assert [attempt["outcome"] for attempt in waited.document["attempts"]] == ["expired", "done"]


def test_a_killed_job_goes_on_from_its_checkpoint(
    migrated: CommandLine, rows: Queries, swift_server: SwiftServer, bucket: str
) -> None:
    """Given a job whose process is killed, I expect it to go on from its checkpoint, as if nothing had happened.

    That is: the file of a job of the same spec that ran through, a curve without gap or double, no checkpoint left.
    """
    farm = migrated
    careful = CommandLine(farm.folder, {**farm.variables, "STYLEFARM_CHECKPOINT_SECONDS": "0.5"})
    (farm.folder / "sweep.yaml").write_text(
        f"base: {{content: a.png, style: s.png, size: 32, snapshot_every: 100, {SHALLOW}}}\n"
        "matrix: {iterations: [500]}\n"
    )
    (job,) = farm.run("sweep", "create", "sweep.yaml", "--json").document["jobs"]
    second = careful.start("worker", "start")
    try:
        wait_until(lambda: rows.job(job["id"]).checkpoint is not None, 60)
        os.kill(rendering_processes(second)[1], signal.SIGKILL)
        waited = farm.run("job", "wait", job["id"], "--timeout", "90", "--json")
        (whole,) = farm.run("sweep", "create", "sweep.yaml", "--json").document["jobs"]
        assert farm.run("job", "wait", whole["id"], "--timeout", "90").code == 0
        with contextlib.closing(swift_server.client()) as client:
            # Deleted once the job is done: whoever waits for the job may be told before.
            wait_until(lambda: not _checkpoints(client, bucket, job["id"], whole["id"]), 30)
    finally:
        os.killpg(second.pid, signal.SIGKILL)
        second.communicate()
    assert waited.code == 0, waited.messages
    shown = farm.run("job", "show", job["id"], "--json").document
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


def test_a_poison_job_is_quarantined_and_the_worker_drained(
    farm: CommandLine, worker: subprocess.Popen[str], rows: Queries
) -> None:
    """Given a job whose process is killed three times, I expect it quarantined, each time without the lease's wait.

    And if the worker is drained and unbenched after that, I expect its process to end, and another one to render.
    """
    (farm.folder / "sweep.yaml").write_text(
        f"base: {{content: a.png, style: s.png, size: 32, {SHALLOW}}}\nmatrix: {{iterations: [90000]}}\n"
    )
    created = farm.run("sweep", "create", "sweep.yaml", "--json").document
    (job,) = (job["id"] for job in created["jobs"])
    for attempt in (1, 2, 3):
        wait_until(partial(is_at, rows, job, attempt), 60)
        os.kill(rendering_processes(worker)[1], signal.SIGKILL)
    wait_until(lambda: rows.counts(created["sweep"]["id"]) == {State.FAILED: 1}, 60)
    shown = farm.run("job", "show", job, "--json").document
    assert [attempt["outcome"] for attempt in shown["attempts"]] == ["died"] * 3
    assert shown["job"]["error"].startswith("quarantined: it has killed the process that rendered it 3 times")

    (listed,) = farm.run("worker", "list", "--json").document["workers"]
    assert (listed["state"], listed["device"]) == ("active", "cpu")
    before = rendering_processes(worker)
    assert farm.run("worker", "drain", listed["name"]).code == 0
    wait_until(lambda: are_gone(before), 30)
    assert farm.run("worker", "unbench", listed["name"], "--json").document["workers"][0]["state"] == "active"
    check_it_renders(farm)


def test_a_sweep_is_steered_while_it_runs(farm: CommandLine, worker: subprocess.Popen[str], rows: Queries) -> None:
    """Given a sweep with a running and a queued job, if it is steered, I expect both to follow, and few words.

    And if a job is to be rendered after another one, I expect both rendered, in their order.
    """
    (farm.folder / "sweep.yaml").write_text(
        f"base: {{content: a.png, style: s.png, size: 32, {SHALLOW}}}\nmatrix: {{iterations: [90000, 80000]}}\n"
    )
    created = farm.run("sweep", "create", "sweep.yaml", "--priority", "3", "--json").document
    sweep = created["sweep"]["id"]
    wait_until(lambda: rows.counts(sweep) == {State.RUNNING: 1, State.QUEUED: 1}, 60)
    assert farm.run("sweep", "pause", sweep).out == "2 jobs paused or asked to\n"
    wait_until(lambda: rows.counts(sweep) == {State.PAUSED: 2}, 10)
    assert farm.run("sweep", "reprioritize", sweep, "7").out == "2 jobs now have priority 7\n"
    # The other one first, by its priority.
    last = created["jobs"][1]["id"]
    assert farm.run("job", "reprioritize", last, "9").out == "paused, priority 9\n"
    assert farm.run("sweep", "resume", sweep, "--json").document["jobs"] == 2
    wait_until(lambda: rows.counts(sweep) == {State.RUNNING: 1, State.QUEUED: 1}, 20)
    assert farm.run("job", "retry", last).code == 2
    assert farm.run("sweep", "cancel", sweep).out == "2 jobs cancelled or asked to stop\n"
    wait_until(lambda: rows.counts(sweep) == {State.CANCELLED: 2}, 10)
    assert farm.run("sweep", "retry", sweep, "--failed").out == "0 jobs will be retried\n"
    # A job that is to be rendered after another one waits for it.
    common = ("--size", "32", "--iterations", "3", *SHALLOW_OPTIONS, "--style-loss", "gram")
    (farm.folder / "sweep.yaml").write_text(
        f"base: {{content: a.png, style: s.png, size: 32, {SHALLOW}}}\nmatrix: {{iterations: [300]}}\nmax_running: 1\n"
    )
    (first,) = farm.run("sweep", "create", "sweep.yaml", "--json").document["jobs"]
    second = farm.run("render", "b.png", "t.png", "-o", "out.png", "--after", first["id"][:8], *common, "--json")
    assert second.code == 0, second.messages
    done = farm.run("job", "show", first["id"], "--json").document["job"]
    assert done["state"] == "done"
    assert done["finished_at"] <= second.document["job"]["started_at"]


def is_at(rows: Queries, job_id: str, attempt: int) -> bool:
    """Whether a job runs, as its attempt of that number."""
    job = rows.job(job_id)
    return (job.state, job.attempt) == (State.RUNNING, attempt)


def test_an_emptied_redis_loses_no_job(
    farm: CommandLine, worker: subprocess.Popen[str], rows: Queries, redis_server: RedisServer
) -> None:
    """Given a worker and queued jobs, if Redis is emptied, I expect all of them rendered, with nobody waiting."""
    (farm.folder / "sweep.yaml").write_text(
        f"base: {{content: a.png, style: s.png, size: 32, {SHALLOW}}}\nmatrix: {{iterations: [40, 41, 42, 43]}}\n"
    )
    created = farm.run("sweep", "create", "sweep.yaml", "--json").document
    with Redis.from_url(redis_server.url) as client:
        client.flushall()
    wait_until(lambda: rows.counts(created["sweep"]["id"]) == {State.DONE: 4}, 60)


def check_it_renders(farm: CommandLine) -> None:
    """Have a small job rendered."""
    (farm.folder / "sweep.yaml").write_text(
        f"base: {{content: a.png, style: s.png, size: 32, {SHALLOW}}}\nmatrix: {{iterations: [2]}}\n"
    )
    (job,) = farm.run("sweep", "create", "sweep.yaml", "--force", "--json").document["jobs"]
    assert farm.run("job", "wait", job["id"], "--timeout", "60").code == 0


@pytest.mark.parametrize("killed", [0, 1], ids=["slot", "renderer"])
def test_a_killed_process_is_replaced(farm: CommandLine, worker: subprocess.Popen[str], killed: int) -> None:
    """Given a worker, if a process below it is killed, I expect all below that to go too, and new ones that render."""
    check_it_renders(farm)
    before = rendering_processes(worker)
    os.kill(before[killed], signal.SIGKILL)
    wait_until(lambda: are_gone(before[killed:]), 10)
    check_it_renders(farm)
    assert {*before} & {*rendering_processes(worker)} == {*before[:killed]}


def test_nothing_renders_on_below_a_killed_worker(
    farm: CommandLine, worker: subprocess.Popen[str], rows: Queries
) -> None:
    """Given a worker at a long job, if it alone is killed, I expect what it has started to end at once."""
    (farm.folder / "sweep.yaml").write_text(
        f"base: {{content: a.png, style: s.png, size: 32, {SHALLOW}}}\nmatrix: {{iterations: [90000]}}\n"
    )
    (job,) = farm.run("sweep", "create", "sweep.yaml", "--json").document["jobs"]
    wait_until(lambda: rows.job(job["id"]).state == State.RUNNING, 60)
    processes = rendering_processes(worker)
    worker.kill()
    wait_until(lambda: are_gone(processes), 5)


def test_the_same_program_works_from_python(farm: CommandLine, worker: subprocess.Popen[str]) -> None:
    """Given a farm on servers, if a Python program uses it, I expect the same API as embedded."""
    script = farm.folder / "script.py"
    script.write_text(
        "from stylefarm import Farm\n"
        "with Farm() as farm:\n"
        "    job = farm.submit(content='a.png', style='s.png', size=32, iterations=4, snapshot_every=2)\n"
        "    result = job.result(timeout=60)\n"
        "    assert job.status().state == 'done' and len(job.losses()) == 5\n"
        "    assert [snapshot.iteration for snapshot in job.snapshots()] == [2]\n"
        "    print(result.save('from-python.png'), result.image.size)\n"
    )
    ended = subprocess.run(
        [sys.executable, str(script)], cwd=farm.folder, env=farm.environment, capture_output=True, text=True, timeout=90
    )
    assert ended.stdout == "from-python.png (32, 24)\n", ended.stderr


def test_squeezenet_gives_one_picture_on_servers_and_without(farm: CommandLine, worker: subprocess.Popen[str]) -> None:
    """Given one spec with SqueezeNet, if a farm on servers and an embedded one render it, I expect the same bytes."""
    write_torch(farm.folder / "squeezenet.pth", squeezenet_state())
    asked = ("render", "a.png", "s.png", "--weights", "squeezenet.pth", "--size", "64", "--iterations", "6")
    embedded = CommandLine(farm.folder, {"STYLEFARM_HOME": str(farm.folder / "embedded"), "STYLEFARM_THREADS": "1"})
    found = []
    for place, output in ((farm, "servers.png"), (embedded, "embedded.png")):
        ended = place.run(*asked, "--precision", "fp32", "-o", output)
        assert ended.code == 0, ended.messages
        assert "features: pretrained squeezenet with the weights squeezenet.pth" in ended.messages
        found.append((farm.folder / output).read_bytes())
    assert found[0] == found[1]
