"""The plot of losses, one job by term or many jobs overlaid."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from io import BytesIO
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from stylefarm.producer.charts.lettering import LineEnd, label_ends, lettering, printable
from stylefarm.producer.theme import BACKGROUND, BRIGHT, MUTED, PANEL, RULE, SERIES, TEXT, term_colors

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.lines import Line2D
    from numpy.typing import NDArray


@dataclass(frozen=True)
class LossCurve:
    """The loss curve of one job: an element of each sequence for each recorded iteration.

    Args:
        iterations: the steps done.
        terms: by name, "total" first; each is weighted as it is in the total.
        group: what its color stands for, where there are several curves, as "style_weight 16"; empty: for itself.

    Example:
        >>> LossCurve([0, 1], {"total": [2.0, 1.0]}).total[-1]
        1.0
    """

    iterations: Sequence[float]
    terms: Mapping[str, Sequence[float]]
    group: str = ""

    @property
    def total(self) -> Sequence[float]:
        """The sum of the terms; empty where the job has no point yet."""
        return self.terms.get("total", ())


MOST_PANELS = 6
MOST_NAMES = 16
# So many lines have their names at their ends, in place of a key.
MOST_LABELS = len(SERIES)
# A curve of so many points that goes up in so large a share of its steps is drawn as its mean over a faint line.
FEWEST_NOISY = 100
NOISY = 0.3
NOISE_ALPHA = 0.25


def loss_plot(
    curves: Mapping[str, LossCurve],
    *,
    title: str = "",
    kind: Literal["png", "svg"] = "png",
    log: bool = True,
    overlay: bool | None = None,
) -> bytes:
    r"""Return a PNG or SVG of loss curves over iterations. It may be called from several threads.

    Numbers that cannot be drawn (NaN, infinite; on a logarithmic scale also zero and less) are gaps.

    Args:
        curves: by the name of the job.
        title: above the plot.
        kind: the format.
        log: a logarithmic scale.
        overlay: the totals of all jobs in one panel; by default of more than six. Else each job has a panel, by term.

    Returns:
        The bytes of the file.

    Example:
        >>> loss_plot({"cat": LossCurve([0, 1, 2], {"total": [4.0, 2.0, 1.0]})})[:4]
        b'\x89PNG'
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    in_one = len(curves) > MOST_PANELS if overlay is None else overlay
    figure = _overlay(curves, log) if in_one else _panels(curves, log)
    if title:
        text = printable(title, 100)
        figure.suptitle(text, color=BRIGHT, fontsize=13, x=0.01, ha="left", **lettering(text))
    FigureCanvasAgg(figure)
    return figure_bytes(figure, kind)


def figure_bytes(figure: Figure, kind: Literal["png", "svg"]) -> bytes:
    """Return a figure as the bytes of a file.

    Args:
        figure: what was drawn.
        kind: the format.

    Returns:
        The bytes of the file.

    Example:
        >>> figure_bytes(dark_figure(1.0, 1.0), "svg")[:5]
        b'<?xml'
    """
    file = BytesIO()
    # Without the date, so that the same plot gives the same file.
    metadata = {"Date": None} if kind == "svg" else None
    figure.savefig(file, format=kind, dpi="figure", facecolor="auto", metadata=metadata)
    return file.getvalue()


def dark_figure(width: float, height: float) -> Figure:
    """Return an empty figure of that many inches, on the palette's background.

    Args:
        width: inches.
        height: inches.

    Example:
        >>> dark_figure(4.0, 3.0).get_size_inches().tolist()
        [4.0, 3.0]
    """
    # Not pyplot, which keeps every figure it makes, and is not safe to use from several threads.
    from matplotlib.figure import Figure

    return Figure((width, height), dpi=150, facecolor=BACKGROUND, layout="constrained")


def _panels(curves: Mapping[str, LossCurve], log: bool) -> Figure:
    across = 2 if len(curves) == 4 else min(3, max(1, len(curves)))
    down = max(1, -(-len(curves) // across))
    figure = dark_figure(*((7.2, 4.2) if len(curves) == 1 else (1.2 + 3.4 * across, 0.9 + 2.5 * down)))
    grid = figure.subplots(down, across, sharex=True, sharey=True, squeeze=False)
    colors = term_colors(term for curve in curves.values() for term in curve.terms)
    lines: dict[str, Line2D] = {}
    for axes in grid.flat[len(curves) :]:
        axes.remove()
    for number, (axes, name) in enumerate(zip(grid.flat, curves, strict=False)):
        _dress(axes, log, left=number % across == 0, below=number + across >= len(curves))
        text = printable(name, 48)
        axes.set_title(text, color=TEXT, fontsize=10, loc="left", **lettering(text))
        for term, color in colors.items():
            line = _line(axes, curves[name], term, log, color=color, linewidth=1.8 if term == "total" else 1.2)
            lines |= {term: line} if line else {}
        _say_if_empty(axes)
    if len(curves) == 1:
        label_ends(axes, _ends(lines), 3.4)
    else:
        legend(
            figure, {term: lines[term] for term in colors if term in lines}, max(1, len(colors)), "outside lower right"
        )
    return figure


def _overlay(curves: Mapping[str, LossCurve], log: bool) -> Figure:
    from matplotlib import colormaps

    figure = dark_figure(10, 5.2)
    axes = figure.subplots()
    _dress(axes, log, left=True, below=True)
    axes.set_title(f"total of {len(curves)} jobs", color=TEXT, fontsize=10, loc="left")
    keys = curve_keys(curves)
    known = list(dict.fromkeys(keys.values()))
    few = SERIES if len(known) <= len(SERIES) else colormaps["viridis"](np.linspace(0.25, 1, len(known)))
    colors = dict(zip(known, few, strict=False))
    lines: dict[str, Line2D] = {}
    for name, curve in curves.items():
        line = _line(axes, curve, "total", log, color=colors[keys[name]], linewidth=1.2, alpha=0.9)
        lines |= {keys[name]: line} if line else {}
    _say_if_empty(axes)
    if len(known) == len(curves) <= MOST_LABELS:
        label_ends(axes, _ends(lines), 4.4)
    elif len(lines) <= MOST_NAMES:
        legend(figure, {key: lines[key] for key in known if key in lines}, 1, "outside right upper")
    return figure


def curve_keys(curves: Mapping[str, LossCurve]) -> dict[str, str]:
    """Return what the color of each curve stands for: its group, or itself.

    Args:
        curves: by the name of the job.

    Example:
        >>> curve_keys({"cat": LossCurve([], {}, "size 256"), "dog": LossCurve([], {})})
        {'cat': 'size 256', 'dog': 'dog'}
    """
    return {name: curve.group or name for name, curve in curves.items()}


def _line(axes: Axes, curve: LossCurve, term: str, log: bool, **look: Any) -> Line2D | None:
    """Draw one term; None where it has no number that can be drawn."""
    pairs = zip(curve.iterations, curve.terms.get(term, ()), strict=False)  # the last may still be on its way
    points = np.array(list(pairs), dtype=float).reshape(-1, 2)
    # Outside of float32's range, in which losses are computed, matplotlib's logarithmic scale overflows.
    drawable = np.isfinite(points).all(axis=1) & (points[:, 1] < 1e38)
    drawable &= points[:, 1] > (1e-38 if log else -1e38)
    if not drawable.any():
        return None
    points[~drawable] = np.nan
    smooth = trend(points[:, 1], log=log)
    if smooth is not None:
        axes.plot(points[:, 0], points[:, 1], **{**look, "alpha": NOISE_ALPHA, "linewidth": 0.6})
        return axes.plot(points[:, 0], smooth, **look)[0]
    marker = "o" if drawable.sum() == 1 else None
    return axes.plot(points[:, 0], points[:, 1], marker=marker, markersize=3, **look)[0]


def trend(values: NDArray[np.float64], *, log: bool) -> NDArray[np.float64] | None:
    """Return the moving mean of a noisy curve, over a fiftieth of it; None of one that needs none.

    The losses of a training are each of another batch, so that they go up about as often as down, while those of an
    optimization go down but for a few steps.

    Args:
        values: (N,), with NaN for gaps.
        log: whether it is drawn on a logarithmic scale, where the mean is the geometric one.

    Example:
        >>> trend(np.linspace(2.0, 1.0, 500), log=True) is None
        True
        >>> noisy = 1 + np.random.default_rng(0).random(500)
        >>> mean = trend(noisy, log=False)
        >>> len(mean), bool(mean.std() < noisy.std() / 2)
        (500, True)
    """
    known = np.isfinite(values)
    if known.sum() < FEWEST_NOISY or (np.diff(values[known]) > 0).mean() < NOISY:
        return None
    wide = np.ones(len(values) // 50 * 2 + 1)
    drawn = np.where(known, np.log(values, where=known, out=np.zeros_like(values)) if log else values, 0.0)
    mean = np.convolve(drawn, wide, "same") / np.maximum(1, np.convolve(known, wide, "same"))
    return np.where(known, np.exp(mean) if log else mean, np.nan)


def _ends(lines: Mapping[str, Line2D]) -> list[LineEnd]:
    """Return the last point of each line by its name."""
    return [LineEnd(name, line.get_color(), *_last(line)) for name, line in lines.items()]


def _last(line: Line2D) -> tuple[float, float]:
    points = np.array([line.get_xdata(), line.get_ydata()], dtype=float).T
    x, y = points[np.isfinite(points).all(axis=1)][-1].tolist()
    return x, y


def _say_if_empty(axes: Axes) -> None:
    if not axes.lines:
        axes.text(
            0.5, 0.5, "no losses yet", transform=axes.transAxes, color=MUTED, fontsize=9, ha="center", va="center"
        )


def _dress(axes: Axes, log: bool, *, left: bool, below: bool) -> None:
    """Calm, with numbers where nothing is `left` of it or `below`."""
    from matplotlib.ticker import MaxNLocator

    style_axes(axes)
    axes.set_yscale("log" if log else "linear")
    axes.xaxis.set_major_locator(MaxNLocator(6, steps=[1, 2, 5, 10], integer=True))
    axes.tick_params(which="both", labelleft=left, labelbottom=below)
    axes.set_ylabel("loss" if left else "", color=MUTED, fontsize=9)
    axes.set_xlabel("iteration" if below else "", color=MUTED, fontsize=9)


def style_axes(axes: Axes) -> None:
    """Give axes the palette's colors, whatever the reader's own settings of matplotlib are.

    Args:
        axes: changed in place.

    Example:
        >>> from matplotlib.colors import to_hex
        >>> axes = dark_figure(2.0, 2.0).subplots()
        >>> style_axes(axes)
        >>> to_hex(axes.get_facecolor()) == PANEL
        True
    """
    axes.set_facecolor(PANEL)
    axes.grid(visible=True, color=RULE, linewidth=0.6)
    axes.tick_params(which="both", colors=MUTED, labelsize=8, length=0)
    axes.spines[:].set_visible(False)


def legend(figure: Figure, lines: Mapping[str, Line2D], across: int, place: Any) -> None:
    """Add a legend of the lines at `place`, as matplotlib names places, with `across` names in a row.

    Args:
        figure: gets the legend; without lines it gets none.
        lines: a line for each name.
        across: how many names stand in a row.
        place: a location, as matplotlib names them.

    Example:
        >>> figure = dark_figure(4.0, 3.0)
        >>> (line,) = figure.subplots().plot([2.0, 1.0])
        >>> legend(figure, {"cat": line}, across=1, place="upper right")
        >>> [text.get_text() for text in figure.legends[0].get_texts()]
        ['cat']
    """
    if not lines:
        return
    # A name that begins with an underscore would be left out by matplotlib.
    names = [" " * name.startswith("_") + printable(name, 40) for name in lines]
    made = figure.legend(
        list(lines.values()), names, loc=place, ncols=across, frameon=False, fontsize=8, labelcolor=TEXT
    )
    for text in made.get_texts():
        text.set(**lettering(text.get_text()))
