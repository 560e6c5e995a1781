"""Which hints come and which go."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from hypothesis import given
from hypothesis import strategies as st

from stylefarm.shared.dispatch.announcer import make_plan
from stylefarm.shared.queue.routes import Hint

PRIORITIES = st.integers(0, 9)
# Rows that are queued, by id, and the hints that stand, some of them for rows that are not (any more), or twice.
ROWS = st.dictionaries(st.integers(0, 40), PRIORITIES, max_size=30)
STANDING = st.lists(st.tuples(st.integers(0, 50), PRIORITIES), max_size=30)


def most_urgent(rows: Mapping[int, int], window: int) -> list[Hint]:
    ordered = sorted(rows.items(), key=lambda row: (-row[1], row[0]))
    return [Hint(str(job), "q", priority) for job, priority in ordered[:window]]


def by_priority(standing: Sequence[tuple[int, int]]) -> dict[int, list[str]]:
    return {p: [str(job) for job, priority in standing if priority == p] for p in range(10)}


@given(rows=ROWS, standing=STANDING, window=st.integers(1, 20))
def test_a_plan_keeps_to_the_window(rows: dict[int, int], standing: list[tuple[int, int]], window: int) -> None:
    """Given any rows and hints, I expect no more hints than the window, no double, and no urgent job left out."""
    wanted, there = most_urgent(rows, window), by_priority(standing)
    plan = make_plan(wanted, there, window)
    after = len(standing) - sum(plan.drop.values()) + len(plan.publish)
    assert after <= max(window, len(standing))
    assert all(count <= len(there[priority]) for priority, count in plan.drop.items())
    assert not {(h.job_id, h.priority) for h in plan.publish} & {(str(job), p) for job, p in standing}
    assert len(set(plan.publish)) == len(plan.publish)
    # A hint that was left out for lack of room is not more urgent than any that was published.
    missing = [h for h in wanted if h not in plan.publish and h.job_id not in there[h.priority]]
    remaining = [p for p, ids in there.items() if len(ids) > plan.drop.get(p, 0)]
    assert not missing or max(h.priority for h in missing) <= min(remaining, default=9)


@given(rows=ROWS, window=st.integers(1, 20))
def test_an_emptied_redis_is_filled_again(rows: dict[int, int], window: int) -> None:
    """Given rows and no hint at all, I expect the most urgent ones announced, in their order."""
    wanted = most_urgent(rows, window)
    assert make_plan(wanted, {}, window).publish == wanted
