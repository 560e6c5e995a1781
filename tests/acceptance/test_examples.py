"""The examples, run as their users run them."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image

from tests import REPOSITORY
from tests.programs import CommandLine
from tests.servers import RedisServer, SwiftServer
from tests.servers.variables import variables_of


@pytest.fixture
def embedded(pictures: Path, tmp_path: Path) -> CommandLine:
    """A farm in one process."""
    home = {"STYLEFARM_HOME": str(tmp_path / "home"), "TORCH_HOME": str(tmp_path / "torch")}
    python_path = os.pathsep.join([os.environ["PYTHONPATH"], str(REPOSITORY)])
    return CommandLine(pictures, {**home, "STYLEFARM_THREADS": "1", "PYTHONPATH": python_path})


@pytest.fixture
def on_servers(
    embedded: CommandLine, redis_server: RedisServer, postgres_url: str, swift_server: SwiftServer
) -> Iterator[CommandLine]:
    """A farm on servers, with a worker."""
    servers = {
        **variables_of(redis_server, postgres_url, swift_server, f"farm-{uuid.uuid4().hex}"),
        "STYLEFARM_RECONCILE_SECONDS": "1",
    }
    farm = CommandLine(embedded.folder, {**embedded.variables, **servers})
    worker = farm.start("worker", "start", "--gpus", "none")
    yield farm
    os.killpg(worker.pid, signal.SIGKILL)
    worker.communicate()


def pick_best(farm: CommandLine, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "examples.pick_best", *arguments]
    return subprocess.run(
        command, cwd=farm.folder, env=farm.environment, capture_output=True, text=True, timeout=200, check=False
    )


@pytest.mark.parametrize("kind", ["embedded", "on_servers"])
def test_the_best_is_picked(kind: str, request: pytest.FixtureRequest) -> None:
    """Given a farm of each kind, I expect the picture of the job with the least of the metric, and each job's end."""
    farm: CommandLine = request.getfixturevalue(kind)
    ended = pick_best(farm, "a.png", "s.png", "-o", "best.png", "--size", "32", "--iterations", "2")
    assert ended.returncode == 0, ended.stderr
    assert sorted(line for line in ended.stderr.splitlines() if line.endswith("done")) == [
        f"job {number}: done" for number in range(3)
    ]
    with Image.open(farm.folder / "best.png") as image:
        assert image.size == (32, 24)
    done = farm.run("job", "list", "--state", "done", "--json").document["jobs"]
    best = min(done, key=lambda job: job["metrics"]["gram"])
    assert ended.stdout.startswith(f"best.png: style_weight {best['cell']['style_weight']}, gram ")


def test_what_is_wrong_is_told_in_a_sentence(embedded: CommandLine) -> None:
    """Given a picture that is not there, I expect a sentence and no traceback."""
    ended = pick_best(embedded, "nowhere.png", "s.png")
    assert (ended.returncode, ended.stdout) == (1, "")
    assert "nowhere.png" in ended.stderr
    assert "Traceback" not in ended.stderr
