"""Which jobs are announced in Redis: at most a window of hints for each queue, the most urgent jobs first."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from stylefarm.shared.dispatch.backlog import Backlog
from stylefarm.shared.queue.hints import Hints
from stylefarm.shared.queue.routes import Hint, queue_name


@dataclass
class HintPlan:
    """Changes to the hints of one queue: which to publish, and how many of each priority to drop, newest first."""

    publish: list[Hint] = field(default_factory=list)
    drop: dict[int, int] = field(default_factory=dict)


class Announcer:
    """Keeps the hints in Redis in step with the rows that are queued. Raises ServiceUnavailable."""

    def __init__(self, backlog: Backlog, hints: Hints, window: int) -> None:
        self.backlog = backlog
        self.hints = hints
        self.window = window
        self._long: set[str] = set()

    def announce(self, ids: Sequence[str]) -> None:
        """Announce those of the jobs that are queued, as far as the window has room; `fill` announces the others."""
        self.publish(self.backlog.hints_of(ids[: self.window]))

    def announce_after(self, job_id: str) -> None:
        """Announce the jobs that can be claimed when a job has ended: its children, and the next of its sweep."""
        self.publish(self.backlog.after(job_id))

    def fill(self) -> None:
        """Announce the most urgent jobs that have no hint, whatever Redis has lost."""
        self._long.clear()
        for route in self.backlog.routes():
            queue = queue_name(*route)
            self.hints.clear_other_types(queue)
            wanted = self.backlog.most_urgent(route, self.window)
            plan = make_plan(wanted, self.hints.standing(queue), self.window)
            for priority, count in plan.drop.items():
                self.hints.drop_newest(queue, priority, count)
            self.hints.publish(plan.publish)
            if len(wanted) == self.window:
                self._long.add(queue)

    def publish(self, found: Sequence[Hint]) -> None:
        """Announce jobs that can be claimed, as far as the window has room."""
        by_queue: dict[str, list[Hint]] = {}
        for hint in found:
            by_queue.setdefault(hint.queue, []).append(hint)
        for queue, hints in by_queue.items():
            self.hints.publish(hints[: max(0, self.window - self.hints.count(queue))])

    def runs_low(self) -> bool:
        """Return whether half of the hints of a queue longer than the window are used up."""
        return any(self.hints.count(queue) <= self.window // 2 for queue in self._long)


def make_plan(wanted: Sequence[Hint], standing: Mapping[int, Sequence[str]], window: int) -> HintPlan:
    """Return the changes from the hints in Redis, by priority, to the wanted ones; never more than the window.

    Where there is no room, less urgent hints make way; they come back when it is their turn.
    """
    plan = HintPlan()
    there = {(job_id, priority) for priority, ids in standing.items() for job_id in ids}
    left = {priority: len(ids) for priority, ids in standing.items() if ids}
    room = window - sum(left.values())
    for hint in wanted:
        if (hint.job_id, hint.priority) in there:
            continue
        lowest = min(left, default=hint.priority)
        if room <= 0 and lowest >= hint.priority:
            break
        if room > 0:
            room -= 1
        else:
            plan.drop[lowest] = plan.drop.get(lowest, 0) + 1
            left[lowest] -= 1
            if not left[lowest]:
                del left[lowest]
        plan.publish.append(hint)
    return plan
