"""Memory that is used again, as the system counts the pages that it has given."""

from __future__ import annotations

import ctypes
import json
import resource
import subprocess
import sys
from statistics import median
from typing import Any

import pytest
import torch

from stylefarm.worker.engine.networks import allocator

# In a process of its own: what others have left in the heap would be used first.
PROGRAM = """
import ctypes, json, resource, sys
from pathlib import Path

# Pages of one size: whether the system has large ones changes with what else runs there.
PR_SET_THP_DISABLE = 41
ctypes.CDLL(None).prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0)

from stylefarm import worker
import torch
from stylefarm.worker.engine.networks import allocator

BYTES, ROUNDS = map(int, sys.argv[1:])

def given():
    "How often the system has given a page."
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt

def one_by_one(number=ROUNDS):
    "Pages given for each of some large tensors, made and freed one after the other."
    pages = []
    for _ in range(number):
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
    within, held_within = one_by_one(24), held()
held_after, after = held(), one_by_one()
print(json.dumps([before, held_before, within, held_within, held_after, after]))
"""

needs_glibc = pytest.mark.skipif(
    not hasattr(ctypes.CDLL(None), "gnu_get_libc_version"), reason="settings of glibc, which is not here"
)


def _measured(size: int, rounds: int) -> list[Any]:
    command = [sys.executable, "-c", PROGRAM, str(size), str(rounds)]
    found: list[Any] = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    return found


@needs_glibc
def test_tensors_of_a_layer_take_the_room_of_those_before_them() -> None:
    """Given tensors as large as a layer at 512 pixels, if they come one after another, I expect new pages for few."""
    before = _measured(16 << 20, 24)[0]
    assert median(before) < (16 << 20) / resource.getpagesize() / 10


@needs_glibc
def test_large_tensors_take_the_room_of_those_before_them_and_the_system_gets_it_back() -> None:
    """Given tensors that are freed one after the other, if memory is reused, I expect pages for the first ones alone.

    Before and afterwards each is given its own, and the process is as small as before. Not for the first one alone:
    small things that are allocated meanwhile may leave too little room, until they have found places of their own.
    """
    before, held_before, within, held_within, held_after, after = _measured(128 << 20, 4)
    assert median(within) < min(before) / 10
    assert min(after) > min(before) / 2
    assert held_within > held_before + 0.9
    assert held_after < held_before + 0.1


def test_what_outlives_the_block_stays_as_it_is() -> None:
    """Given a tensor made in the block, if the block ends, I expect its values unharmed."""
    with allocator.reuse_memory():
        kept = torch.arange(1 << 20)
        torch.empty(128 << 20, dtype=torch.uint8).fill_(1)
    torch.empty(128 << 20, dtype=torch.uint8).fill_(1)
    assert torch.equal(kept, torch.arange(1 << 20))
