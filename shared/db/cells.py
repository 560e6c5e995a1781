"""The cells of sweeps: the values that a sweep asks of each of its jobs."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import PurePath
from typing import Any

# Axes whose values are pictures.
PICTURE_AXES = ("content", "style")


def picture_names(cell: Mapping[str, Any]) -> dict[str, str]:
    """Return what a cell calls its pictures, by column; nothing for pictures that are on no axis.

    Args:
        cell: values by axis, of which `content` and `style` are paths or addresses.

    Example:
        >>> picture_names({"content": "cats/tom.png", "style": ["a/waves.jpg", "night.jpg"], "size": 256})
        {'content_name': 'tom.png', 'style_name': 'waves.jpg + night.jpg'}
    """
    named = {axis: [cell[axis]] if isinstance(cell[axis], str) else cell[axis] for axis in PICTURE_AXES if axis in cell}
    return {f"{axis}_name": " + ".join(PurePath(path).name for path in paths) for axis, paths in named.items()}
