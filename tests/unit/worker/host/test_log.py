"""The lines of a worker's log."""

from __future__ import annotations

import subprocess
import sys

PROGRAM = """
from stylefarm.shared.settings import Settings
from stylefarm.worker.host.log import configure, log
configure(Settings(), "worker-1")
log.warning("not stored", reason="cat\\x1b[2J\\n.png is gone")
"""


def test_text_of_others_does_nothing_to_a_terminal() -> None:
    """Given a reason with commands of a terminal in it, if it is logged, I expect one line with escapes."""
    ended = subprocess.run([sys.executable, "-c", PROGRAM], check=True, capture_output=True, text=True)
    (line,) = ended.stderr.splitlines()
    assert "\\x1b[2J" in line
    assert "\x1b" not in line
