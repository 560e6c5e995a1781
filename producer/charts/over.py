"""The plot of a metric over the values of an axis: a line for each method, with its spread."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Literal

from stylefarm.producer.charts.lettering import LineEnd, label_ends, lettering, printable
from stylefarm.producer.charts.losses import dark_figure, figure_bytes, legend, style_axes
from stylefarm.producer.charts.tradeoff import PlotText, Spread, add_words, needs_logarithm
from stylefarm.producer.theme import MUTED, SERIES

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# So many values of an axis have a tick each.
MOST_TICKS = 12
# Lines that have their names at their ends.
MOST_LABELS = 10
# What the points of one value of an axis without numbers take of the room between two values.
DODGE = 0.5


@dataclass(frozen=True)
class Places:
    """Where the values of an axis are on the horizontal axis of a plot.

    Args:
        labels: of the values.
        numbers: the values, from the lowest to the highest; none where they are no numbers, or would crowd.

    Example:
        >>> places_of([4, 16.0, 64], ["4", "16", "64"]).logarithmic, places_of([1, 2, 3], ["1", "2", "3"]).logarithmic
        (True, False)
    """

    labels: Sequence[str]
    numbers: Sequence[float] | None

    @property
    def positions(self) -> Sequence[float]:
        """A number for each value."""
        return self.numbers if self.numbers is not None else range(len(self.labels))

    @property
    def logarithmic(self) -> bool:
        """Whether they are on a logarithmic scale."""
        return self.numbers is not None and _by_ratio(self.numbers)


def places_of(values: Sequence[object], labels: Sequence[str]) -> Places:
    """Return where values of an axis are.

    Args:
        values: of any type.
        labels: one for each.

    Example:
        >>> places_of([0, 1, 1000], ["0", "1", "1000"]).positions
        range(0, 3)
    """
    numbers = [float(value) for value in values if isinstance(value, int | float) and not isinstance(value, bool)]
    if len(numbers) < len(values) or not all(math.isfinite(number) for number in numbers):
        return Places(labels, None)
    # With a zero among decades, neither scale shows the others: equal steps do.
    crowded = min(numbers, default=1) <= 0 and _by_ratio([number for number in numbers if number > 0])
    return Places(labels, None if crowded else numbers)


def _by_ratio(numbers: Sequence[float]) -> bool:
    """Whether numbers are more evenly apart by their ratios, as 4, 16, 64, than by their differences."""
    if min(numbers, default=0) <= 0:
        return False
    if len(numbers) < 3:
        return needs_logarithm(numbers)
    return _unevenness([math.log(number) for number in numbers]) < _unevenness(numbers)


def _unevenness(numbers: Sequence[float]) -> float:
    gaps = [after - before for before, after in pairwise(sorted(set(numbers)))]
    return max(gaps, default=1) / min(gaps, default=1)


@dataclass(frozen=True)
class SpreadLine:
    """A method: for each value of the axis the spread of the metric, or None where no job is done.

    Example:
        >>> SpreadLine("gatys", [None, Spread(1, 0.5, 0.5, 0.5)]).name
        'gatys'
    """

    name: str
    spreads: Sequence[Spread | None]


def over_plot(
    lines: Sequence[SpreadLine], places: Places, text: PlotText, kind: Literal["png", "svg"] = "png"
) -> bytes:
    """Return a PNG or SVG of a metric over an axis: medians, with a band or arms to the quartiles.

    Args:
        lines: the methods.
        places: the values of the axis.
        text: title, axes and note.
        kind: the format.

    Returns:
        The bytes of the file.

    Example:
        image = over_plot(lines, places, PlotText("methods", "style_weight", "ssim", ""))
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    figure = dark_figure(8, 5)
    axes = figure.subplots()
    style_axes(axes)
    _scales(axes, lines, places)
    axes.set_xlabel(printable(text.across, 60), color=MUTED, fontsize=9)
    axes.set_ylabel(text.up, color=MUTED, fontsize=9)
    drawn = {}
    for number, line in enumerate(lines):
        shift = DODGE * ((number + 0.5) / len(lines) - 0.5) if places.numbers is None else 0.0
        points = [(x + shift, spread) for x, spread in zip(places.positions, line.spreads, strict=True) if spread]
        if points:
            points.sort(key=lambda point: point[0])
            _line(axes, points, SERIES[number % len(SERIES)], joined=places.numbers is not None)
            drawn[line.name] = (SERIES[number % len(SERIES)], points[-1])
    if len(lines) > 1:
        _name(axes, drawn, at_ends=places.numbers is not None and len(drawn) <= MOST_LABELS)
    add_words(figure, text)
    FigureCanvasAgg(figure)
    return figure_bytes(figure, kind)


def _scales(axes: Axes, lines: Sequence[SpreadLine], places: Places) -> None:
    from matplotlib.ticker import NullLocator

    axes.set_xscale("log" if places.logarithmic else "linear")
    found = [value for line in lines for spread in line.spreads if spread for value in (spread.low, spread.high)]
    axes.set_yscale("log" if needs_logarithm(found) else "linear")
    axes.margins(0.06, 0.1)
    if places.numbers is None or len(places.labels) <= MOST_TICKS:
        labels = [printable(label, 24) for label in places.labels]
        axes.set_xticks(list(places.positions), labels, **lettering(*labels))
        axes.xaxis.set_minor_locator(NullLocator())
    if places.numbers is None:
        axes.set_xlim(-0.6, len(places.labels) - 0.4)
        if sum(map(len, places.labels)) > 80:
            axes.tick_params(axis="x", labelrotation=30)


def _line(axes: Axes, points: Sequence[tuple[float, Spread]], color: str, *, joined: bool) -> None:
    x = [place for place, _ in points]
    medians = [spread.median for _, spread in points]
    if joined:
        low, high = ([getattr(spread, name) for _, spread in points] for name in ("low", "high"))
        axes.fill_between(x, low, high, color=color, alpha=0.16, linewidth=0)
        axes.plot(x, medians, color=color, linewidth=1.6, marker="o", markersize=4.5)
        return
    arms = [[spread.arms[side] for _, spread in points] for side in (0, 1)]
    axes.errorbar(x, medians, arms, fmt="o", color=color, markersize=6, elinewidth=1.2, alpha=0.95)


def _name(axes: Axes, drawn: dict[str, tuple[str, tuple[float, Spread]]], *, at_ends: bool) -> None:
    """Say which line is which: at their ends, or in a key."""
    from matplotlib.lines import Line2D

    if at_ends:
        ends = [LineEnd(name, color, x, spread.median) for name, (color, (x, spread)) in drawn.items()]
        label_ends(axes, ends, 3.8)
        return
    keys = {name: Line2D([], [], color=color, marker="o", linestyle="none") for name, (color, _) in drawn.items()}
    figure = axes.get_figure(root=True)
    if figure is not None:
        legend(figure, keys, 1, "outside right upper")
