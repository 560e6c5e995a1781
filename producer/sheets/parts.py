"""What a contact sheet is made of: heads, cells, and the texts around them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from PIL import Image


@dataclass(frozen=True)
class Head:
    """What a row or a column stands for: a picture with its name, or the value of a parameter, as text.

    Where a label is too long for its place, all heads of its axis show what is `short`.

    Example:
        >>> Head("size = 512", short="512").label
        'size = 512'
    """

    label: str
    image: Image.Image | None = None
    short: str = ""


# Those of a row or a column, the outermost first; none where a side has no axis.
Heads = tuple[Head, ...]


@dataclass(frozen=True)
class Cell:
    """One result: its picture, or the problem in its place ("failed: ...", "waiting").

    The caption has at most two lines. `progress` is 0 to 1, drawn as a line at the foot of a picture that is not done.
    A `blank` cell is left empty.

    Example:
        >>> picture = Image.new("RGB", (64, 48))
        >>> Cell(picture, caption="running 50/200", progress=0.25).progress, Cell(problem="waiting").image
        (0.25, None)
    """

    image: Image.Image | None = None
    caption: str = ""
    problem: str = ""
    progress: float | None = None
    blank: bool = False


@dataclass(frozen=True)
class Words:
    """The texts around a sheet: above all; in the corner, what columns and rows are, a line each; below all, small.

    Example:
        >>> Words(title="cats", corner="content / style").foot
        ''
    """

    title: str = ""
    corner: str = ""
    foot: str = ""


def spans(side: Sequence[Heads], level: int) -> list[tuple[int, int]]:
    """Return the first and the last place of each run of rows or columns that have their heads in common.

    Args:
        side: the heads of the rows, or of the columns.
        level: down to which heads are compared; 0 are the outermost.

    Example:
        >>> cat, dog, small, large = (Head(word) for word in ("cat", "dog", "256", "512"))
        >>> spans([(cat, small), (cat, large), (dog, small)], level=0)
        [(0, 1), (2, 2)]
    """
    found, first = [], 0
    for place in range(1, len(side) + 1):
        if place == len(side) or any(side[place][at] is not side[first][at] for at in range(level + 1)):
            found.append((first, place - 1))
            first = place
    return found


def groups_begin(side: Sequence[Heads]) -> list[bool]:
    """Return whether a group begins with each row or column; nowhere on a side of one axis, which has no groups.

    Args:
        side: the heads of the rows, or of the columns.

    Example:
        >>> cat, dog, small = (Head(word) for word in ("cat", "dog", "256"))
        >>> groups_begin([(cat, small), (dog, small)]), groups_begin([(cat,), (dog,)])
        ([True, True], [False, False])
    """
    if not side or len(side[0]) < 2:
        return [False] * len(side)
    firsts = {first for first, _ in spans(side, level=0)}
    return [place in firsts for place in range(len(side))]
