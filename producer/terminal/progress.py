"""A bar, or a spinner, for whatever takes longer than a second: downloads, thumbnails, animations."""

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
    """A bar on standard error that appears after a second; none where that is no terminal.

    Call it once for each item that is done, from any thread.

    Args:
        label: what the items are, e.g. "thumbnails".
        total: how many there are.

    Example:
        >>> advance = Counter("thumbnails", total=2)
        >>> advance()
        >>> advance.close()
        >>> advance.done
        1
    """

    def __init__(self, label: str, total: int) -> None:
        self.label = label
        self.total = total
        self.done = 0
        self.started = time.monotonic()
        self.console = Console(file=sys.stderr)
        self.progress: Progress | None = None
        self.lock = threading.Lock()

    def __call__(self) -> None:
        """Count one more item."""
        with self.lock:
            self.done += 1
            late = time.monotonic() - self.started >= PATIENCE_SECONDS
            if self.progress is None and late and self.console.is_terminal and self.done < self.total:
                columns = (TextColumn("{task.description}"), BarColumn(bar_width=30), MofNCompleteColumn())
                self.progress = Progress(*columns, TimeRemainingColumn(), console=self.console)
                self.progress.start()
                self.progress.add_task(self.label, total=self.total)
            if self.progress is not None:
                self.progress.update(self.progress.task_ids[0], completed=self.done)

    def close(self) -> None:
        """Stop updating the bar; it stays to be read."""
        if self.progress is not None:
            self.progress.stop()


@contextmanager
def counting(label: str, total: int) -> Iterator[Counter]:
    """Yield a counter for `total` items.

    Args:
        label: what the items are, e.g. "thumbnails".
        total: how many there are.

    Example:
        with counting("thumbnails", len(jobs)) as advance:
            for job in jobs:
                advance()
    """
    counter = Counter(label, total)
    try:
        yield counter
    finally:
        counter.close()


@contextmanager
def working(label: str) -> Iterator[None]:
    """Show a spinner while the `with` block runs; it appears after a second, on a terminal.

    Args:
        label: what is done, e.g. "encoding".

    Example:
        with working("encoding the sheet"):
            image.save("sheet.png")
    """
    console = Console(file=sys.stderr)
    if not console.is_terminal:
        yield
        return
    # The usual sign has letters that only UTF-8 has.
    sign = console.status(label, spinner="line")
    timer = threading.Timer(PATIENCE_SECONDS, sign.start)
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
        timer.join()
        sign.stop()
