"""Values that a program gives, as a spec and JSON take them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Set
from pathlib import PurePath
from typing import Any


def to_plain(value: Any) -> Any:
    """Return a value as a spec and JSON take it: paths as text, collections of any kind as lists.

    Args:
        value: a parameter, or parameters by name; numbers and arrays may be those of NumPy, pandas or torch. A set is
            sorted, so that the same one gives the same sweep.

    Example:
        >>> from pathlib import Path
        >>> to_plain({"content": Path("cat.jpg"), "style": (Path("waves.jpg"),)})
        {'content': 'cat.jpg', 'style': ['waves.jpg']}
        >>> import numpy as np
        >>> to_plain([range(3), {2, 1}, np.linspace(0, 1, 3), np.int64(5), (n * n for n in (1, 2))])
        [[0, 1, 2], [1, 2], [0.0, 0.5, 1.0], 5, [1, 4]]
    """
    if isinstance(value, PurePath):
        return str(value)
    if isinstance(value, Mapping):
        return {name: to_plain(entry) for name, entry in value.items()}
    if hasattr(value, "tolist"):
        return to_plain(value.tolist())
    if isinstance(value, Set):
        entries = [to_plain(entry) for entry in value]
        return sorted(entries, key=lambda entry: (str(type(entry)), entry))
    if isinstance(value, Iterable) and not isinstance(value, str | bytes):
        return [to_plain(entry) for entry in value]
    return value
