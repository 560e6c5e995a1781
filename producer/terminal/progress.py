"""A bar, or a moving sign, for whatever takes longer than a second: downloads, thumbnails, films."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

PATIENCE_SECONDS = 1.0


class Counter:
    """A bar that appears on standard error when it has been needed for a second; none where that is no terminal.

    Call it once for each piece that is done; from any thread.
    """

    def __init__(self, words: str, total: int) -> None:
        self.words = words
        self.total = total
        self.done = 0
        self.started = time.monotonic()
        self.console = Console(file=sys.stderr)
        self.progress: Progress | None = None
        self.lock = threading.Lock()

    def __call__(self) -> None:
        with self.lock:
            self.done += 1
            late = time.monotonic() - self.started >= PATIENCE_SECONDS
            if self.progress is None and late and self.console.is_terminal and self.done < self.total:
                columns = (TextColumn("{task.description}"), BarColumn(bar_width=30), MofNCompleteColumn())
                self.progress = Progress(*columns, TimeRemainingColumn(), console=self.console)
                self.progress.start()
                self.progress.add_task(self.words, total=self.total)
            if self.progress is not None:
                self.progress.update(self.progress.task_ids[0], completed=self.done)

    def close(self) -> None:
        """Takes the bar away from the terminal's cursor; it stays to be read."""
        if self.progress is not None:
            self.progress.stop()


@contextmanager
def counting(words: str, total: int) -> Iterator[Counter]:
    """A counter for `total` pieces of what `words` say, e.g. "thumbnails"."""
    counter = Counter(words, total)
    try:
        yield counter
    finally:
        counter.close()


@contextmanager
def working(words: str) -> Iterator[None]:
    """A moving sign with `words`, e.g. "encoding", for one piece of work; it appears and goes as a `Counter` does."""
    console = Console(file=sys.stderr)
    if not console.is_terminal:
        yield
        return
    sign = console.status(words)
    timer = threading.Timer(PATIENCE_SECONDS, sign.start)
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
        timer.join()
        sign.stop()
