"""Compare sweeps: what each method, or each value of an axis, reached and how long it took."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from stylefarm.producer.charts.tradeoff import Spread
from stylefarm.producer.client.farm import Sweep
from stylefarm.producer.views.labels import PICTURES, key_of
from stylefarm.producer.views.metrics import metric_names
from stylefarm.producer.views.selection import Axis, select
from stylefarm.producer.views.status import Status
from stylefarm.shared.db.states import State
from stylefarm.shared.errors import InvalidRequest
from stylefarm.shared.spec.spec import JobSpec, nearest

METHOD, SWEEP = "method", "sweep"
# Sweeps that a title names.
MOST_NAMES = 3


@dataclass(frozen=True)
class Group:
    """The jobs of one method: how many there are, how many are done, and the spread of each metric over these.

    Of a comparison over an axis, `at` is their value on it, and `label` what that is called.

    Example:
        >>> str(Group("gatys", jobs=3, done=2, numbers={"ssim": Spread(2, 0.5, low=0.4, high=0.6)}).numbers["ssim"])
        '0.5 (0.4 to 0.6)'
    """

    name: str
    jobs: int
    done: int
    numbers: Mapping[str, Spread]
    at: Any = None
    label: str = ""


@dataclass(frozen=True)
class Comparison:
    """Groups of jobs, what they differ in (`by`), and the metrics that at least one of the jobs has.

    A comparison `over` an axis has a group for each method and each value of the axis; `by` is empty where all jobs are
    of one method.

    Example:
        for group in compare([sweep]).groups:
            print(group.name, group.numbers["ssim"])
    """

    by: str
    groups: Sequence[Group]
    metrics: Sequence[str]
    title: str = ""
    over: str | None = None

    def as_json(self) -> dict[str, Any]:
        """Return the same as plain JSON values.

        Example:
            print(json.dumps(compare([sweep]).as_json()))
        """
        return {
            "by": self.by,
            "over": self.over,
            "metrics": list(self.metrics),
            "groups": [
                {
                    "name": group.name,
                    "at": group.at,
                    "jobs": group.jobs,
                    "done": group.done,
                    "numbers": {name: vars(spread) for name, spread in group.numbers.items()},
                }
                for group in self.groups
            ],
        }


@dataclass(frozen=True)
class _Entry:
    """A job of a sweep, and what that sweep is called."""

    sweep: str
    status: Status


def compare(
    sweeps: Sequence[Sweep],
    *,
    by: str | None = None,
    over: str | None = None,
    where: Mapping[str, Sequence[Any]] | None = None,
) -> Comparison:
    """Compute medians and quartiles of each metric, and of the seconds, over the jobs of one or several sweeps.

    The last loss is left out, since methods differ in what it is. A job counts once in a group, however many cells it
    is.

    Args:
        sweeps: whose jobs are compared.
        by: what the groups differ in: an axis, a parameter of the spec, or "sweep". By default the method; where all
            jobs have one, the sweep, if there are several, or else the first axis that is no picture; over an axis,
            nothing.
        over: an axis or a parameter: the numbers of each of its values apart.
        where: the values that are wanted of some axes, which every sweep has.

    Returns:
        The comparison.

    Raises:
        InvalidRequest: there is no such axis, parameter or value.

    Example:
        write_comparison(compare([sweep], by="style_loss"), "style-losses.html")
    """
    names = _names(sweeps)
    entries = [
        _Entry(names[sweep.id], status)
        for sweep in sweeps
        for status in select(sweep.axes, sweep.statuses(), where=where).statuses
    ]
    if by is not None and by == over:
        raise InvalidRequest(f"by and over are both {by}: give another axis, or one of the two")
    by = by or _natural(sweeps, entries, over)
    names_of, places = _Values.of(entries, by), _Values.of(entries, over or "")
    jobs: dict[tuple[str, str], dict[str, Status]] = {}
    for entry in entries:
        at = (_key(_value(entry, by)), _key(_value(entry, over or "")))
        jobs.setdefault(at, {})[entry.status.id] = entry.status
    metrics = [name for name in metric_names(entry.status for entry in entries) if name != "loss"]
    titles = dict.fromkeys(sweep.name for sweep in sweeps if sweep.name)
    groups = [
        _group(names_of.labels[name], jobs[name, at].values(), metrics, places.values[at], places.labels[at])
        for name in names_of.values
        for at in places.values
        if (name, at) in jobs
    ]
    return Comparison(by, groups, metrics, _title(list(titles)), over)


def _title(names: Sequence[str]) -> str:
    """Return the names of the sweeps, of many the first and how many more there are."""
    more = len(names) - MOST_NAMES
    return ", ".join(names) if more <= 1 else f"{', '.join(names[:MOST_NAMES])} and {more} more"


@dataclass(frozen=True)
class _Values:
    """The values of an axis or a parameter, and what they are called, by their keys; numbers from the lowest up."""

    values: Mapping[str, Any]
    labels: Mapping[str, str]

    @classmethod
    def of(cls, entries: Sequence[_Entry], name: str) -> _Values:
        found = {_key(value): value for value in (_value(entry, name) for entry in entries)}
        if all(isinstance(value, int | float) and not isinstance(value, bool) for value in found.values()):
            found = dict(sorted(found.items(), key=lambda pair: pair[1]))
        return cls(found, dict(zip(found, Axis(name, list(found.values())).labels, strict=True)))


def _names(sweeps: Sequence[Sweep]) -> dict[str, str]:
    """Return what each sweep is called, by its id; those of one name with their ids."""
    counts = Counter(sweep.name for sweep in sweeps)
    return {
        sweep.id: sweep.name if sweep.name and counts[sweep.name] == 1 else f"{sweep.name} {sweep.id[:8]}".strip()
        for sweep in sweeps
    }


def _key(value: Any) -> str:
    """Return a text that values have in common if they are the same; 1 and 1.0 are."""
    return key_of(float(value) if isinstance(value, int) and not isinstance(value, bool) else value)


def _natural(sweeps: Sequence[Sweep], entries: Sequence[_Entry], over: str | None) -> str:
    if over != METHOD and len({entry.status.spec.get(METHOD) for entry in entries}) > 1:
        return METHOD
    if len(sweeps) > 1 and over != SWEEP:
        return SWEEP
    if over is not None:
        return ""
    return next((axis for sweep in sweeps for axis in sweep.axes if axis not in PICTURES), METHOD)


def _value(entry: _Entry, by: str) -> Any:
    """Return what the job has there: as its sweep wrote it, or else as its spec has it."""
    status = entry.status
    if not by:
        return None
    if by == SWEEP:
        return entry.sweep
    if by in status.cell:
        return status.cell[by]
    if by in PICTURES:
        return status.content if by == "content" else status.style
    if by in JobSpec.model_fields:
        return status.spec.get(by)
    known = [SWEEP, *status.cell, *JobSpec.model_fields]
    raise InvalidRequest(f"there is no axis or parameter {by!r}{nearest(by, known)}")


def _group(name: str, jobs: Iterable[Status], metrics: Sequence[str], at: Any, label: str) -> Group:
    jobs = list(jobs)
    done = [job for job in jobs if job.state is State.DONE]
    found = {
        metric: [job.metrics[metric] for job in done if math.isfinite(job.metrics.get(metric, math.nan))]
        for metric in metrics
    }
    numbers = {metric: _spread(values) for metric, values in found.items() if values}
    return Group(name, len(jobs), len(done), numbers, at, label)


def _spread(values: Sequence[float]) -> Spread:
    low, median, high = np.percentile(values, (25, 50, 75)).tolist()
    return Spread(len(values), median, low, high)
