"""`stylefarm estimate`, as a user runs it, beside what is then taken."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.programs import PROGRAM, CommandLine, InProcess

FULL = ("--style-loss", "gram", "--iterations", "3", "--size", "320")


@pytest.fixture
def farm(tmp_path: Path, pictures: Path) -> CommandLine:
    """The program, in the folder of the pictures, with a home of its own."""
    home = {"STYLEFARM_HOME": str(tmp_path / "home"), "TORCH_HOME": str(tmp_path / "torch")}
    return CommandLine(pictures, {**home, "STYLEFARM_THREADS": "1"})


@pytest.fixture
def inside(farm: CommandLine, request: pytest.FixtureRequest) -> InProcess:
    """The same without a process of its own."""
    return InProcess.of(farm, request)


# A child begins with the peak of whoever has started it, so somebody small must.
PEAK = """import resource, subprocess, sys
subprocess.run(sys.argv[1:], check=True)
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)"""


def test_the_memory_that_is_told_is_taken(farm: CommandLine) -> None:
    """Given a picture, if it is estimated and then rendered, I expect the peak within a quarter of what was told."""
    # By a process of its own: what this one holds would count, too.
    estimate = farm.run("estimate", "a.png", "s.png", *FULL, "--json").document["estimate"]
    assert estimate["scales"][0]["way"] == "whole"
    assert estimate["seconds"] > 0
    command = [sys.executable, "-c", PEAK, str(PROGRAM), "render", "a.png", "s.png", "-o", "out.png", *FULL]
    ended = subprocess.run(command, cwd=farm.folder, env=farm.environment, capture_output=True, check=True)
    assert 0.75 <= estimate["bytes"] / (int(ended.stdout.split()[-1]) * 1024) <= 1.25


def test_an_estimate_is_read_by_people(inside: InProcess) -> None:
    """Given two pictures, if an estimate is asked for, I expect time, memory and way in words, and nothing rendered."""
    ended = inside.run("estimate", "a.png", "s.png", "--size", "32", "--style-loss", "gram", "--iterations", "500")
    assert ended.code == 0, ended.messages
    assert ended.out.startswith("device  cpu\n")
    assert "GB are left" in ended.out
    assert "32 x 24" in ended.out


def test_a_picture_that_cannot_fit_is_refused(inside: InProcess, monkeypatch: pytest.MonkeyPatch) -> None:
    """Given a limit of memory, if a picture is too large for it, I expect one sentence with the size that fits."""
    monkeypatch.setenv("STYLEFARM_MEMORY", str(1 << 30))
    ended = inside.run("estimate", "a.png", "s.png", "--size", "6000", "--style-loss", "gram")
    assert ended.code == 1
    assert ended.out == ""
    assert "6000 x 4500 pixels needs about" in ended.messages
    assert "are left" in ended.messages
