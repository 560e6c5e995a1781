"""The report of a run: how jobs ended, which faults there were, and how long the farm took to recover."""

from __future__ import annotations

import statistics
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from stylefarm.shared.db.states import State
from tests.faults.environment import Times
from tests.faults.facts import Facts
from tests.faults.history import Entry


@dataclass(frozen=True)
class RunReport:
    """The run of one seed; faults lasted `seconds`, and the farm was idle `rest` seconds later."""

    seed: int
    seconds: float
    rest: float
    times: Times
    facts: Facts
    history: Sequence[Entry]
    violations: Sequence[str]

    def __str__(self) -> str:
        return "\n".join([*self._lines(), *(f"VIOLATION: {sentence}" for sentence in self.violations)])

    def _lines(self) -> Iterator[str]:
        settings = ", ".join(f"{name} {value:g} s" for name, value in vars(self.times).items())
        yield f"seed {self.seed}: {self.seconds:.0f} s of faults, at rest {self.rest:.0f} s later ({settings})"
        attempts = [attempt for attempts in self.facts.attempts.values() for attempt in attempts]
        yield f"{len(self.facts.jobs)} jobs: {_counted(job.state for job in self.facts.jobs.values())}"
        failed = Counter(str(job.error_class) for job in self.facts.jobs.values() if job.state is State.FAILED)
        yield f"failed for: {_counted(failed.elements())}"
        yield f"{len(attempts)} attempts: {_counted(str(attempt.outcome) for attempt in attempts)}"
        yield f"faults: {_counted(entry['fault'] for entry in self._of('fault'))}"
        yield f"asked by users: {_counted(entry['command'] for entry in self._of('command'))}"
        yield f"submissions refused, and repeated: {len(self._of('refused'))}"
        yield f"workers benched, and unbenched: {len(self._of('benched'))}"
        for what, values in self.measured().items():
            yield f"{what}: {_spread(values)}"
        yield f"violations: {len(self.violations)}"

    def measured(self) -> dict[str, list[float]]:
        """The measurements, in seconds, except for the lost iterations."""
        found: dict[str, list[float]] = {"killed -> running again (s)": [], "cancelled -> slot free (s)": []}
        for entry in self._of("measured"):
            found.setdefault(f"{entry['what']} (s)", []).append(entry["seconds"])
        for entry in self._of("killed"):
            found["killed -> running again (s)"] += [
                at - entry["at"] for job in entry["held"] if (at := self._begun_after(job)) is not None
            ]
        for entry in self._of("command"):
            if entry["command"] == "cancel" and entry["runs"]:
                ended = [e for e in self.facts.events[entry["job"]] if e.state is State.CANCELLED]
                found["cancelled -> slot free (s)"] += [e.at.timestamp() - entry["at"] for e in ended]
        found["iterations rendered again after a kill"] = [
            float(job["iteration"] - job["checkpoint"]) for entry in self._of("killed") for job in entry["held"]
        ]
        return found

    def _begun_after(self, held: dict[str, Any]) -> float | None:
        """Return when the attempt after the killed one began; None if there was none."""
        attempts = self.facts.attempts.get(held["job"], ())
        later = [attempt.started_at.timestamp() for attempt in attempts if attempt.attempt == held["attempt"] + 1]
        return later[0] if later else None

    def _of(self, kind: str) -> list[Entry]:
        return [entry for entry in self.history if entry["kind"] == kind]


def _counted(things: Iterator[Any]) -> str:
    return ", ".join(f"{count} {thing}" for thing, count in Counter(map(str, things)).most_common()) or "none"


def _spread(values: Sequence[float]) -> str:
    if not values:
        return "not measured"
    ordered = sorted(values)
    last = ordered[min(len(ordered) - 1, round(0.99 * (len(ordered) - 1)))]
    return f"p50 {statistics.median(ordered):.1f}, p99 {last:.1f}, most {ordered[-1]:.1f} ({len(ordered)} times)"
