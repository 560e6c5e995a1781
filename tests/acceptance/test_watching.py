"""A worker as it is watched: its metrics, its health, its log, and Celery's own events; all of real processes."""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import subprocess
import threading
import urllib.error
import urllib.request
import uuid
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import psutil
import pytest
from celery import Celery
from prometheus_client.parser import text_string_to_metric_families
from redis import Redis

from stylefarm.shared.queue.app import application
from stylefarm.shared.queue.hints import key_of
from stylefarm.shared.queue.messages import envelope, write_hint
from tests.programs import PROGRAM, SHALLOW, CommandLine, InProcess
from tests.servers import PostgresServer, RedisServer, SwiftServer
from tests.servers.processes import free_ports, wait_until
from tests.servers.variables import variables_of

SECONDS = 90
SLOT = "test-cpu0"

Samples = dict[tuple[str, frozenset[str]], float]
Start = Callable[..., subprocess.Popen[str]]


@pytest.fixture
def port() -> int:
    return free_ports(1)[0]


@pytest.fixture
def farm(
    pictures: Path,
    redis_server: RedisServer,
    postgres_url: str,
    swift_server: SwiftServer,
    port: int,
    request: pytest.FixtureRequest,
) -> InProcess:
    """The program on servers; its worker has a port, and keeps what is temporary in a folder of the test's."""
    # Hints of other tests' jobs.
    with Redis.from_url(redis_server.url) as client:
        client.flushall()
    (pictures / "temporary").mkdir()
    program = CommandLine(
        pictures,
        {
            **variables_of(redis_server, postgres_url, swift_server, f"watch-{uuid.uuid4().hex}"),
            "STYLEFARM_HOME": str(pictures.parent / "home"),
            "STYLEFARM_LOG_FORMAT": "json",
            "STYLEFARM_METRICS_PORT": str(port),
            "STYLEFARM_METRICS_HOST": "127.0.0.1",
            "STYLEFARM_HEARTBEAT_SECONDS": "0.5",
            "STYLEFARM_RECONCILE_SECONDS": "1",
            "STYLEFARM_THREADS": "1",
            "TMPDIR": str(pictures / "temporary"),
            "TORCH_HOME": str(pictures.parent / "torch"),
        },
    )
    return InProcess.of(program, request)


@pytest.fixture
def start(farm: InProcess) -> Iterator[Start]:
    """Start a worker whose log goes to the files `log` and `out`, and wait until its port answers."""
    with contextlib.ExitStack() as until_the_end:

        def start(**variables: str) -> subprocess.Popen[str]:
            command_line = CommandLine(farm.folder, {**farm.variables, **variables})
            program = ("sh", "-c", 'exec "$@" >out 2>log', "sh", str(PROGRAM))
            process = command_line.start("worker", "start", "--name", "test", "--gpus", "none", program=program)
            until_the_end.callback(_end, process)
            wait_until(lambda: _answers(farm) or process.poll() is not None, SECONDS)
            assert process.poll() is None, (farm.folder / "log").read_text()
            return process

        yield start


def _end(process: subprocess.Popen[str]) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.communicate()


def _get(farm: InProcess, path: str) -> tuple[int, str]:
    """The status and the text of a page of the worker's port."""
    address = f"http://127.0.0.1:{farm.variables['STYLEFARM_METRICS_PORT']}{path}"
    try:
        with urllib.request.urlopen(address, timeout=60) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode()


def _answers(farm: InProcess) -> bool:
    try:
        return _get(farm, "/healthz")[0] == 200
    except OSError:
        return False


def scraped(farm: InProcess) -> Samples:
    """The samples of a scrape, by their names and labels."""
    families = text_string_to_metric_families(_get(farm, "/metrics")[1])
    samples = (sample for family in families for sample in family.samples)
    return {(s.name, frozenset(f"{name}={value}" for name, value in s.labels.items())): s.value for s in samples}


def value(samples: Samples, name: str, *labels: str) -> float | None:
    return samples.get((f"stylefarm_{name}", frozenset(labels)))


def until_scraped(farm: InProcess, expected: Mapping[tuple[str, ...], float | None]) -> Samples:
    """Wait until a scrape has these values, by their names and labels, and return it.

    A worker counts what it has done when it has done it, and asks the services now and then.
    """
    found: Samples = {}

    def is_so() -> bool:
        nonlocal found
        found = scraped(farm)
        return all(value(found, *named) == number for named, number in expected.items())

    with contextlib.suppress(TimeoutError):
        wait_until(is_so, SECONDS)
    assert {named: value(found, *named) for named in expected} == expected
    return found


def submitted(farm: InProcess, *iterations: int) -> list[str]:
    """The ids of new jobs, one for each number of iterations."""
    (farm.folder / "sweep.yaml").write_text(
        f"base: {{content: a.png, style: s.png, size: 32, snapshot_every: 5, {SHALLOW}}}\n"
        f"matrix: {{iterations: {list(iterations)}}}\n"
    )
    created = farm.run("sweep", "create", "sweep.yaml", "--json")
    assert created.code == 0, created.messages
    return [job["id"] for job in created.document["jobs"]]


def rendered(farm: InProcess, *iterations: int) -> list[str]:
    """The same, once they are done."""
    jobs = submitted(farm, *iterations)
    for job in jobs:
        assert farm.run("job", "wait", job, "--timeout", str(SECONDS)).code == 0
    return jobs


def listed(farm: InProcess) -> dict[str, Any]:
    """The farm's one worker, as it is listed."""
    (worker,) = farm.run("worker", "list", "--json").document["workers"]
    assert isinstance(worker, dict)
    return worker


def lines(farm: InProcess) -> list[dict[str, Any]]:
    """What the worker has logged; every line must be an object."""
    return [json.loads(line) for name in ("log", "out") for line in (farm.folder / name).read_text().splitlines()]


def test_a_worker_tells_what_it_does_and_leaves_nothing_behind(farm: InProcess, start: Start) -> None:
    """Given a worker with a port, if it renders, I expect that in its metrics, also after its process was killed.

    And if it is stopped, I expect the port closed and the folder of its numbers gone.
    """
    worker = start()
    rendered(farm, 12, 7)
    mine = f"slot={SLOT}"
    samples = until_scraped(
        farm,
        {
            ("jobs", "state=done"): 2,
            ("iterations_total", mine): 19,
            ("attempts_total", mine, "outcome=done"): 2,
            ("attempts_total", mine, "outcome=failed"): 0,
            ("job_seconds_count", mine): 2,
            ("job_seconds_bucket", mine, "le=+Inf"): 2,
            ("upload_seconds_count", mine, "kind=result"): 2,
            ("upload_seconds_count", mine, "kind=snapshot"): 3,
            ("upload_seconds_count", mine, "kind=checkpoint"): 0,
            ("lease_losses_total", mine): 0,
            ("out_of_memory_total", mine): 0,
            **{("service_up", f"service={service}"): 1 for service in ("database", "redis", "objects")},
            **{(place, f"queue=stylefarm.{kind}"): 0 for place in ("queue_depth", "hints") for kind in ("auto", "cpu")},
            ("slots", "state=running"): 1,
            ("slot_starts_total", mine): 1,
        },
    )
    assert (value(samples, "job_seconds_sum", mine) or 0) > 0
    assert _get(farm, "/elsewhere")[0] == 404

    slot, embedded_worker = psutil.Process(worker.pid).children(recursive=True)
    embedded_worker.kill()
    rendered(farm, 3)
    until_scraped(farm, {("attempts_total", mine, "outcome=done"): 3})
    slot.kill()
    rendered(farm, 2)
    until_scraped(
        farm,
        {
            ("iterations_total", mine): 24,
            ("attempts_total", mine, "outcome=done"): 4,
            ("slot_starts_total", mine): 2,
        },
    )

    assert len(list((farm.folder / "temporary").glob("stylefarm-metrics-*"))) == 1
    worker.terminate()
    assert worker.wait(SECONDS) == 0
    with pytest.raises(OSError, match="refused"):
        _get(farm, "/metrics")
    assert not list((farm.folder / "temporary").glob("stylefarm-*"))


# Each of them ended a slot, which left it in Redis for the next one.
DEADLY = [b"garbage", b"", b"[]", b"{}", b"\xff", b'{"headers": {"task": "stylefarm.render"}, "properties": {}}']


def test_no_message_stops_a_worker(farm: InProcess, start: Start, redis_server: RedisServer) -> None:
    """Given a queue with garbage and hints with headers of wrong types, I expect one slot that renders all the same.

    And what was dropped counted, one line about it in the log, and nothing put back when the worker is stopped.
    """
    worker = start()
    with Redis.from_url(redis_server.url) as client:
        client.lpush(key_of("stylefarm.auto", 5), *DEADLY)
        hint = json.loads(write_hint(envelope("stylefarm.auto", 5), str(uuid.uuid4())))
        hint["headers"]["timelimit"] = "x"
        client.lpush(key_of("stylefarm.auto", 5), json.dumps(hint))
        rendered(farm, 2)
        # Only then does it listen.
        client.publish("/0.celery.pidbox", b"{}")
        application(redis_server.url).control.cancel_consumer("stylefarm.auto")
        (job,) = rendered(farm, 3)
        assert farm.run("job", "show", job, "--json").document["job"]["attempt"] == 1
        until_scraped(
            farm,
            {
                ("dropped_messages_total", f"slot={SLOT}"): len(DEADLY) + 2,
                ("slot_starts_total", f"slot={SLOT}"): 1,
                ("slot_in_trouble", f"slot={SLOT}"): 0,
            },
        )
        worker.terminate()
        assert worker.wait(SECONDS) == 0
        assert not [*client.keys("stylefarm*"), *client.keys("unacked*")]
    told = [line for line in lines(farm) if line["event"] == "dropped what is no hint"]
    assert [line["dropped"] for line in told] == [1]


def test_a_worker_tells_of_itself_while_the_database_is_away(
    farm: InProcess, start: Start, postgres_server: PostgresServer, port: int
) -> None:
    """Given a worker, if its database hangs or has ended, I expect its own numbers all the same, and that said.

    And if another one is started on its port, I expect one sentence with the remedy, and 2.
    """
    start()
    (farm.folder / "other").mkdir()
    other = CommandLine(farm.folder, {**farm.variables, "TMPDIR": str(farm.folder / "other")})
    refused = other.run("worker", "start", "--gpus", "none", "--metrics-port", str(port))
    assert refused.code == 2
    assert refused.messages == (
        f"stylefarm: metrics cannot be served on port {port} of 127.0.0.1 (another program listens there):"
        " give each worker of this machine a --metrics-port of its own, or see metrics_host\n"
    )
    assert not list((farm.folder / "other").iterdir())
    # The process that renders counts once it has imported torch.
    wait_until(lambda: value(scraped(farm), "iterations_total", f"slot={SLOT}") == 0, SECONDS)
    for leave, come_back in (
        (postgres_server.pause, postgres_server.resume),
        (postgres_server.kill, postgres_server.start),
    ):
        leave()
        try:
            until_scraped(
                farm,
                {
                    ("service_up", "service=database"): 0,
                    ("service_up", "service=redis"): 1,
                    ("slots", "state=running"): 1,
                    ("iterations_total", f"slot={SLOT}"): 0,
                    ("jobs", "state=done"): None,
                },
            )
        finally:
            come_back()
        wait_until(lambda: value(scraped(farm), "jobs", "state=done") == 0, SECONDS)


def test_a_worker_is_unwell_when_its_slots_end(farm: InProcess, start: Start, redis_server: RedisServer) -> None:
    """Given a worker, if its slot cannot start again, I expect 503 with the reason; 200 once it rests by request."""
    worker = start()
    (slot,) = psutil.Process(worker.pid).children()
    redis_server.stop()
    try:
        slot.kill()
        wait_until(lambda: _get(farm, "/healthz")[0] == 503, SECONDS)
        # Its process starts and ends, again and again.
        wait_until(lambda: (value(scraped(farm), "slot_starts_total", f"slot={SLOT}") or 0) > 2, SECONDS)
        assert value(scraped(farm), "slot_in_trouble", f"slot={SLOT}") == 1
        wait_until(lambda: "ended with code 69; it has been started" in (listed(farm)["reason"] or ""), SECONDS)
        assert listed(farm)["state"] == "failing"
        assert "is failing: its process ended with code 69" in farm.run("doctor").out.replace("\n", " ")
    finally:
        redis_server.start()
    # After several starts in vain, the next one is up to a minute away.
    wait_until(lambda: _answers(farm), 2 * SECONDS)
    assert farm.run("worker", "drain", listed(farm)["name"]).code == 0
    wait_until(lambda: value(scraped(farm), "slots", "state=draining") == 1, SECONDS)
    assert _get(farm, "/healthz") == (200, "well\n")
    worker.terminate()
    assert worker.wait(SECONDS) == 0
    # Words of a process that could not start are lines of the log, too.
    assert {"worker", "event", "level"} <= set.intersection(*map(set, lines(farm)))


def test_every_line_of_the_log_is_an_object_that_names_its_job(farm: InProcess, start: Start) -> None:
    """Given a worker that logs all there is, I expect an object on each line, with job and attempt during a job.

    Also of what threads and libraries have to say, and of a job whose process was killed.
    """
    worker = start(STYLEFARM_LOG_LEVEL="debug", STYLEFARM_CHECKPOINT_SECONDS="0.01")
    (rendered_once,) = rendered(farm, 60)
    (killed,) = submitted(farm, 90_000)
    # The first job may be over before a checkpoint of it is stored.
    wait_until(lambda: bool(re.search(rf'"event": "checkpoint".*{killed}', (farm.folder / "log").read_text())), SECONDS)
    psutil.Process(worker.pid).children(recursive=True)[1].kill()
    assert farm.run("job", "cancel", killed).code == 0
    farm.run("job", "wait", killed, "--timeout", str(SECONDS))
    worker.terminate()
    assert worker.wait(SECONDS) == 0
    logged = lines(farm)
    for line in logged:
        assert {"timestamp", "level", "event", "worker", "logger"} <= line.keys()
    assert {line["worker"].partition("@")[0] for line in logged} == {"test", SLOT}
    of_slot = [line for line in logged if line["worker"].startswith(SLOT)]
    events = [line["event"] for line in of_slot]
    during = of_slot[events.index("claimed") : events.index("ended") + 1]
    libraries = {line["logger"].partition(".")[0] for line in during}
    assert {"stylefarm", "botocore", "urllib3"} <= libraries
    for line in during:
        if line["logger"].partition(".")[0] in {"stylefarm", "botocore", "urllib3", "PIL", "s3transfer"}:
            assert (line.get("job"), line.get("attempt")) == (rendered_once, 1), line
    assert {line["attempt"] for line in of_slot if line["event"] == "checkpoint" and line["job"] == killed} == {1}
    assert [line["level"] for line in logged if "WorkerLost" in line.get("exception", "")] == ["error"]
    (death,) = (line for line in logged if line["event"] == "its process died")
    assert (death["job"], death["attempt"]) == (killed, 1)


def test_celery_speaks_of_jobs_by_their_ids(farm: InProcess, start: Start, redis_server: RedisServer) -> None:
    """Given someone who listens to Celery's events as Flower does, I expect the tasks' ids to be the jobs'."""
    start()
    # A program of its own: our application takes hints alone.
    app = Celery(broker=redis_server.url)
    heard: list[tuple[str, str]] = []
    with app.connection_for_read() as connection:
        receiver = app.events.Receiver(
            connection, handlers={"*": lambda event: heard.append((event["type"], event.get("uuid", "")))}
        )
        listener = threading.Thread(target=partial(receiver.capture, limit=None, timeout=None, wakeup=False))
        listener.start()
        try:
            wait_until(lambda: bool(heard), SECONDS)
            # Flower says so every few seconds; until somebody does, workers tell nothing of tasks.
            wait_until(lambda: bool(app.control.enable_events(reply=True)), SECONDS)
            jobs = submitted(farm, 3, 4)
            wait_until(lambda: {("task-succeeded", job) for job in jobs} <= set(heard), SECONDS)
        finally:
            receiver.should_stop = True
            listener.join(SECONDS)
    for job in jobs:
        # Each for the first time: a worker that is slow to begin is told of a job again, and then finds nothing to do.
        kinds = list(dict.fromkeys(kind for kind, name in heard if name == job))
        assert kinds == ["task-received", "task-started", "task-succeeded"]
