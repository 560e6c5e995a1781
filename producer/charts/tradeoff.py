"""The plot of methods by what they reached and how long they took."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from textwrap import fill
from typing import TYPE_CHECKING, Literal

from stylefarm.producer.charts.lettering import lettering, printable
from stylefarm.producer.charts.losses import dark_figure, figure_bytes, legend, style_axes
from stylefarm.producer.theme import BRIGHT, MUTED, SERIES

if TYPE_CHECKING:
    from matplotlib.figure import Figure

# If the slowest takes more times as long as the fastest, a linear scale would crowd most points into a corner.
LINEAR_UP_TO = 20


@dataclass(frozen=True)
class Spread:
    """The median and the quartiles of a metric over `count` jobs.

    Example:
        >>> str(Spread(count=3, median=0.5, low=0.25, high=1.0))
        '0.5 (0.25 to 1)'
    """

    count: int
    median: float
    low: float
    high: float

    def __str__(self) -> str:
        middle = f"{self.median:.3g}"
        return middle if self.count == 1 else f"{middle} ({self.low:.3g} to {self.high:.3g})"

    @property
    def arms(self) -> tuple[float, float]:
        """The distances of the quartiles from the median, below and above it; at least 0.

        Example:
            >>> Spread(count=3, median=0.5, low=0.25, high=1.0).arms
            (0.25, 0.5)
        """
        return max(0.0, self.median - self.low), max(0.0, self.high - self.median)


@dataclass(frozen=True)
class Point:
    """A method: seconds on the horizontal axis, a metric on the vertical one.

    Example:
        >>> Point("gatys", x=Spread(1, 9.0, 9.0, 9.0), y=Spread(1, 0.5, 0.5, 0.5)).name
        'gatys'
    """

    name: str
    x: Spread
    y: Spread


@dataclass(frozen=True)
class PlotText:
    """The texts of a plot: title, axes, and a note below it.

    Example:
        >>> PlotText(title="methods", across="seconds", up="ssim", note="").up
        'ssim'
    """

    title: str
    across: str
    up: str
    note: str


def spans_decades(points: Sequence[Point]) -> bool:
    """Return whether the seconds of the points need a logarithmic scale.

    Args:
        points: the methods; `x` is their seconds.

    Example:
        >>> fast, slow = Spread(1, 1.0, 1.0, 1.0), Spread(1, 60.0, 60.0, 60.0)
        >>> spans_decades([Point("fast", fast, fast), Point("slow", slow, slow)])
        True
    """
    return needs_logarithm([point.x.median for point in points])


def needs_logarithm(numbers: Sequence[float]) -> bool:
    """Return whether a linear scale would crowd most of these numbers into a corner, and a logarithmic one can be had.

    Args:
        numbers: what is shown on an axis.

    Example:
        >>> needs_logarithm([1, 10, 100]), needs_logarithm([1, 2, 3]), needs_logarithm([0, 100])
        (True, False, False)
    """
    return min(numbers, default=0) > 0 and max(numbers) > LINEAR_UP_TO * min(numbers)


def metric_spans_decades(points: Sequence[Point]) -> bool:
    """Return whether the metric of the points needs a logarithmic scale.

    Args:
        points: the methods; `y` is their metric.

    Example:
        >>> near, far = Spread(1, 0.001, 0.001, 0.002), Spread(1, 0.1, 0.1, 0.2)
        >>> metric_spans_decades([Point("near", near, near), Point("far", far, far)])
        True
    """
    return needs_logarithm([end for point in points for end in (point.y.low, point.y.median, point.y.high)])


def trade_off_plot(points: Sequence[Point], text: PlotText, kind: Literal["png", "svg"] = "png") -> bytes:
    """Return a PNG or SVG of a point for each method, with arms to the quartiles in both directions.

    Args:
        points: the methods.
        text: title, axes and note.
        kind: the format.

    Returns:
        The bytes of the file.

    Example:
        image = trade_off_plot(points, PlotText("methods", "seconds", "ssim", ""))
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    figure = dark_figure(8, 5)
    axes = figure.subplots()
    style_axes(axes)
    axes.set_xscale("log" if spans_decades(points) else "linear")
    axes.set_yscale("log" if metric_spans_decades(points) else "linear")
    axes.set_xlabel(text.across, color=MUTED, fontsize=9)
    axes.set_ylabel(text.up, color=MUTED, fontsize=9)
    axes.margins(0.12)
    lines = {}
    for number, point in enumerate(points):
        color = SERIES[number % len(SERIES)]
        arms = ([[arm] for arm in spread.arms] for spread in (point.x, point.y))
        across, up = arms
        bars = axes.errorbar(
            [point.x.median],
            [point.y.median],
            up,
            across,
            fmt="o",
            color=color,
            markersize=7,
            elinewidth=1.1,
            alpha=0.95,
        )
        lines[point.name] = bars.lines[0]
    legend(figure, lines, 1, "outside right upper")
    add_words(figure, text)
    FigureCanvasAgg(figure)
    return figure_bytes(figure, kind)


def add_words(figure: Figure, text: PlotText) -> None:
    """Add the title above a plot, and the note below it.

    Args:
        figure: changed in place.
        text: its title and note.

    Example:
        >>> figure = dark_figure(4.0, 3.0)
        >>> add_words(figure, PlotText("methods", "", "", "a note"))
        >>> figure.get_suptitle()
        'methods'
    """
    title = printable(text.title, 100)
    figure.suptitle(title, color=BRIGHT, fontsize=13, x=0.01, ha="left", **lettering(title))
    figure.supxlabel(fill(text.note, 150), color=MUTED, fontsize=7, x=0.01, ha="left")
