"""The metrics that results are compared by: what each of them means, and what none of them can tell."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from stylefarm.producer.views.status import Status
from stylefarm.shared.errors import InvalidRequest
from stylefarm.shared.text import nearest

# Shown wherever the numbers are.
NOT_VALIDATED = (
    "None of these metrics has been validated against people's judgement: they compare methods, and do not say which "
    "picture is better."
)


@dataclass(frozen=True)
class MetricInfo:
    """What a metric of a finished job means, and which end of a ranking comes first.

    Example:
        >>> MEASURES["ssim"].higher_is_better
        True
    """

    description: str
    higher_is_better: bool = False


MEASURES: Mapping[str, MetricInfo] = {
    "gram": MetricInfo("distance to the style, Gram matrices of a held-out network"),
    "sliced": MetricInfo("distance to the style, sliced Wasserstein on a held-out network"),
    "self_similarity": MetricInfo("distance to the content, self-similarities on a held-out network"),
    "ssim": MetricInfo("structural similarity to the content, 1 for the same", higher_is_better=True),
    "clipped": MetricInfo("share of values that were clipped"),
    "seconds": MetricInfo("seconds of rendering"),
    "loss_ratio": MetricInfo("the last loss over the first, of jobs that have diverged"),
    "loss": MetricInfo("the last loss; of jobs that differ in no weight of it"),
}


def measured(status: Status, name: str) -> float | None:
    """Return a metric of a job, or None where it has none yet.

    Args:
        status: the job.
        name: "loss" (the last total) or the name of a metric.

    Example:
        >>> from stylefarm.shared.db.tables import JobRequestRow, JobRow
        >>> row = JobRow(state="done", loss=2.5, metrics={"ssim": 0.7}, request=JobRequestRow(spec={}, notes=[]))
        >>> [measured(Status.of(row), name) for name in ("loss", "ssim", "gram")]
        [2.5, 0.7, None]
    """
    return status.loss if name == "loss" else status.metrics.get(name)


def metric_names(statuses: Iterable[Status]) -> list[str]:
    """Return the names of the metrics that at least one of the jobs has.

    Args:
        statuses: the jobs.

    Returns:
        "loss" and the names; known ones first, in their order.

    Example:
        >>> from stylefarm.shared.db.tables import JobRequestRow, JobRow
        >>> row = JobRow(state="done", metrics={"new": 2.0, "ssim": 0.7}, request=JobRequestRow(spec={}, notes=[]))
        >>> metric_names([Status.of(row)])
        ['ssim', 'loss', 'new']
    """
    found = {"loss"} | {name for status in statuses for name in status.metrics}
    return [*(name for name in MEASURES if name in found), *sorted(found - set(MEASURES))]


def check_metric(name: str, statuses: Iterable[Status]) -> str:
    """Return `name` if there is such a metric.

    Args:
        name: the metric.
        statuses: jobs, whose own metrics count as known.

    Raises:
        InvalidRequest: there is no such metric; the sentence names the nearest one.

    Example:
        >>> check_metric("ssim", [])
        'ssim'
    """
    if name in MEASURES:
        return name
    names = metric_names(statuses)
    if name not in names:
        known = list(dict.fromkeys([*MEASURES, *names]))
        raise InvalidRequest(f"unknown metric {name!r}{nearest(name, known)}")
    return name


def higher_is_better(name: str) -> bool:
    """Return whether a larger value of the metric comes first in a ranking.

    Args:
        name: a metric; of one that is not known the lowest value is the best.

    Example:
        >>> higher_is_better("ssim"), higher_is_better("loss")
        (True, False)
    """
    return name in MEASURES and MEASURES[name].higher_is_better


def in_words(name: str, value: float | None) -> str:
    """Return a metric with its name in three digits; an empty text where it has no value.

    Args:
        name: the metric.
        value: its value, or None.

    Example:
        >>> in_words("self_similarity", 0.51234)
        'self_similarity 0.512'
    """
    return "" if value is None else f"{name} {value:.3g}"
