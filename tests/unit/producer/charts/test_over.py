"""A metric over the values of an axis."""

from __future__ import annotations

import io

import pytest
from PIL import Image

from stylefarm.producer.charts.over import SpreadLine, over_plot, places_of
from stylefarm.producer.charts.tradeoff import PlotText, Spread
from stylefarm.producer.theme import SERIES

TEXT = PlotText("<b>two</b> $losses", "style_weight", "gram (less is closer)", "a note")


def spread(median: float) -> Spread:
    return Spread(3, median, median * 0.8, median * 1.2)


@pytest.mark.parametrize(
    ("values", "are_numbers", "logarithmic"),
    [
        ([4, 16, 64], True, True),
        ([1, 2, 3, 4], True, False),
        (list(range(1, 31)), True, False),
        ([1, 100], True, True),
        ([5], True, False),
        ([0, 1, 10, 100], False, False),
        ([-1, 0, 1], True, False),
        (["a", "b"], False, False),
        ([True, False], False, False),
        ([1, None], False, False),
        ([], True, False),
    ],
)
def test_the_scale_suits_the_values(values: list[object], are_numbers: bool, logarithmic: bool) -> None:
    """Given values of an axis, I expect a scale on which they are as even as can be, or a place for each."""
    found = places_of(values, [str(value) for value in values])
    assert (found.numbers is not None, found.logarithmic) == (are_numbers, logarithmic)
    assert len(found.positions) == len(values)


@pytest.mark.parametrize("values", [[4, 16, 64], ["cat", "dog", "神"]])
@pytest.mark.parametrize("names", [[""], ["style_loss gram", "style_loss sliced"], [f"seed {n}" for n in range(14)]])
def test_a_line_for_each_method(values: list[object], names: list[str]) -> None:
    """Given methods, one of which has no result for a value, I expect each in its color, and named if there are two."""
    lines = [SpreadLine(name, [spread(0.1 * (n + 1)), None, spread(0.2)]) for n, name in enumerate(names)]
    places = places_of(values, [str(value) for value in values])
    drawn = over_plot(lines, places, TEXT, "svg").decode()
    for number, name in enumerate(names):
        assert SERIES[number % len(SERIES)] in drawn
        assert (f"<!-- {name} -->" in drawn) == (len(names) > 1)
    image = Image.open(io.BytesIO(over_plot(lines, places, TEXT)))
    assert (image.format, image.size) == ("PNG", (1200, 750))


def test_nothing_to_draw() -> None:
    """Given no job that is done, I expect a plot without lines."""
    assert over_plot([SpreadLine("", [None])], places_of([1], ["1"]), TEXT).startswith(b"\x89PNG")
