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
# What people's votes say of a picture, where every other metric is measured.
PREFERENCE = "preference"
VOTES = 3
MOST_VOTES = 1000


@dataclass(frozen=True)
class Search:
    """How many cells are tried, `batch` of them at a time, to minimize or maximize a metric of the results.

    Without a direction it is minimized. The metric may be the preference of people, which is maximized: after each
    batch, the search waits until each picture was in so many votes.

    With `keep_percent`, a cell that runs is cancelled where its loss is not among the best so many percent of those
    that cells before it had at the same iteration. Losses must be comparable for it: the metric is the loss.

    Example:
        >>> Search(metric="ssim", direction="maximize").trials
        20
    """

    metric: str = "loss"
    direction: Literal["minimize", "maximize"] | None = None
    trials: int = 20
    batch: int = 4
    seed: int = 0
    keep_percent: int | None = None
    votes: int | None = None

    def __post_init__(self) -> None:
        metrics = (*MEASURES, PREFERENCE)
        if self.metric not in metrics:
            raise InvalidSpec(
                f"search has no metric {self.metric!r:.60}{nearest(str(self.metric), metrics)}", ("search", "metric")
            )
        if self.direction is None:
            object.__setattr__(self, "direction", "maximize" if self.by_votes else "minimize")
        if self.votes is None and self.by_votes:
            object.__setattr__(self, "votes", VOTES)
        if self.direction not in DIRECTIONS:
            raise InvalidSpec(
                f"search has direction = {self.direction!r:.60}: must be {' or '.join(DIRECTIONS)}",
                ("search", "direction"),
            )
        if self.by_votes and self.direction != "maximize":
            raise InvalidSpec(
                "search has metric = preference, of which the most is the best: leave out the direction",
                ("search", "direction"),
            )
        if self.votes is not None and not self.by_votes:
            raise InvalidSpec(
                f"search has votes, and {self.metric} needs none: leave them out, or set metric: preference",
                ("search", "votes"),
            )
        if self.keep_percent is not None and (self.metric, self.direction) != ("loss", "minimize"):
            raise InvalidSpec(
                "search has keep_percent, which compares losses while they fall: leave it out, or minimize the loss",
                ("search", "keep_percent"),
            )
        limits = {"trials": (1, MOST_TRIALS), "batch": (1, MOST_TRIALS), "seed": (0, SEEDS - 1)}
        if self.keep_percent is not None:
            limits["keep_percent"] = (1, 99)
        if self.votes is not None:
            limits["votes"] = (1, MOST_VOTES)
        for name, (least, most) in limits.items():
            value = getattr(self, name)
            if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most:
                raise InvalidSpec(
                    f"search has {name} = {value!r:.60}: must be a whole number, {least} to {most}", ("search", name)
                )

    @property
    def by_votes(self) -> bool:
        """Whether people's votes are the metric."""
        return self.metric == PREFERENCE
