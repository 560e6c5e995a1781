"""What tables look like on terminals."""

from __future__ import annotations

import pytest

from stylefarm.shared.console import print_table


def test_what_a_row_goes_by_is_never_cut(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """Given a terminal that a table is too wide for, I expect the first column whole, and the others to make room."""
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "24")
    print_table(("job", "style", "iteration", "loss"), [("01d2654f", "starry-night.jpg", "120/300", "0.7288")])
    lines = capsys.readouterr().out.splitlines()
    assert lines[1].startswith("01d2654f  s")
    assert "starry-night.jpg" not in lines[1]
