"""What `sweep show`, `sweep wait` and `sweep watch` print of a sweep."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from stylefarm.producer.cli.text import colored, duration, loss_of, progress_of
from stylefarm.producer.client.farm import Sweep
from stylefarm.producer.reports.summary import Summary, summary
from stylefarm.producer.views.status import Status
from stylefarm.shared.cli.console import echo, print_json, print_pairs, print_table, say
from stylefarm.shared.cli.text_table import Cell
from stylefarm.shared.db.states import State

# A sweep of more jobs is summarized.
MANY = 100
FIRST = 10


def report(shown: Sweep, *, as_json: bool, every: bool = False) -> Summary:
    """Print a sweep: all jobs of a small one, or with `every`; of a large one numbers, and its first jobs."""
    found = summary(shown, jobs=None if every else MANY)
    if as_json:
        print_json(found.as_json())
    elif every or found.total <= MANY:
        _print_jobs(found, found.jobs)
        say(counts_of(found))
        _say_problems([status for status in found.jobs if status.error])
    else:
        print_pairs({"sweep": shown.id, "name": shown.name or None, "axes": _axes(shown.axes), **numbers(found)})
        echo()
        _print_jobs(found, found.jobs[:FIRST])
        say(f"the first {FIRST} of {found.total:,} jobs: --jobs lists all")
        _say_problems(found.failures)
    return found


def numbers(found: Summary) -> dict[str, str | None]:
    """Return counts, throughput and the time that is left, as text."""
    left = None if found.seconds_left is None else f"{duration(found.seconds_left)} at this pace"
    return {"jobs": counts_of(found), "done": pace_of(found), "left": left}


def counts_of(found: Summary) -> str:
    """Return the counts, as in "3 done, 1 failed"."""
    return ", ".join(f"{found.counts[state]:,} {state}" for state in State if state in found.counts) or "no jobs"


def pace_of(found: Summary) -> str | None:
    """Return jobs a second, a minute or an hour; None if unknown."""
    pace = found.done_per_second
    if not pace:
        return None
    per, unit = next(((factor, unit) for factor, unit in ((1, "s"), (60, "min")) if pace * factor >= 1), (3600, "h"))
    return f"{pace * per:.3g}/{unit}"


def failures_of(found: Sequence[Status]) -> list[tuple[str, str]]:
    """Return the beginning of the id and the error of each."""
    return [(status.id[:8], status.error or "") for status in found]


def _print_jobs(found: Summary, statuses: Sequence[Status]) -> None:
    axes = found.sweep.axes
    rows: list[Sequence[Cell]] = [
        (
            status.id[:8],
            *(_value(status.cell.get(axis, "")) for axis in axes),
            colored(status.state),
            progress_of(status),
            loss_of(status),
        )
        for status in statuses
    ]
    print_table(("job", *axes, "state", "iteration", "loss"), rows)


def _say_problems(statuses: Sequence[Status]) -> None:
    for status in statuses:
        say(f"{status.id[:8]} {status.state}: {status.error}")


def _axes(axes: Mapping[str, Sequence[object]]) -> str:
    return ", ".join(f"{axis} ({len(values):,})" for axis, values in axes.items()) or "none"


def _value(value: object) -> str:
    """Return an axis value for a table: of a path, its last part."""
    return Path(value).name if isinstance(value, str) else "none" if value is None else str(value)
