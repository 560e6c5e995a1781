"""Bars and signs for what takes long."""

from __future__ import annotations

import io
import sys
import threading

import pytest

from stylefarm.producer.terminal import progress


class Screen(io.StringIO):
    """What standard error is written to: a terminal, or none."""

    def __init__(self, *, terminal: bool) -> None:
        super().__init__()
        self.terminal = terminal
        self.rendered = threading.Event()

    def isatty(self) -> bool:
        return self.terminal

    def write(self, text: str) -> int:
        if text.strip():
            self.rendered.set()
        return super().write(text)


def watched(monkeypatch: pytest.MonkeyPatch, *, terminal: bool = True, patience: float = 0.0) -> Screen:
    """Standard error from now on; before a test itself begins, pytest would put its own in its place."""
    screen = Screen(terminal=terminal)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setattr(progress, "PATIENCE_SECONDS", patience)
    monkeypatch.setattr(sys, "stderr", screen)
    return screen


def test_a_terminal_sees_how_far_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    """Given a terminal, if pieces are counted, I expect how many there are, and how many are done at the end."""
    screen = watched(monkeypatch)
    with progress.counting("thumbnails", 3) as advance:
        for _ in range(3):
            advance()
    assert "thumbnails" in screen.getvalue()
    assert "3/3" in screen.getvalue()


def test_a_terminal_sees_that_work_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    """Given a terminal, if one piece of work goes on, I expect its name, and nothing more once it has ended."""
    screen = watched(monkeypatch)
    with progress.working("encoding"):
        assert screen.rendered.wait(30)
    shown = screen.getvalue()
    assert "encoding" in shown
    assert shown.endswith("\x1b[2K")  # the line is free again


def test_a_file_sees_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Given standard error that is no terminal, if it takes long, I expect nothing on it."""
    screen = watched(monkeypatch, terminal=False)
    with progress.counting("thumbnails", 2) as advance, progress.working("encoding"):
        advance()
        advance()
    assert screen.getvalue() == ""


def test_what_is_quick_shows_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Given work that fails before anybody would ask, I expect nothing on the terminal, and the failure."""
    screen = watched(monkeypatch, patience=60.0)
    with pytest.raises(ZeroDivisionError), progress.counting("files", 2) as advance, progress.working("encoding"):
        advance()
        raise ZeroDivisionError
    assert screen.getvalue().strip("\x1b[?25h\n") == ""
