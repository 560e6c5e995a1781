"""A sweep in a few numbers, however large it is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from stylefarm.producer.client.sweeps import Sweep
from stylefarm.producer.views.status import Status
from stylefarm.shared.db.states import State
from stylefarm.shared.schema.answers import SweepAnswer

FAILURES = 5


@dataclass(frozen=True)
class Summary:
    """How far a sweep is at one moment.

    `done_per_second` is that of the last ten minutes, and `seconds_left` what the rest takes at that pace; None where
    it is unknown. `failures` are the newest ones, `jobs` the first ones in the order of its cells.

    Example:
        found = summary(sweep)
        print(found.counts, "all ended" if found.ended else f"{found.seconds_left} s left")
        print(f"{found.unfit} of {found.total} failed or were cancelled")
    """

    sweep: Sweep
    counts: Mapping[State, int]
    done_per_second: float
    seconds_left: float | None
    failures: Sequence[Status]
    jobs: Sequence[Status] = ()

    @property
    def total(self) -> int:
        """How many cells it has."""
        return sum(self.counts.values())

    @property
    def ended(self) -> bool:
        """Whether all its jobs have ended."""
        return all(state.final for state in self.counts)

    @property
    def unfit(self) -> int:
        """How many of its jobs failed or were cancelled."""
        return self.counts.get(State.FAILED, 0) + self.counts.get(State.CANCELLED, 0)

    def as_json(self) -> SweepAnswer:
        """Return the same as plain JSON values; `left_out` is how many jobs are not among `jobs`.

        Example:
            print(json.dumps(summary(sweep, jobs=10).as_json()))
        """
        return {
            "sweep": self.sweep.as_json(),
            "counts": {str(state): self.counts[state] for state in State if state in self.counts},
            "done_per_second": self.done_per_second,
            "seconds_left": self.seconds_left,
            "failures": [status.as_json() for status in self.failures],
            "jobs": [status.as_json() for status in self.jobs],
            "left_out": self.total - len(self.jobs),
        }


def summary(sweep: Sweep, *, jobs: int | None = 0, failures: int = FAILURES) -> Summary:
    """Summarize a sweep at this moment.

    Args:
        sweep: which one.
        jobs: how many of its first jobs to include; None: all.
        failures: how many of the newest failures to include.

    Example:
        found = summary(sweep, jobs=10)
        print(found.counts, found.seconds_left)
    """
    counts = sweep.counts()
    pace = sweep.pace() if any(not state.final for state in counts) else 0.0
    left = sum(count for state, count in counts.items() if not state.final)
    return Summary(
        sweep,
        counts,
        done_per_second=pace,
        seconds_left=left / pace if pace else None,
        failures=sweep.failures(failures) if counts.get(State.FAILED) else [],
        jobs=[] if jobs == 0 else sweep.statuses(jobs),
    )
