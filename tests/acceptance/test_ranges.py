"""Numbers and moments that no farm can mean, in every option that takes one."""

from __future__ import annotations

from pathlib import Path

import pytest

from examples.embedded import embedded_settings
from stylefarm import Farm
from tests.made_up import made_up
from tests.programs import CommandLine, InProcess

NUMBERS = ["-1", "99999999999999999999", "9" * 400, "1e999", "nan", "-inf", "1e-400x", ""]
MOMENTS = [
    "0001-01-01T00:00+14:00",
    "9999-12-31T23:59-12:00",
    "99999999999999999w",
    "9" * 400 + "d",
    "nan",
    "10000-01-01",
]
# An option that takes a number, behind the command that has it.
WITH_NUMBERS = [
    "sweep list --limit",
    "job list --limit",
    "sweep sheet SWEEP -o s.png --top",
    "sweep sheet SWEEP -o s.png --cell",
    "sweep create --set seed=1 --max-running",
    "sweep create --set seed=1 --yes-above",
    "sweep create --set seed=1 --priority",
    "sweep create --set seed=1 --time-limit",
    "sweep create --set seed=1 --max-attempts",
    "sweep wait SWEEP --timeout",
    "sweep watch SWEEP --interval",
    "sweep watch SWEEP --timeout",
    "sweep reprioritize SWEEP --",
    "job wait JOB --timeout",
    "job download JOB --snapshot",
    "job timelapse JOB -o t.gif --fps",
    "job timelapse JOB -o t.gif --size",
    "job reprioritize JOB --",
    "worker start --grace",
    "worker start --slots-per-gpu",
    "worker start --cpu",
    "worker start --metrics-port",
]


@pytest.fixture
def inside(tmp_path: Path, request: pytest.FixtureRequest) -> InProcess:
    """The command line in this process."""
    return InProcess.of(CommandLine(tmp_path, {"STYLEFARM_HOME": str(tmp_path / "home")}), request)


@pytest.fixture
def ids(tmp_path: Path) -> dict[str, str]:
    """A sweep and a job of it, on the same farm."""
    with Farm(embedded_settings(tmp_path / "home")) as farm:
        sweep = made_up(farm, {"seed": [1]}, snapshots=2)
        return {"SWEEP": sweep.id, "JOB": next(iter(sweep)).id}


def refused(inside: InProcess, *arguments: str) -> str:
    ended = inside.run(*arguments)
    assert (ended.code, ended.out) == (2, ""), (arguments, ended)
    (line,) = ended.messages.splitlines()
    return line


@pytest.mark.parametrize("command", WITH_NUMBERS)
def test_every_option_has_bounds(inside: InProcess, ids: dict[str, str], command: str) -> None:
    """Given a number that no farm can mean, if it is given to an option, I expect exit code 2 and one sentence."""
    for number in NUMBERS:
        refused(inside, *(ids.get(word, word) for word in command.split()), number)


@pytest.mark.parametrize("moment", MOMENTS)
@pytest.mark.parametrize("option", ["job list --since", "job list --until", "sweep changes SWEEP --since"])
def test_moments_that_are_none(inside: InProcess, ids: dict[str, str], option: str, moment: str) -> None:
    """Given a moment beyond all calendars, if jobs are listed from there, I expect what to write."""
    line = refused(inside, *(ids.get(word, word) for word in option.split()), moment)
    assert "is no moment: write 2026-11-21T08:00, or an age such as 30m, 2h or 3d" in line
