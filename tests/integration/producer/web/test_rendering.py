"""The process that renders beside the server of an embedded farm."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
from pathlib import Path
from typing import Any

import psutil
import pytest
from pydantic import SecretStr

from stylefarm import Farm, Job, State
from stylefarm.producer.web.rendering import rendering
from tests.servers.processes import wait_until
from tests.web_server import web_server
from tests.webhook_receiver import WebhookReceiver


def submitted(farm: Farm, pictures: Path, iterations: int = 2) -> Job:
    """A job that is rendered at once."""
    pair = {"content": pictures / "a.png", "style": pictures / "s.png"}
    return farm.submit(**pair, size=32, iterations=iterations, features="random")


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


def test_a_renderer_that_cannot_be_started_is_tried_again(
    farm: Farm, pictures: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Given no memory for another process, I expect that said, and the job to be rendered when there is some again."""
    start, faults = subprocess.Popen, [OSError(errno.ENOMEM, os.strerror(errno.ENOMEM))]

    def popen(*arguments: Any, **options: Any) -> subprocess.Popen[bytes]:
        if faults:
            raise faults.pop()
        return start(*arguments, **options)

    monkeypatch.setattr(subprocess, "Popen", popen)
    job = submitted(farm, pictures)
    with rendering(farm):
        wait_until(lambda: job.status().state is State.DONE, 120)
    assert "the process that renders could not be started (Cannot allocate memory)" in capsys.readouterr().err


def test_the_farm_that_is_given_is_rendered(
    farm: Farm, pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Given a farm of a home of its own, if the environment names another home, I expect its job to be rendered."""
    monkeypatch.setenv("STYLEFARM_HOME", str(tmp_path / "elsewhere"))
    job = submitted(farm, pictures)
    with rendering(farm):
        wait_until(lambda: job.status().state is State.DONE, 120)


def test_a_job_that_is_tried_again_as_it_ends_is_rendered_again(farm: Farm, pictures: Path) -> None:
    """Given a job that has just ended, if it is retried at once, again and again, I expect each time to end too."""
    job = submitted(farm, pictures)
    with rendering(farm):
        for attempt in range(1, 6):
            wait_until(lambda: job.status().state is State.DONE, 120)
            assert job.status().attempt == attempt
            job.retry()


def test_what_a_killed_process_has_left_is_rendered(farm: Farm, pictures: Path, receiver: WebhookReceiver) -> None:
    """Given a job that a killed process has claimed, I expect it to be rendered when its lease is over.

    And the webhook of its sweep to be called, as it is by a program that waits.
    """
    settings = {"webhook_secret": SecretStr("a secret of the farm"), "webhook_private": True, "reconcile_seconds": 0.5}
    base = {"size": 32, "iterations": 2, "features": "random"}
    axes = {"content": [pictures / "a.png"], "style": [pictures / "s.png"]}
    with Farm(farm.settings.model_copy(update=settings)) as calling:
        sweep = calling.sweep(matrix=axes, base=base, webhook=receiver.url)
        (job,) = sweep.jobs()
        assert calling.store.attempts.claim(job.id, "killed", lease=0.0) is not None
        with rendering(calling):
            wait_until(lambda: job.status().state is State.DONE, 120)
            wait_until(lambda: receiver.events == ["sweep.ended"], 60)
    assert job.status().attempt == 2


def test_a_sweep_without_room_keeps_no_other_job_waiting(farm: Farm, pictures: Path) -> None:
    """Given a sweep of one job at a time, which another program renders, I expect a job behind it to be rendered."""
    base = {"content": pictures / "a.png", "style": pictures / "s.png", "size": 32, "features": "random"}
    sweep = farm.sweep(matrix={"iterations": [1, 2]}, base=base, max_running=1)
    first, second = sweep.jobs()
    assert farm.store.attempts.claim(first.id, "another program", lease=3600) is not None
    other = submitted(farm, pictures, iterations=3)
    with rendering(farm):
        wait_until(lambda: other.status().state is State.DONE, 120)
    assert second.status().state is State.QUEUED
