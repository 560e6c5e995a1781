"""The plot of a sweep's losses."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from io import BytesIO
from typing import TYPE_CHECKING, Any

import numpy as np

from producer.sheet import BACKGROUND, BRIGHT, MUTED, PANEL, RULE, TEXT

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.lines import Line2D


@dataclass(frozen=True)
class LossCurve:
    """How the losses of one job fell: one number of each sequence for each recorded iteration.

    The terms are as they are in the total, weighted. A sequence may be empty where a job has no such term.
    """

    iterations: Sequence[float]
    total: Sequence[float]
    content: Sequence[float] = ()
    style: Sequence[float] = ()
    tv: Sequence[float] = ()


MOST_PANELS = 6
MOST_NAMES = 16
_TERMS = {"total": BRIGHT, "content": "#6fb1f5", "style": "#f2a35e", "tv": "#7cc79a"}


def loss_plot(curves: Mapping[str, LossCurve], *, title: str = "") -> bytes:
    """The PNG of loss curves over iterations, on a logarithmic scale.

    Up to six jobs get a panel each, on common axes; of more jobs, the totals are drawn in one panel. Numbers that have
    no logarithm (zero, negative, NaN, infinite) are gaps. Safe to call from several threads.

    Args:
        curves: by the name of the job.
        title: above all.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    figure = _panels(curves) if len(curves) <= MOST_PANELS else _overlay(curves)
    if title:
        figure.suptitle(_printable(title, 100), color=BRIGHT, fontsize=13, x=0.01, ha="left", parse_math=False)
    file = BytesIO()
    FigureCanvasAgg(figure)
    figure.savefig(file, format="png", dpi="figure", facecolor="auto")
    return file.getvalue()


def _figure(width: float, height: float) -> Figure:
    # Not pyplot, which keeps every figure it makes, and is not safe to use from several threads.
    from matplotlib.figure import Figure

    return Figure((width, height), dpi=150, facecolor=BACKGROUND, layout="constrained")


def _panels(curves: Mapping[str, LossCurve]) -> Figure:
    across = 2 if len(curves) == 4 else min(3, max(1, len(curves)))
    down = max(1, -(-len(curves) // across))
    figure = _figure(1.2 + 3.4 * across, 0.9 + 2.5 * down)
    grid = figure.subplots(down, across, sharex=True, sharey=True, squeeze=False)
    lines: dict[str, Line2D] = {}
    for axes in grid.flat[len(curves) :]:
        axes.remove()
    for number, (axes, name) in enumerate(zip(grid.flat, curves, strict=False)):
        _dress(axes, left=number % across == 0, below=number + across >= len(curves))
        axes.set_title(_printable(name, 48), color=TEXT, fontsize=10, loc="left", parse_math=False)
        for term, colour in _TERMS.items():
            line = _line(axes, curves[name], term, color=colour, linewidth=1.8 if term == "total" else 1.2)
            lines |= {term: line} if line else {}
    _legend(figure, {term: lines[term] for term in _TERMS if term in lines}, len(_TERMS), "outside lower right")
    return figure


def _overlay(curves: Mapping[str, LossCurve]) -> Figure:
    from matplotlib import colormaps

    figure = _figure(10, 5.2)
    axes = figure.subplots()
    _dress(axes, left=True, below=True)
    axes.set_title(f"total of {len(curves)} jobs", color=TEXT, fontsize=10, loc="left")
    colours = colormaps["viridis"](np.linspace(0.25, 1, len(curves)))
    lines: dict[str, Line2D] = {}
    for (name, curve), colour in zip(curves.items(), colours, strict=True):
        line = _line(axes, curve, "total", color=colour, linewidth=1.2, alpha=0.9)
        lines |= {name: line} if line else {}
    if len(lines) <= MOST_NAMES:
        _legend(figure, lines, 1, "outside right upper")
    return figure


def _line(axes: Axes, curve: LossCurve, term: str, **look: Any) -> Line2D | None:
    """Draw one term; None where it has no number that can be drawn."""
    pairs = zip(curve.iterations, getattr(curve, term), strict=False)  # the last may still be on its way
    points = np.array(list(pairs), dtype=float).reshape(-1, 2)
    # Beyond the range of float32, in which losses are computed, the logarithmic scale itself overflows.
    drawable = np.isfinite(points).all(axis=1) & (points[:, 1] > 1e-38) & (points[:, 1] < 1e38)
    if not drawable.any():
        return None
    points[~drawable] = np.nan
    marker = "o" if drawable.sum() == 1 else None
    return axes.plot(points[:, 0], points[:, 1], marker=marker, markersize=3, **look)[0]


def _dress(axes: Axes, *, left: bool, below: bool) -> None:
    """Dark and calm, whatever the reader's own settings are; with numbers where nothing is `left` of it or `below`."""
    from matplotlib.ticker import MaxNLocator

    axes.set_facecolor(PANEL)
    axes.set_yscale("log")
    axes.xaxis.set_major_locator(MaxNLocator(6, steps=[1, 2, 5, 10], integer=True))
    axes.grid(visible=True, color=RULE, linewidth=0.6)
    axes.tick_params(which="both", colors=MUTED, labelsize=8, length=0)
    axes.tick_params(which="both", labelleft=left, labelbottom=below)
    axes.set_ylabel("loss" if left else "", color=MUTED, fontsize=9)
    axes.set_xlabel("iteration" if below else "", color=MUTED, fontsize=9)
    axes.spines[:].set_visible(False)


def _legend(figure: Figure, lines: Mapping[str, Line2D], across: int, place: Any) -> None:
    if not lines:
        return
    # A name that begins with an underscore would be left out by matplotlib.
    names = [" " * name.startswith("_") + _printable(name, 40) for name in lines]
    legend = figure.legend(
        list(lines.values()), names, loc=place, ncols=across, frameon=False, fontsize=8, labelcolor=TEXT
    )
    for text in legend.get_texts():
        text.set_parse_math(False)


def _printable(text: str, most: int) -> str:
    """`text` on one line of at most `most` letters; for letters that the font lacks, which would warn, a square."""
    from matplotlib.font_manager import findfont, get_font

    font = get_font(findfont("DejaVu Sans"))
    line = " ".join(text.split())
    short = line if len(line) <= most else line[: most - 1].rstrip() + "…"
    return "".join(letter if font.get_char_index(ord(letter)) else "□" for letter in short)
