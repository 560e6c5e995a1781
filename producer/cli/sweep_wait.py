"""What commands on sweeps have in common: waiting, and what they print."""

from __future__ import annotations

from collections.abc import Sequence

from stylefarm.producer.client.farm import Farm, Sweep
from stylefarm.producer.client.readiness import obstacle
from stylefarm.producer.views.status import Status
from stylefarm.shared.cli.console import say
from stylefarm.shared.db.states import State
from stylefarm.shared.errors import JobFailed
from stylefarm.shared.spec.terms import Terms


def follow(followed: Sweep, timeout: float | None) -> list[Status]:
    """Wait for a sweep with a display; Ctrl-C says how to go on."""
    # Imported here, since only waiting needs rich's progress bars.
    from stylefarm.producer.terminal.display import live_display

    try:
        with live_display() as watch:
            return followed.wait(timeout, watch)
    except KeyboardInterrupt:
        followed.farm.close()
        counts = followed.counts()
        total = sum(counts.values())
        say(
            f"stopped with {counts.get(State.DONE, 0)} of {total} jobs done: stylefarm sweep wait {followed.id} goes on"
        )
        raise


def say_obstacle(farm: Farm, terms: Terms) -> None:
    """Say why nothing renders jobs of these terms at the moment, if that is so."""
    why = obstacle(farm, terms)
    if why is not None:
        say(why)


def document(shown: Sweep, statuses: Sequence[Status]) -> dict[str, object]:
    """Return a sweep and its jobs, for `--json`."""
    return {
        "sweep": shown.as_json(),
        "counts": {str(state): number for state, number in count_states(statuses).items()},
        "jobs": [status.as_json() for status in statuses],
    }


def count_states(statuses: Sequence[Status]) -> dict[State, int]:
    """Return how many jobs are in each state that occurs."""
    return {state: n for state in State if (n := sum(status.state is state for status in statuses))}


def raise_failed(statuses: Sequence[Status]) -> None:
    """Raise JobFailed if any of the jobs failed or was cancelled."""
    unfit = [status for status in statuses if status.state in {State.FAILED, State.CANCELLED}]
    if unfit:
        raise JobFailed(
            f"{len(unfit)} of {len(statuses)} jobs failed or were cancelled: `stylefarm sweep show` says why"
        )
