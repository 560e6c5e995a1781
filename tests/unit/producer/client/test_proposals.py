"""What a search proposes, without a farm: Optuna behind our own words."""

from __future__ import annotations

import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stylefarm.producer.client.proposals import Trial, propose
from stylefarm.producer.grids.search import Search
from stylefarm.producer.grids.values import NumberRange, Values
from stylefarm.shared.errors import InvalidSettings, InvalidSpec

SPACES = st.fixed_dictionaries(
    {
        "style_weight": st.just(NumberRange(0.1, 1000.0, log=True)),
        "iterations": st.just(NumberRange(1, 50, whole=True)),
        "seed": st.lists(st.integers(0, 99), min_size=1, max_size=5, unique=True),
        "style": st.lists(st.sampled_from(["a.png", "b.png", "c.png"]), min_size=1, unique=True),
    }
)


def lies_in(value: object, values: Values) -> bool:
    if isinstance(values, NumberRange):
        assert isinstance(value, int | float)
        return values.low <= value <= values.high and (not values.whole or value == int(value))
    return value in values


@settings(max_examples=25, deadline=None)
@given(space=SPACES, count=st.integers(1, 5), seed=st.integers(0, 2**32 - 1))
def test_what_is_proposed_lies_in_the_space(space: dict[str, Values], count: int, seed: int) -> None:
    """Given any space, I expect as many cells as are asked for, each value of them on its axis, the same each time."""
    search = Search(trials=40, seed=seed)
    tried: list[Trial] = []
    for _ in range(2):
        cells = propose(space, search, tried, count)
        assert len(cells) == count
        assert all(lies_in(cell[axis], values) for cell in cells for axis, values in space.items())
        assert cells == propose(space, search, tried, count)
        tried += [Trial(cell, None if number == 1 else float(number)) for number, cell in enumerate(cells)]


@pytest.mark.parametrize("direction", ["minimize", "maximize"])
def test_a_search_gets_closer(direction: str) -> None:
    """Given a metric with one best place, I expect later proposals far closer to it than the first ones."""
    search = Search(direction=direction, trials=60, seed=1)  # type: ignore[arg-type]
    space: dict[str, Values] = {"style_weight": NumberRange(0.0, 100.0)}
    sign = 1 if direction == "minimize" else -1
    tried: list[Trial] = []
    for _ in range(15):
        cells = propose(space, search, tried, 4)
        tried += [Trial(cell, sign * (cell["style_weight"] - 70.0) ** 2) for cell in cells]
    distances = [abs(one.cell["style_weight"] - 70.0) for one in tried]
    assert sum(distances[-20:]) < 0.5 * sum(distances[:20])


def test_without_optuna_the_remedy_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """Given an installation without Optuna, I expect the command that brings it."""
    monkeypatch.setitem(sys.modules, "optuna", None)
    with pytest.raises(InvalidSettings, match=r"pip install 'stylefarm\[search\]'"):
        propose({"seed": [1, 2]}, Search(), [], 1)


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({"metric": "los"}, "search has no metric 'los': did you mean 'loss'"),
        ({"direction": "down"}, "must be minimize or maximize"),
        ({"trials": 0}, "trials = 0: must be a whole number, 1 to"),
        ({"batch": True}, "batch = True"),
        ({"seed": -1}, "seed = -1"),
        ({"metric": "preference", "direction": "minimize"}, "of which the most is the best: leave out the direction"),
        ({"metric": "preference", "votes": 0}, "votes = 0: must be a whole number, 1 to"),
        ({"votes": 3}, "search has votes, and loss needs none"),
    ],
)
def test_a_search_that_cannot_be_meant_is_refused(fields: dict[str, object], sentence: str) -> None:
    """Given a wrong value, I expect a sentence that names it and what it may be."""
    with pytest.raises(InvalidSpec, match=sentence):
        Search(**fields)  # type: ignore[arg-type]
