"""Where settings are read from in these tests."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.unit.shared.settings.given import SERVERS


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No stylefarm.toml lies about but the test's own."""
    (tmp_path / "cwd").mkdir()
    monkeypatch.chdir(tmp_path / "cwd")


@pytest.fixture
def servers(monkeypatch: pytest.MonkeyPatch) -> None:
    """A farm on servers, by the environment."""
    for variable, value in SERVERS.items():
        monkeypatch.setenv(variable, value)
