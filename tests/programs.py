"""The command line as a user runs it: as a program of its own, or, where there are many checks, without."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from stylefarm.producer import cli
from stylefarm.shared.settings import load_settings
from tests.answers import check_answer

# A network this shallow renders a small picture in an instant; what is tested is the farm around it.
SHALLOW = "content_layers: [relu2_1], style_layers: [relu1_1, relu2_1], style_loss: gram"
SHALLOW_OPTIONS = ("--content-layers", "relu2_1", "--style-layers", "relu1_1,relu2_1")

PROGRAM = Path(sys.executable).parent / "stylefarm"


@dataclass(frozen=True)
class Ended:
    """The end of a command: exit code, standard output, messages on standard error, and its arguments."""

    code: int
    out: str
    messages: str
    arguments: Sequence[str] = ()

    @property
    def document(self) -> Any:
        """The JSON object that it printed, which is one of those that the schema says it prints."""
        document = json.loads(self.out)
        if self.arguments:
            check_answer(self.arguments, document)
        return document


@dataclass(frozen=True)
class CommandLine:
    """`stylefarm` in a folder, with an environment that holds no settings but those given."""

    folder: Path
    variables: Mapping[str, str]

    @property
    def environment(self) -> dict[str, str]:
        """The environment of the commands."""
        own = {name: value for name, value in os.environ.items() if not name.startswith("STYLEFARM_")}
        return {**own, "NO_COLOR": "1", "PYTHONWARNINGS": "", **self.variables}

    def run(self, *arguments: str, timeout: float = 120) -> Ended:
        """Run a command to its end."""
        ended = subprocess.run(
            [str(PROGRAM), *arguments],
            cwd=self.folder,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=timeout,
            stdin=subprocess.DEVNULL,
        )
        return Ended(ended.returncode, ended.stdout, ended.stderr, arguments)

    def start(self, *arguments: str, program: Sequence[str] = (str(PROGRAM),)) -> subprocess.Popen[str]:
        """Start a command, in a session of its own so that it can be stopped with all its children."""
        return subprocess.Popen(
            [*program, *arguments],
            cwd=self.folder,
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            stdin=subprocess.DEVNULL,
            start_new_session=True,
            preexec_fn=_heed_interrupts,
        )


@dataclass(frozen=True)
class InProcess(CommandLine):
    """The same in this process, which saves a program's start: a second, most of it for imports."""

    capsys: pytest.CaptureFixture[str]

    @classmethod
    def of(cls, program: CommandLine, request: pytest.FixtureRequest) -> InProcess:
        """The program in its folder and with its variables, where the test that requests it is from now on."""
        monkeypatch: pytest.MonkeyPatch = request.getfixturevalue("monkeypatch")
        monkeypatch.chdir(program.folder)
        for name, value in program.variables.items():
            monkeypatch.setenv(name, value)
        return cls(program.folder, program.variables, request.getfixturevalue("capsys"))

    def run(self, *arguments: str, timeout: float = 120) -> Ended:
        """Run a command to its end; the time is pytest's to mind."""
        del timeout
        load_settings.cache_clear()
        self.capsys.readouterr()
        return Ended(cli._run(list(arguments)), *self.capsys.readouterr(), arguments)


def _heed_interrupts() -> None:
    """A shell that starts the tests in the background has them, and all their children, ignore Ctrl-C."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
