"""The program as the tests of weights run it: in this process, in a folder of its own."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest

from stylefarm.producer import cli
from stylefarm.shared.settings import load_settings
from tests.programs import Ended


@dataclass(frozen=True)
class WeightsCommandLine:
    """The program without a process of its own: importing torch takes longer than what is tested."""

    folder: Path
    capsys: pytest.CaptureFixture[str]

    def run(self, *arguments: str) -> Ended:
        """Run a command to its end."""
        load_settings.cache_clear()
        return Ended(cli._run(list(arguments)), *self.capsys.readouterr())

    def refused(self, sentence: str, *arguments: str, code: int = 2) -> None:
        """A command that ends in one sentence; nothing is stored."""
        ended = self.run("weights", *arguments)
        assert (ended.code, ended.out) == (code, ""), ended.messages
        assert len(ended.messages.splitlines()) == 1, ended.messages
        assert sentence in ended.messages
        assert "Traceback" not in ended.messages
        assert self.run("weights", "list", "--json").document["weights"] == []
        assert not (self.folder.parent / "home" / "objects").exists()


def in_work_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> WeightsCommandLine:
    """The program in a folder of its own, with a home beside it."""
    folder = tmp_path / "work"
    folder.mkdir()
    monkeypatch.chdir(folder)
    return WeightsCommandLine(folder, capsys)
