"""A process ends with the one that started it."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests import REPOSITORY
from tests.servers.processes import are_gone, wait_until

# A process that starts another one, which tells its id and then waits.
PARENT = """\
import subprocess, sys, os
subprocess.run([sys.executable, "-c", sys.argv[1], str(os.getpid())])
"""
CHILD = """\
import os, sys, time
from stylefarm.worker.host import parent_watch
{before}
parent_watch.end_with(int(sys.argv[1]))
print(os.getpid(), flush=True)
time.sleep(600)
"""


@pytest.mark.parametrize("before", ["", "parent_watch._asked_kernel = bool"], ids=["by the kernel", "by itself"])
def test_a_process_ends_with_its_parent(before: str) -> None:
    """Given a process and one that it started, if it is killed, I expect the other to end, whoever sees to that."""
    with subprocess.Popen(
        [sys.executable, "-c", PARENT, CHILD.format(before=before)],
        cwd=REPOSITORY,
        stdout=subprocess.PIPE,
        text=True,
    ) as parent:
        assert parent.stdout is not None
        child = int(parent.stdout.readline())
        assert not are_gone([child])
        parent.kill()
        wait_until(lambda: are_gone([child]), 60)


def test_a_process_whose_parent_is_gone_already_ends() -> None:
    """Given a process that is told of a parent that is not its own any more, I expect it to end at once."""
    ended = subprocess.run([sys.executable, "-c", CHILD.format(before=""), "1"], cwd=REPOSITORY, timeout=120)
    assert ended.returncode == -9
