"""What a slot's process tells the supervisor about its queues: a file that it touches each time it asks for a hint.

The file holds the number of messages that it has dropped; a process that replaces another goes on counting.
"""

from __future__ import annotations

import os
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import structlog

log = structlog.get_logger("stylefarm.worker")

# So much of a message is logged.
EXCERPT_BYTES = 80


class Pulse:
    """What a slot writes of itself.

    Args:
        path: the file, which the supervisor has made.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.dropped = read_pulse(path).dropped

    def poll(self) -> None:
        """Tell that the slot asks for its next hint."""
        try:
            os.utime(self.path)
        except FileNotFoundError:  # somebody has tidied up the folder of temporary files
            self._write()

    def drop(self, queue: str, data: bytes) -> None:
        """Count a message that is no hint. The first one is logged, and then the tenth, the hundredth, and so on."""
        self.dropped += 1
        self._write()
        if set(str(self.dropped)) <= {"1", "0"} and str(self.dropped).count("1") == 1:
            excerpt = ascii(data[:EXCERPT_BYTES])
            log.warning(
                "dropped what is no hint", queue=queue, dropped=self.dropped, bytes=len(data), begins_with=excerpt
            )

    def _write(self) -> None:
        # On a full disk the count is late; no message is to stop a slot for that.
        with suppress(OSError):
            self.path.write_text(f"{self.dropped:020d}")


@dataclass(frozen=True)
class PulseReading:
    """How many messages a slot has dropped, and a number that changes whenever it asks for a hint."""

    dropped: int
    polled: int


def make_pulse(path: Path) -> None:
    """Make the file of a slot that has not asked for anything yet."""
    path.write_text(f"{0:020d}")


def read_pulse(path: Path) -> PulseReading:
    """Return what a slot has told so far; nothing of a file that is gone."""
    try:
        return PulseReading(int(path.read_text() or 0), path.stat().st_mtime_ns)
    except FileNotFoundError:
        return PulseReading(0, 0)
