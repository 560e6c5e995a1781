"""The display of jobs that somebody waits for."""

from __future__ import annotations

import sys

import pytest

from stylefarm.producer.terminal.display import live_display
from stylefarm.shared.db.states import State
from tests.unit.producer.terminal.test_progress import Screen
from tests.unit.statuses import status

MARKUP = "[red]x["


@pytest.mark.parametrize("terminal", [True, False])
def test_names_are_shown_and_not_obeyed(terminal: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """Given names with markup and commands to a terminal, if jobs are waited for, I expect to read them."""
    screen = Screen(terminal=terminal)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.setattr(sys, "stderr", screen)
    names = {"content": f"{MARKUP}\x1b]0;title\x07.png", "error": "[/foo]\nand so on"}
    with live_display() as watch:
        watch(
            [
                status(id="1", state=State.RUNNING, started_at=None, **names),
                status(id="2", state=State.FAILED, **names),
                status(id="3", state=State.DONE, **names),
            ]
        )
    shown = screen.getvalue()
    assert "\x1b]0;" not in shown
    assert "\nand so on" not in shown
    assert "[/foo]\\nand so on" in shown
    assert shown.count(f"{MARKUP}\\x1b]0;title\\x07") >= (4 if terminal else 2)
