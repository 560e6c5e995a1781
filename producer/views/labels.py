"""What values and cells are called: one function makes the labels of a set, so that no two are the same in it."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from pathlib import PurePath
from typing import Any

from stylefarm.producer.views.status import Status

PICTURES = ("content", "style")

# Letters of a value in the label of a cell; what is longer loses its middle.
LONGEST_VALUE = 48


def label_of(axis: str, value: Any) -> str:
    """Return a short label of a value: pictures without folder and suffix, mappings as name=weight.

    Args:
        axis: the parameter.
        value: one of its values.

    Example:
        >>> label_of("content", "photos/cat.jpg"), label_of("style_loss", {"gram": 1.0})
        ('cat', 'gram=1')
    """
    return _label(axis, value, folders=0)


def value_labels(axis: str, values: Sequence[Any], longest: int = LONGEST_VALUE) -> list[str]:
    """Return a label for each value of an axis; two are the same only if the values are.

    Pictures of one name get their suffix, and as many folders as it takes; what is too long is shortened in its middle.

    Args:
        axis: the parameter.
        values: its values, in which one may stand several times.
        longest: letters of a label.

    Example:
        >>> value_labels("content", ["a/cat.png", "b/cat.png", "dog.png"])
        ['a/cat', 'b/cat', 'dog']
        >>> value_labels("content", ["cat.png", "cat.jpg"])
        ['cat.png', 'cat.jpg']
    """
    keys = [key_of(value) for value in values]
    labels = _labels(axis, dict(zip(keys, values, strict=True)), longest)
    return [labels[key] for key in keys]


def _labels(axis: str, known: Mapping[str, Any], longest: int) -> dict[str, str]:
    """Return a label for each of the values, by their keys."""
    labels = {key: label_of(axis, value) for key, value in known.items()}
    if axis in PICTURES:
        depth = max((path.count("/") for value in known.values() for path in _paths(value)), default=0)
        places = [(folders, suffix) for folders in range(depth + 1) for suffix in (False, True)]
        ways: list[Callable[[str, Any], str]] = [partial(_label, folders=n, suffix=suffix) for n, suffix in places]
    else:
        ways = [lambda _, value: str(value)]
    for way in ways:
        repeated = _repeated(labels.values())
        labels |= {key: way(axis, known[key]) for key, label in labels.items() if label in repeated}
    return _shortened(labels, longest)


def varying_labels(cells: Sequence[Mapping[str, Any]], longest: int = LONGEST_VALUE) -> list[dict[str, str]]:
    """Return, for each cell of a set, the labels of its values on the axes that vary in the set.

    Args:
        cells: values by axis.
        longest: letters of a label.

    Returns:
        Labels by axis, in the order of the axes; two are the same only if the cells are.

    Example:
        >>> varying_labels([{"content": "cat.jpg", "size": 64, "seed": seed} for seed in (1, 2)])
        [{'seed': '1'}, {'seed': '2'}]
    """
    found: list[dict[str, str]] = [{} for _ in cells]
    for axis in dict.fromkeys(axis for cell in cells for axis in cell):
        keys = [key_of(cell.get(axis)) for cell in cells]
        known = {key: cell.get(axis) for key, cell in zip(keys, cells, strict=True)}
        if len(known) < 2:
            continue
        labels = _labels(axis, known, longest)
        for own, cell, key in zip(found, cells, keys, strict=True):
            if axis in cell:
                own[axis] = labels[key]
    return found


def job_labels(statuses: Sequence[Status]) -> list[str]:
    """Return a label for each of several jobs: what varies among their cells; of jobs alike, their pictures.

    Args:
        statuses: jobs, of one sweep or of none.

    Example:
        >>> from stylefarm.shared.db.tables import JobRequestRow, JobRow
        >>> row = JobRow(state="done", cell={"content": "photos/cat.jpg", "seed": 1}, style_name="waves.jpg")
        >>> row.request = JobRequestRow(spec={}, notes=[])
        >>> status = Status.of(row)
        >>> job_labels([status, status.at({"content": "photos/cat.jpg", "seed": 2})]), job_labels([status])
        (['seed 1', 'seed 2'], ['cat x waves'])
    """
    found = varying_labels([pictures_and_cell(status) for status in statuses])
    return [_in_words(labels) or pair_of(status) for labels, status in zip(found, statuses, strict=True)]


def pictures_and_cell(status: Status) -> dict[str, Any]:
    """Return the pictures of a job and its values on the axes of its sweep.

    Args:
        status: the job.

    Example:
        pictures_and_cell(job.status())  # {"content": "cat.jpg", "style": "waves.jpg", "seed": 1}
    """
    names = {axis: name for axis, name in (("content", status.content), ("style", status.style)) if name}
    return {**names, **status.cell}


def pair_of(status: Status) -> str:
    """Return the content and the style of a job, without folders and suffixes.

    Args:
        status: the job.

    Example:
        pair_of(job.status())  # "cat x waves"
    """
    values = pictures_and_cell(status)
    return " x ".join(label_of(axis, values[axis]) for axis in PICTURES if values.get(axis))


def key_of(value: Any) -> str:
    """Return a text that two values of an axis share only if they are the same.

    Args:
        value: of any type that a sweep file can have; it may be a list, and True is not 1.

    Example:
        >>> key_of([1, 2]), key_of(True) == key_of(1)
        ('[1, 2]', False)
    """
    return json.dumps(value, sort_keys=True, default=str)


def shorten(text: str, longest: int) -> str:
    """Return a text of at most so many letters, without its middle where it has more.

    Args:
        text: any.
        longest: letters, at least 3.

    Example:
        >>> shorten("IMG_20260101_holiday_0001", 12)
        'IMG_20…_0001'
    """
    if len(text) <= longest:
        return text
    tail = (longest - 1) // 2
    return f"{text[: longest - 1 - tail]}…{text[len(text) - tail :]}"


def _shortened(labels: Mapping[str, str], longest: int) -> dict[str, str]:
    """Return labels by key, shortened, and numbered where that makes two the same."""
    short = {key: shorten(label, longest) for key, label in labels.items()}
    repeated = _repeated(short.values())
    seen: Counter[str] = Counter()
    for key, label in short.items():
        if label in repeated:
            seen[label] += 1
            short[key] = label if seen[label] == 1 else f"{label}~{seen[label]}"
    return short


def _in_words(labels: Mapping[str, str]) -> str:
    pictures = " x ".join(label for axis, label in labels.items() if axis in PICTURES)
    others = (f"{axis} {label}" for axis, label in labels.items() if axis not in PICTURES)
    return ", ".join(filter(None, (pictures, *others)))


def _label(axis: str, value: Any, folders: int, *, suffix: bool = False) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{name}={label_of('', weight)}" for name, weight in value.items())
    if isinstance(value, list | tuple):
        return (" + " if axis in PICTURES else ", ").join(
            _label(axis, entry, folders, suffix=suffix) for entry in value
        )
    if axis in PICTURES and isinstance(value, str):
        # A status joins the names of several styles by " + ".
        return " + ".join(_picture(path, folders, suffix=suffix) for path in value.split(" + "))
    return f"{value:g}" if isinstance(value, float) else "none" if value is None else str(value)


def _picture(path: str, folders: int, *, suffix: bool) -> str:
    *above, name = PurePath(path).parts or (path,)
    own = name if suffix else PurePath(name).stem
    return "/".join([*above[len(above) - min(folders, len(above)) :], own])


def _paths(value: Any) -> Iterable[str]:
    return [value] if isinstance(value, str) else [str(path) for path in value or ()]


def _repeated(labels: Iterable[str]) -> set[str]:
    return {label for label, count in Counter(labels).items() if count > 1}
