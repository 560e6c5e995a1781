"""End cells of a search early that are clearly worse than others were at the same iteration."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from stylefarm.producer.client.jobs import Job
from stylefarm.producer.client.proposals import is_worth_going_on
from stylefarm.producer.client.session import Session
from stylefarm.producer.views.status import Status
from stylefarm.shared.db.states import State

# A cell is not judged before this share of its iterations: losses fall fast at first.
FIRST_JUDGED = 0.25


class Pruner:
    """Watches the jobs of a search, and cancels those whose loss is not among the best at their iteration.

    Args:
        farm: where they are.
        keep_percent: so many percent of the cells that were rendered count as the best.
        on_pruned: called with each job that is cancelled.

    Example:
        sweep.wait(watch=Pruner(farm, keep_percent=50, on_pruned=lambda status: print("cancelled", status.id)))
    """

    def __init__(self, farm: Session, keep_percent: float, on_pruned: Callable[[Status], None]) -> None:
        self.farm = farm
        self.keep_percent = keep_percent
        self.on_pruned = on_pruned
        self._curves: dict[str, Mapping[int, float]] = {}
        self._pruned: set[str] = set()

    def __call__(self, statuses: Sequence[Status]) -> None:
        """Judge the jobs that run.

        Args:
            statuses: of all jobs of the search.
        """
        running = [status for status in statuses if self._is_judged(status)]
        if not running:
            return
        curves = [self._curve(status) for status in statuses if status.state is State.DONE]
        for status in running:
            if status.loss is not None and not is_worth_going_on(
                curves, status.iteration, status.loss, self.keep_percent
            ):
                self._pruned.add(status.id)
                Job(self.farm, status.id).cancel()
                self.on_pruned(status)

    def _is_judged(self, status: Status) -> bool:
        is_far = status.iteration >= max(1, FIRST_JUDGED * status.iterations)
        return status.state is State.RUNNING and is_far and status.id not in self._pruned

    def _curve(self, status: Status) -> Mapping[int, float]:
        if status.id not in self._curves:
            points = self.farm.services.queries.losses(status.id)
            self._curves[status.id] = {point.iteration: point.total for point in points}
        return self._curves[status.id]
