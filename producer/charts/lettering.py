"""Texts in plots: on one line, in fonts that have their letters, and labels at the ends of lines."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from stylefarm.shared.images import fonts

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_registering = threading.Lock()

# The size of the labels at line ends, in points, and from one to the next.
LABEL_POINTS, LABEL_STEP = 8.0, 10.5


def printable(text: str, most: int) -> str:
    """Return `text` on one line of at most `most` letters; Latin ones for those that no font has.

    Args:
        text: any text.
        most: the number of letters, at most.

    Example:
        >>> printable("a long name", 6)
        'a lon…'
    """
    line = fonts.legible(" ".join(text.split()))
    return line if len(line) <= most else line[: most - 1].rstrip() + "…"


def lettering(*texts: str) -> dict[str, Any]:
    """Return the properties with which matplotlib draws texts as they are: in fonts that have them, and no formulas.

    Args:
        texts: what is drawn.

    Example:
        >>> lettering("cat")
        {'fontfamily': ['DejaVu Sans'], 'parse_math': False}
    """
    paths = dict.fromkeys([fonts.own_font(), *(path for text in texts for _, path in fonts.runs(text))])
    return {"fontfamily": list(dict.fromkeys(_family(path) for path in paths)), "parse_math": False}


@cache
def _family(path: Path) -> str:
    """Return the name by which matplotlib finds a font."""
    from matplotlib.font_manager import FontProperties, fontManager

    name = FontProperties(fname=path).get_name()
    with _registering:
        if all(Path(entry.fname) != path for entry in fontManager.ttflist):
            fontManager.addfont(path)
    return name


@dataclass(frozen=True)
class LineEnd:
    """The last point of a line, and what is written beside it.

    Example:
        >>> LineEnd("cat", "#6fb1f5", x=100.0, y=0.5).label
        'cat'
    """

    label: str
    color: Any
    x: float
    y: float


def label_ends(axes: Axes, ends: Sequence[LineEnd], height: float) -> None:
    """Write labels to the right of a plot, each as near as it can be to the end of its line, and none over another.

    Args:
        axes: with its lines; their limits and scales stay as they are from now on.
        ends: one for each line.
        height: of the axes, about, in inches.

    Example:
        >>> from stylefarm.producer.charts.losses import dark_figure
        >>> axes = dark_figure(4.0, 3.0).subplots()
        >>> _ = axes.plot([0, 1], [2.0, 1.0])
        >>> label_ends(axes, [LineEnd("cat", "w", 1, 1.0), LineEnd("dog", "w", 1, 1.001)], height=2.5)
        >>> [text.get_text() for text in axes.texts]
        ['cat', 'dog']
    """
    axes.set_xlim(axes.get_xlim())
    axes.set_ylim(axes.get_ylim())
    to_share = axes.transData + axes.transAxes.inverted()
    wanted = [float(to_share.transform((end.x, end.y))[1]) for end in ends]
    for end, share in zip(ends, apart(wanted, LABEL_STEP / 72 / height), strict=True):
        text = printable(end.label, 36)
        axes.annotate(
            text,
            (end.x, end.y),
            (1.025, share),
            textcoords="axes fraction",
            color=end.color,
            fontsize=LABEL_POINTS,
            va="center",
            annotation_clip=False,
            arrowprops={"arrowstyle": "-", "color": end.color, "linewidth": 0.6, "alpha": 0.6, "relpos": (0, 0.5)},
            **lettering(text),
        )


def apart(wanted: Sequence[float], step: float) -> list[float]:
    """Return places at least `step` from each other, as near as can be to those that are wanted, in the same order.

    Args:
        wanted: places from 0 to 1.
        step: between neighbors.

    Example:
        >>> [round(place, 2) for place in apart([0.5, 0.5, 0.9], 0.1)]
        [0.45, 0.55, 0.9]
    """
    order = sorted(range(len(wanted)), key=lambda number: wanted[number])
    # Blocks of labels that touch: how many there are, and the sum of where each would have the first of them.
    blocks: list[tuple[int, float]] = []
    for number in order:
        count, total = 1, wanted[number]
        while blocks and blocks[-1][1] / blocks[-1][0] + blocks[-1][0] * step > total / count:
            before, sum_before = blocks.pop()
            total = sum_before + total - count * before * step
            count += before
        blocks.append((count, total))
    places = [total / count + place * step for count, total in blocks for place in range(count)]
    return [place for _, place in sorted(zip(order, places, strict=True))]
