"""The plan of faults that a seed draws."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from tests.faults.faults import faults
from tests.faults.nemesis import plan

KNOWN = faults(lease=4)


@given(st.integers(0, 2**32), st.floats(1, 300))
def test_a_plan_follows_from_its_seed_and_keeps_its_lanes_apart(seed: int, seconds: float) -> None:
    """Given a seed, I expect the same plan each time, in which no fault begins before that before it is undone."""
    lanes = plan(seed, seconds, KNOWN)
    assert lanes == plan(seed, seconds, KNOWN)
    for steps in lanes:
        assert all(step.due < seconds for step in steps)
        for before, after in pairwise(steps):
            assert after.fault.lane == before.fault.lane
            assert before.due + before.lasts < after.due


@given(st.integers(0, 2**32))
def test_a_long_plan_leaves_nothing_out(seed: int) -> None:
    planned = {step.fault.name for steps in plan(seed, 200, KNOWN) for step in steps}
    assert planned == {fault.name for fault in KNOWN}


def test_two_seeds_have_two_plans() -> None:
    assert plan(1, 60, KNOWN) != plan(2, 60, KNOWN)
