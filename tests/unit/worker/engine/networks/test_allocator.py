"""Memory that is used again, as the system counts the pages that it has given."""

from __future__ import annotations

import ctypes
import json
import subprocess
import sys

import pytest
import torch

from stylefarm.worker.engine.networks import allocator

# In a process of its own: what others have left in the heap would be used first.
PROGRAM = """
import json, resource
from pathlib import Path

from stylefarm import worker
import torch
from stylefarm.worker.engine.networks import allocator

BYTES = 48 << 20

def given():
    "How often the system has given a page, of whatever size."
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt

def one_by_one():
    "Pages given for each of some large tensors, made and freed one after the other."
    pages = []
    for _ in range(24):
        before = given()
        torch.empty(BYTES, dtype=torch.uint8).fill_(1)
        pages.append(given() - before)
    return pages

def held():
    "Large tensors that the process has the room of."
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize() / BYTES

one_by_one()
before, held_before = one_by_one(), held()
with allocator.reuse_memory():
    within, held_within = one_by_one(), held()
held_after, after = held(), one_by_one()
print(json.dumps([before, held_before, within, held_within, held_after, after]))
"""

needs_glibc = pytest.mark.skipif(
    not hasattr(ctypes.CDLL(None), "gnu_get_libc_version"), reason="settings of glibc, which is not here"
)


@needs_glibc
def test_large_tensors_take_the_room_of_those_before_them_and_the_system_gets_it_back() -> None:
    """Given tensors that are freed one after the other, if memory is reused, I expect pages for the first ones alone.

    Before and afterwards each is given its own, and the process is as small as before. Not the first one alone: small
    things that are allocated meanwhile may leave too little between them.
    """
    on_plan = subprocess.run([sys.executable, "-c", PROGRAM], check=True, capture_output=True, text=True).stdout
    before, held_before, within, held_within, held_after, after = json.loads(on_plan)
    assert sum(within) < sum(before)
    assert within[-1] < min(before) / 10
    assert min(after) > min(before) / 2
    assert held_within > held_before + 0.9
    assert held_after < held_before + 0.1


def test_what_outlives_the_block_stays_as_it_is() -> None:
    """Given a tensor made in the block, if the block ends, I expect its values unharmed."""
    with allocator.reuse_memory():
        kept = torch.arange(1 << 20)
        torch.empty(64 << 20, dtype=torch.uint8).fill_(1)
    torch.empty(64 << 20, dtype=torch.uint8).fill_(1)
    assert torch.equal(kept, torch.arange(1 << 20))
