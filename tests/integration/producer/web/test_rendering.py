"""The process that renders beside the server of an embedded farm."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import psutil
import pytest

from stylefarm import Farm, State
from stylefarm.producer.web.rendering import rendering
from tests.servers.processes import wait_until
from tests.web_server import web_server


def renderers(server: int) -> list[int]:
    """The processes that a server has begun."""
    return [child.pid for child in psutil.Process(server).children()]


def test_a_renderer_that_is_killed_is_begun_anew(tmp_path: Path) -> None:
    """Given a server, if the process that renders is killed, I expect that said, and another one to begin."""
    with web_server(tmp_path / "home") as server:
        wait_until(lambda: len(renderers(server.process.pid)) == 1, 60)
        (first,) = renderers(server.process.pid)
        os.kill(first, signal.SIGKILL)
        assert server.process.stderr is not None
        assert "the process that renders has ended (SIGKILL)" in server.process.stderr.readline()
        wait_until(lambda: renderers(server.process.pid) not in ([], [first]), 60)
        server.process.send_signal(signal.SIGINT)
        server.process.wait(timeout=60)


def test_the_farm_that_is_given_is_rendered(
    farm: Farm, pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Given a farm of a home of its own, if the environment names another home, I expect its job to be rendered."""
    monkeypatch.setenv("STYLEFARM_HOME", str(tmp_path / "elsewhere"))
    job = farm.submit(content=pictures / "a.png", style=pictures / "s.png", size=32, iterations=2, features="random")
    with rendering(farm):
        wait_until(lambda: job.status().state is State.DONE, 120)


def test_a_job_that_is_tried_again_as_it_ends_is_rendered_again(farm: Farm, pictures: Path) -> None:
    """Given a job that has just ended, if it is retried at once, again and again, I expect each time to end too."""
    job = farm.submit(content=pictures / "a.png", style=pictures / "s.png", size=32, iterations=2, features="random")
    with rendering(farm):
        for attempt in range(1, 6):
            wait_until(lambda: job.status().state is State.DONE, 120)
            assert job.status().attempt == attempt
            job.retry()
