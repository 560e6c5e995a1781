"""The whole farm as it is run for real: Redis, PostgreSQL, S3, a worker process, and the command line."""

from __future__ import annotations

import contextlib
import io
import os
import signal
import socket
import subprocess
import sys
import uuid
from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from PIL import Image
from redis import Redis

from stylefarm.shared.db.connection import connect
from stylefarm.shared.db.states import State
from stylefarm.shared.queries.jobs import Queries
from tests.acceptance.served_farm import served_farm
from tests.conftest import write_pictures
from tests.programs import SHALLOW, SHALLOW_OPTIONS, CommandLine, InProcess
from tests.servers import PostgresServer, RedisServer, SwiftServer
from tests.servers.processes import wait_until
from tests.servers.variables import variables_of
from tests.weights_files import squeezenet_state, write_torch


@dataclass(frozen=True)
class ServedFarm:
    """The program, told of servers of this module's own, and where they keep what it stores."""

    program: CommandLine
    database: str
    bucket: str


@pytest.fixture(scope="module")
def served(
    tmp_path_factory: pytest.TempPathFactory,
    redis_server: RedisServer,
    postgres_server: PostgresServer,
    swift_server: SwiftServer,
) -> Iterator[ServedFarm]:
    """A farm for all tests of this module; its database is migrated."""
    folder, name = tmp_path_factory.mktemp("served") / "pictures", f"farm_{uuid.uuid4().hex}"
    folder.mkdir()
    write_pictures(folder)
    url = postgres_server.create_database(name)
    program = served_farm(folder, variables_of(redis_server, url, swift_server, name.replace("_", "-")))
    upgraded = program.run("db", "upgrade")
    assert upgraded.code == 0, upgraded.messages
    yield ServedFarm(program, url, name.replace("_", "-"))
    # Hints of jobs that no worker takes.
    with Redis.from_url(redis_server.url) as client:
        client.flushall()


@pytest.fixture(scope="module")
def worker(served: ServedFarm) -> Iterator[subprocess.Popen[str]]:
    """Its worker, a process."""
    process = served.program.start("worker", "start", "--name", "test")
    yield process
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()


@pytest.fixture
def farm(served: ServedFarm, request: pytest.FixtureRequest) -> InProcess:
    """Its commands without processes of their own."""
    return InProcess.of(served.program, request)


@pytest.fixture
def rows(served: ServedFarm) -> Iterator[Queries]:
    """What is in its database."""
    queries = Queries(connect(served.database))
    yield queries
    queries.engine.dispose()


def test_a_sweep_goes_through_the_whole_farm(
    served: ServedFarm, farm: InProcess, worker: subprocess.Popen[str], swift_server: SwiftServer
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

    waited = served.program.run("sweep", "wait", sweep_id, "--timeout", "120", "--json")
    assert waited.code == 0, waited.messages
    assert waited.document["counts"] == {"done": 4}
    # Of one that is named, the answer is all that is waited for.
    named = ("--destination", f"test-cpu0@{socket.gethostname()}", "--timeout", "60")
    inspected = subprocess.run(
        [sys.executable, "-m", "celery", "-A", "stylefarm", "inspect", *named, "active_queues", "--json"],
        cwd=farm.folder,
        env=farm.environment,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert '"name": "stylefarm.auto' in inspected.stdout, inspected.stderr

    with contextlib.closing(swift_server.client()) as client:
        jobs = [f"jobs/{job['id']}/" for job in waited.document["jobs"]]
        listed = [client.list_objects_v2(Bucket=served.bucket, Prefix=prefix)["Contents"] for prefix in jobs]
        inputs = client.list_objects_v2(Bucket=served.bucket, Prefix="inputs/")
        heads = [client.head_object(Bucket=served.bucket, Key=entry["Key"]) for entry in inputs["Contents"]]
    assert {head["ContentType"] for head in heads} == {"image/png"}
    keys = {entry["Key"] for entries in listed for entry in entries}
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


def test_a_sweep_is_managed_while_it_runs(farm: InProcess, worker: subprocess.Popen[str], rows: Queries) -> None:
    """Given a sweep with a running and a queued job, if it is paused, resumed or cancelled, I expect both to follow.

    And if a job is to be rendered after another one, I expect both rendered, in their order.
    """
    (farm.folder / "sweep.yaml").write_text(
        f"base: {{content: a.png, style: s.png, size: 32, {SHALLOW}}}\nmatrix: {{iterations: [90000, 80000]}}\n"
    )
    created = farm.run("sweep", "create", "sweep.yaml", "--priority", "3", "--json").document
    sweep = created["sweep"]["id"]
    wait_until(lambda: rows.counts(sweep) == {State.RUNNING: 1, State.QUEUED: 1}, 60)
    assert farm.run("sweep", "pause", sweep).out == "2 jobs paused or asked to\n"
    wait_until(lambda: rows.counts(sweep) == {State.PAUSED: 2}, 60)
    assert farm.run("sweep", "reprioritize", sweep, "7").out == "2 jobs now have priority 7\n"
    # The other one first, by its priority.
    last = created["jobs"][1]["id"]
    assert farm.run("job", "reprioritize", last, "9").out == "paused, priority 9\n"
    assert farm.run("sweep", "resume", sweep, "--json").document["jobs"] == 2
    wait_until(lambda: rows.counts(sweep) == {State.RUNNING: 1, State.QUEUED: 1}, 60)
    assert farm.run("job", "retry", last).code == 2
    assert farm.run("sweep", "cancel", sweep).out == "2 jobs cancelled or asked to stop\n"
    wait_until(lambda: rows.counts(sweep) == {State.CANCELLED: 2}, 60)
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


def test_an_emptied_redis_loses_no_job(
    farm: InProcess, worker: subprocess.Popen[str], rows: Queries, redis_server: RedisServer
) -> None:
    """Given a worker and queued jobs, if Redis is emptied, I expect all of them rendered, with nobody waiting."""
    (farm.folder / "sweep.yaml").write_text(
        f"base: {{content: a.png, style: s.png, size: 32, {SHALLOW}}}\nmatrix: {{iterations: [40, 41, 42, 43]}}\n"
    )
    created = farm.run("sweep", "create", "sweep.yaml", "--json").document
    with Redis.from_url(redis_server.url) as client:
        client.flushall()
    wait_until(lambda: rows.counts(created["sweep"]["id"]) == {State.DONE: 4}, 60)


def test_the_same_program_works_from_python(farm: InProcess, worker: subprocess.Popen[str]) -> None:
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


def test_squeezenet_gives_one_picture_on_servers_and_without(farm: InProcess, worker: subprocess.Popen[str]) -> None:
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
