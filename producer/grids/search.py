"""What a search looks for: the `search` section of a sweep file."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from stylefarm.producer.views.metrics import MEASURES
from stylefarm.shared.errors import InvalidSpec
from stylefarm.shared.spec.spec import SEEDS
from stylefarm.shared.text import nearest

DIRECTIONS = ("minimize", "maximize")
MOST_TRIALS = 10_000


@dataclass(frozen=True)
class Search:
    """How many cells are tried, `batch` of them at a time, to minimize or maximize a metric of the results.

    With `keep_percent`, a cell that runs is cancelled where its loss is not among the best so many percent of those
    that cells before it had at the same iteration. Losses must be comparable for it: the metric is the loss.

    Example:
        >>> Search(metric="ssim", direction="maximize").trials
        20
    """

    metric: str = "loss"
    direction: Literal["minimize", "maximize"] = "minimize"
    trials: int = 20
    batch: int = 4
    seed: int = 0
    keep_percent: int | None = None

    def __post_init__(self) -> None:
        if self.metric not in MEASURES:
            raise InvalidSpec(
                f"search has no metric {self.metric!r:.60}{nearest(str(self.metric), MEASURES)}", ("search", "metric")
            )
        if self.direction not in DIRECTIONS:
            raise InvalidSpec(
                f"search has direction = {self.direction!r:.60}: must be {' or '.join(DIRECTIONS)}",
                ("search", "direction"),
            )
        if self.keep_percent is not None and (self.metric, self.direction) != ("loss", "minimize"):
            raise InvalidSpec(
                "search has keep_percent, which compares losses while they fall: leave it out, or minimize the loss",
                ("search", "keep_percent"),
            )
        limits = {"trials": (1, MOST_TRIALS), "batch": (1, MOST_TRIALS), "seed": (0, SEEDS - 1)}
        if self.keep_percent is not None:
            limits["keep_percent"] = (1, 99)
        for name, (least, most) in limits.items():
            value = getattr(self, name)
            if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most:
                raise InvalidSpec(
                    f"search has {name} = {value!r:.60}: must be a whole number, {least} to {most}", ("search", name)
                )
