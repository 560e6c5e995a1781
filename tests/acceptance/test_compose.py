"""docker-compose.yml does what it says: its own commands, in its own order, run as plain processes and render.

No container engine is needed. Redis is run by the file's very command. PostgreSQL is the tests' own, because the
file leaves the making of the database to the image. SeaweedFS is not at hand in the tests, so Swift, the tests' own S3
server, stands in for it; of the file's service `s3` its script is run, with a program that only notes how it is called.
"""

from __future__ import annotations

import json
import os
import re
import secrets
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import yaml

from stylefarm.worker.cli.start import start
from tests import REPOSITORY
from tests.compose import (
    FILE,
    Service,
    example_variables,
    in_order,
    required_variables,
    services,
    stages,
)
from tests.programs import PROGRAM, SHALLOW
from tests.servers import PostgresServer, SwiftServer
from tests.servers.postgres import ROLE
from tests.servers.processes import free_ports, wait_until

SECONDS = 90
WATCHING = REPOSITORY / "docs" / "watching.md"
FILLED = {name: f"of-{name.lower()}" for name in required_variables()}

METRICS_PORT = "9464"

# Variables that a process gets from this machine, and a container from its image.
INHERITED = ("PATH", "PYTHONPATH", "OMP_NUM_THREADS", "LANG")


@dataclass
class ComposeMachine:
    """Plain processes instead of containers: `hosts` and `replacements` say where on this machine things are."""

    folder: Path
    known: Mapping[str, Service]
    hosts: Mapping[str, str]
    replacements: Mapping[str, str]
    running: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    def start(self, service: Service) -> None:
        """Start a service, as soon as what it needs is as far as the file says."""
        for name, condition in service.needs.items():
            self._wait(self.known[name], condition)
        command, environment = self._command(service.command), self._environment(service)
        self.running[service.name] = subprocess.Popen(command, cwd=self.folder, env=environment)

    def run(self, service: Service, *arguments: str) -> str:
        """Run a command as `docker-compose run` does, to its end; return what it prints."""
        command, environment = self._command([*service.command, *arguments]), self._environment(service)
        ended = subprocess.run(
            command, cwd=self.folder, env=environment, capture_output=True, text=True, timeout=2 * SECONDS
        )
        assert ended.returncode == 0, ended.stderr
        return ended.stdout

    def stop(self) -> None:
        """End all that runs, the last one first, as docker-compose does."""
        for process in reversed(self.running.values()):
            process.terminate()
            process.wait(SECONDS)

    def _wait(self, service: Service, condition: str, seconds: float = SECONDS) -> None:
        if condition == "service_completed_successfully":
            assert self.running[service.name].wait(SECONDS) == 0
            return
        assert condition == "service_healthy"
        # Swift answers already, and has no page of health where SeaweedFS has it.
        if service.name != "s3":
            command, environment = self._command(service.health), self._environment(service)
            wait_until(
                lambda: (
                    subprocess.run(command, env=environment, timeout=SECONDS, stderr=subprocess.DEVNULL).returncode == 0
                ),
                seconds,
            )

    def _environment(self, service: Service) -> dict[str, str]:
        inherited = {name: os.environ[name] for name in INHERITED if name in os.environ}
        own = {name: _replaced(value, self.hosts) for name, value in service.environment.items()}
        return {**inherited, "HOME": str(self.folder), **own}

    def _command(self, arguments: list[str]) -> list[str]:
        return [_replaced(argument, self.replacements) for argument in arguments]


def _replaced(text: str, places: Mapping[str, str]) -> str:
    for there, here in places.items():
        text = re.sub(rf"(?<![\w/-]){there}\b", here, text)
    return text


@pytest.fixture
def machine(pictures: Path, postgres_server: PostgresServer, swift_server: SwiftServer) -> Iterator[ComposeMachine]:
    """A machine with PostgreSQL and an S3 server, as the images of the compose file would make them."""
    known = services(
        {
            "REDIS_PASSWORD": secrets.token_hex(24),
            "POSTGRES_PASSWORD": postgres_server.password,
            "S3_ACCESS_KEY": swift_server.access_key,
            "S3_SECRET_KEY": swift_server.secret_key,
            "WEBHOOK_SECRET": "a secret to sign with",
        }
    )
    made = known["postgres"].environment
    assert (made["POSTGRES_USER"], made["POSTGRES_PASSWORD"]) == (ROLE, postgres_server.password)
    redis_port, metrics_port = map(str, free_ports(2))
    postgres_port = str(postgres_server.port)
    (pictures / "redis").mkdir()
    hosts = {
        "redis:6379": f"127.0.0.1:{redis_port}",
        "postgres:5432": f"127.0.0.1:{postgres_port}",
        "http://s3:8333": swift_server.endpoint,
    }
    hosts[METRICS_PORT] = metrics_port
    replacements = {
        "6379": redis_port,
        "5432": postgres_port,
        METRICS_PORT: metrics_port,
        "/data": str(pictures / "redis"),
        "stylefarm": str(PROGRAM),
    }
    machine = ComposeMachine(pictures, known, hosts, replacements)
    postgres_server.create_database(made["POSTGRES_DB"])
    yield machine
    machine.stop()
    postgres_server.drop_database(made["POSTGRES_DB"])


def test_the_compose_file_renders(machine: ComposeMachine) -> None:
    """Given the compose file, if its services are started in its order, I expect its worker to render a job."""
    order = in_order("worker", machine.known)
    assert [service.name for service in order] == ["postgres", "migrate", "redis", "s3", "worker"]
    for service in order:
        if service.name not in {"postgres", "s3"}:
            machine.start(service)
    (machine.folder / "sweep.yaml").write_text(
        f"base: {{content: a.png, style: s.png, size: 32, {SHALLOW}}}\nmatrix: {{iterations: [2]}}\n"
    )
    producer = machine.known["producer"]
    (job,) = json.loads(machine.run(producer, "sweep", "create", "sweep.yaml", "--json"))["jobs"]
    machine.run(producer, "job", "wait", job["id"], "--timeout", str(SECONDS))
    machine.run(producer, "job", "download", job["id"], "-o", "rendered.png")
    assert (machine.folder / "rendered.png").stat().st_size > 0
    worker = machine.known["worker"]
    machine._wait(worker, "service_healthy")
    machine.stop()
    assert machine.running["worker"].returncode == 0
    with pytest.raises(TimeoutError):
        machine._wait(worker, "service_healthy", seconds=1)


def test_prometheus_finds_the_metrics_of_the_workers() -> None:
    """Given the file, I expect each worker to serve its metrics where the documentation has Prometheus look."""
    (config,) = re.findall(r"```yaml\n(scrape_configs:.*?)```", WATCHING.read_text(), re.DOTALL)
    (scrape,) = yaml.safe_load(config)["scrape_configs"]
    targets = {target for static in scrape["static_configs"] for target in static["targets"]}
    known = services(FILLED)
    assert targets == {f"{name}:{METRICS_PORT}" for name in ("worker", "worker-gpu")}
    for target in targets:
        worker = known[target.partition(":")[0]]
        assert worker.environment["STYLEFARM_METRICS_PORT"] == METRICS_PORT
        assert worker.content["expose"] == [METRICS_PORT]
        assert f":{METRICS_PORT}/healthz" in worker.health[-1]
        assert "ports" not in worker.content


def test_a_worker_is_not_killed_in_its_time_of_grace() -> None:
    """Given a worker that waits for its job when it is stopped, I expect docker to wait for longer than it does."""
    (grace,) = (option.default for option in start.params if option.name == "grace")
    assert isinstance(grace, int)
    for name in ("worker", "worker-gpu"):
        minutes = services(FILLED)[name].content["stop_grace_period"].removesuffix("m")
        assert int(minutes) * 60 > grace


def test_redis_is_told_to_keep_what_it_has(machine: ComposeMachine) -> None:
    """Given the file's Redis, I expect a log of what it was told, nothing evicted, and no word without the password."""
    redis = machine.known["redis"]
    machine.start(redis)
    machine._wait(redis, "service_healthy")
    for name, value in (("appendonly", "yes"), ("maxmemory-policy", "noeviction")):
        asked = f'REDISCLI_AUTH="$REDIS_PASSWORD" redis-cli -p 6379 config get {name}'
        assert machine.run(Service("redis", {**redis.content, "command": ["sh", "-c", asked]})).split() == [name, value]
    assert "NOAUTH" in machine.run(Service("redis", {"command": ["redis-cli", "-p", "6379", "dbsize"]}))


def test_seaweedfs_gets_the_keys_of_the_farm(tmp_path: Path) -> None:
    """Given the script of the service s3, if it is run, I expect an S3 server at the farm's address, with its keys."""
    known = services(FILLED)
    program = tmp_path / "weed"
    program.write_text(f'#!/bin/sh\necho "$@" > {tmp_path}/arguments\n')
    program.chmod(0o755)
    environment = {**known["s3"].environment, "PATH": f"{tmp_path}:{os.environ['PATH']}"}
    command = [_replaced(word, {"/tmp/s3.json": f"{tmp_path}/s3.json"}) for word in known["s3"].command]
    subprocess.run([*command], env=environment, check=True, timeout=SECONDS)
    arguments = (tmp_path / "arguments").read_text().split()
    endpoint = urlsplit(known["worker"].environment["STYLEFARM_S3_ENDPOINT"])
    assert endpoint.hostname == "s3"
    assert {"server", "-dir=/data", "-s3", f"-s3.port={endpoint.port}", f"-s3.config={tmp_path}/s3.json"} <= {
        *arguments
    }
    assert "s3:/data" in known["s3"].content["volumes"]
    (identity,) = json.loads((tmp_path / "s3.json").read_text())["identities"]
    farm = known["worker"].environment
    keys = {"accessKey": farm["STYLEFARM_S3_ACCESS_KEY"], "secretKey": farm["STYLEFARM_S3_SECRET_KEY"]}
    assert identity["credentials"] == [keys]
    assert (tmp_path / "s3.json").stat().st_mode & 0o077 == 0


def test_no_secret_is_in_the_file() -> None:
    """Given the file, I expect every secret in it to be a variable, and .env.example to name each, without a value."""
    for service in services(FILLED).values():
        for name, value in service.environment.items():
            if name.endswith(("_PASSWORD", "_KEY")):
                assert value in FILLED.values(), f"{service.name}: {name}"
            password = urlsplit(value).password
            assert password is None or password in FILLED.values(), f"{service.name}: {name}"
    assert example_variables() == dict.fromkeys(FILLED, "")
    assert {".env"} <= {line.strip("/") for line in (REPOSITORY / ".gitignore").read_text().splitlines()}


def test_nothing_runs_as_root() -> None:
    """Given the file and the images that it builds, I expect each to name a user, and none root."""
    for service in services(FILLED).values():
        assert service.content["user"] not in {"root", "0", "0:0", 0}
        assert service.content["cap_drop"] == ["ALL"]
    for name, stage in stages().items():
        if "ENTRYPOINT" in stage:
            assert "USER 10001:10001" in stage, name


def test_the_images_install_what_is_locked() -> None:
    """Given the Dockerfile, I expect each package by its hash, and torch in the worker alone."""
    for name in ("producer", "worker"):
        stage = stages()[name]
        assert f"--mount=type=bind,source=requirements/{name}.lock,target=/tmp/{name}.lock" in stage
        assert f"pip install --require-hashes -r /tmp/{name}.lock" in stage
    locked = {name: (REPOSITORY / f"requirements/{name}.lock").read_text() for name in ("producer", "worker")}
    assert "\ntorch==" in locked["worker"]
    assert "\ntorch==" not in locked["producer"]


def test_an_image_for_cpus_leaves_cuda_out() -> None:
    """Given the Dockerfile's lines for a CPU index, I expect the lock without PyTorch and CUDA, and their versions."""
    stage = stages()["worker"].replace("\\\n", "\n").replace("/tmp/worker.lock", "requirements/worker.lock")
    (filtered,) = re.findall(r"(awk '[^']+' \S+) >", stage)
    (versions,) = re.findall(r"\$\((grep [^)]+\)[^)]+)\)", stage)
    kept, named = (
        subprocess.run(["sh", "-c", command], cwd=REPOSITORY, check=True, capture_output=True, text=True).stdout
        for command in (filtered, versions)
    )
    whole = (REPOSITORY / "requirements/worker.lock").read_text()
    packages = {
        name: set(re.findall(r"^([a-z0-9-]+)==", text, re.MULTILINE)) for name, text in (("all", whole), ("cpu", kept))
    }
    gone = packages["all"] - packages["cpu"]
    assert {"torch", "torchvision", "triton", "nvidia-cudnn-cu13", "cuda-bindings"} <= gone
    assert {name.partition("-")[0] for name in gone} == {"torch", "torchvision", "triton", "nvidia", "cuda"}
    assert {"nvidia-ml-py", "numpy", "sympy"} <= packages["cpu"]
    assert kept.count("--hash=") < whole.count("--hash=")
    assert [line.partition("==")[0] for line in named.split()] == ["torch", "torchvision"]


def test_setuptools_is_taken_from_the_lock(tmp_path: Path) -> None:
    """Given the Dockerfile's line that picks setuptools out of the worker's lock, I expect it with its hashes."""
    (line,) = re.findall(r"sed -n .* > setuptools.lock", stages()["wheel"])
    subprocess.run(["sh", "-c", line.replace("setuptools.lock", str(tmp_path / "lock"))], cwd=REPOSITORY, check=True)
    first, *rest = (tmp_path / "lock").read_text().splitlines()
    assert first.startswith("setuptools==")
    assert sum("--hash=sha256:" in line for line in rest) >= 1
    assert not [line for line in rest if "==" in line]


@pytest.fixture
def compose(tmp_path: Path) -> str:
    """The program docker-compose, which needs no engine to check a file."""
    program = shutil.which("docker-compose")
    if program is None:
        pytest.skip("docker-compose is not installed")
    return program


def _config(program: str, folder: Path, variables: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
    """What docker-compose makes of the file, in a folder without an .env."""
    command = [program, "--project-directory", str(folder), "-f", str(FILE), "--profile", "gpu", "config"]
    own = {name: value for name, value in os.environ.items() if name not in FILLED}
    return subprocess.run(command, cwd=folder, env={**own, **variables}, capture_output=True, text=True, timeout=60)


def test_docker_compose_accepts_the_file(compose: str, tmp_path: Path) -> None:
    """Given all variables, I expect docker-compose to accept the file, with the GPUs reserved."""
    ended = _config(compose, tmp_path, FILLED)
    assert ended.returncode == 0, ended.stderr
    understood = yaml.safe_load(ended.stdout)["services"]
    (gpus,) = understood["worker-gpu"]["deploy"]["resources"]["reservations"]["devices"]
    assert (gpus["driver"], gpus["count"]) == ("nvidia", "all")


@pytest.mark.parametrize("missing", sorted(FILLED))
def test_docker_compose_refuses_an_empty_variable(compose: str, tmp_path: Path, missing: str) -> None:
    """Given .env.example as it is, or one value too few, I expect docker-compose to say what is to be done."""
    ended = _config(compose, tmp_path, {**FILLED, missing: ""})
    assert ended.returncode != 0
    assert "copy .env.example to .env" in ended.stderr
