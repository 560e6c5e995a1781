"""What each axis explains: eta squared of a grid, PED-ANOVA of a search."""

from __future__ import annotations

import random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stylefarm.producer.views.importance import eta_squared, importance


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


@pytest.mark.parametrize("better", ["loss", "ssim"])
def test_of_a_search_that_counts_which_the_best_cells_share(better: str) -> None:
    """Given drawn values of which one alone moves a metric, either way, I expect it to matter most."""
    draw = random.Random(7)
    weights = [10 ** draw.uniform(0, 3) for _ in range(40)]
    losses: list[float | None] = [abs(weight - 200) for weight in weights]
    if better == "ssim":
        losses = [None if loss is None else -loss for loss in losses]
    losses[3] = None
    axes: dict[str, list[Any]] = {
        "style_weight": weights,
        "tv_weight": [draw.random() for _ in weights],
        "style_loss": [draw.choice(["gram", "sliced"]) for _ in weights],
        "size": [256 for _ in weights],
    }
    found = importance(axes, {better: losses, "gram": [None] * 40})
    assert found.method == "ped_anova"
    shares = {name: share or 0.0 for name, share in found.shares[better].items()}
    assert shares["style_weight"] > 0.7
    assert sum(shares.values()) == pytest.approx(1)
    assert shares["size"] == 0
    assert found.shares["gram"] == dict.fromkeys(axes)
