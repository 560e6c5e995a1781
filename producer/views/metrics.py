"""The numbers that results are compared by: what each of them means, and what none of them can tell."""

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
    """A number of a finished job. `higher_is_better` tells which end of a ranking comes first."""

    words: str
    higher_is_better: bool = False


MEASURES: Mapping[str, MetricInfo] = {
    "gram": MetricInfo("distance to the style, Gram matrices of held-out networks"),
    "sliced": MetricInfo("distance to the style, sliced Wasserstein on held-out networks"),
    "self_similarity": MetricInfo("distance to the content, self-similarities on held-out networks"),
    "ssim": MetricInfo("structural similarity to the content, 1 for the same", higher_is_better=True),
    "clipped": MetricInfo("share of values that were clipped"),
    "seconds": MetricInfo("seconds of painting"),
    "loss": MetricInfo("the last loss; of jobs that differ in no weight of it"),
}


def measured(status: Status, name: str) -> float | None:
    """The number of that name of a job, or None where it has none (yet)."""
    return status.loss if name == "loss" else status.metrics.get(name)


def metric_names(statuses: Iterable[Status]) -> list[str]:
    """The names that at least one of the jobs has a number for: first those that are known here, in their order."""
    found = {"loss"} | {name for status in statuses for name in status.metrics}
    return [*(name for name in MEASURES if name in found), *sorted(found - set(MEASURES))]


def check_metric(name: str, statuses: Iterable[Status]) -> str:
    """The name itself. Raises InvalidRequest if it is none that is known, or that one of the jobs has."""
    if name in MEASURES:
        return name
    names = metric_names(statuses)
    if name not in names:
        known = list(dict.fromkeys([*MEASURES, *names]))
        raise InvalidRequest(f"unknown metric {name!r}{nearest(name, known)}")
    return name


def higher_is_better(name: str) -> bool:
    """Whether a larger number comes first in a ranking."""
    return name in MEASURES and MEASURES[name].higher_is_better


def in_words(name: str, value: float | None) -> str:
    """The number with its name, in three digits, as in "ssim 0.512"; nothing where there is none."""
    return "" if value is None else f"{name.replace('_', '-')} {value:.3g}"
