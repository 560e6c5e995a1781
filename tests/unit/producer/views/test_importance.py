"""Eta squared: the share of a metric's variance that an axis explains."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stylefarm.producer.views.importance import eta_squared


@pytest.mark.parametrize(
    ("groups", "values", "expected"),
    [
        ("aabb", [1, 1, 3, 3], 1.0),
        ("abab", [1, 1, 3, 3], 0.0),
        # Means 2 and 4 around 3: between 4, in all 8.
        ("aabb", [1, 3, 3, 5], 0.5),
        ("aab", [1, 2, 3], None),
        ("aabb", [2, 2, 2, 2], None),
        ("aabbc", [1, 1, 3, 3, None], 1.0),
    ],
)
def test_it_is_what_fisher_says(groups: str, values: list[float | None], expected: float | None) -> None:
    """Given groups worked out by hand, I expect their share; None where nothing can be said."""
    assert eta_squared(groups, values) == (None if expected is None else pytest.approx(expected))


@given(st.lists(st.tuples(st.integers(0, 3), st.none() | st.floats(-1e6, 1e6)), max_size=40))
def test_it_is_a_share(cells: list[tuple[int, float | None]]) -> None:
    """Given any cells, I expect a share from 0 to 1, or none."""
    found = eta_squared([group for group, _ in cells], [value for _, value in cells])
    assert found is None or 0 <= found <= 1
