"""`stylefarm sweep ...`"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from producer.cli import looks
from producer.cli.options import terms_options
from producer.cli.steer import OF_SWEEPS, add_commands
from producer.cli.words import coloured, loss_of, progress_of
from producer.display import live_display
from producer.farm import Farm, Sweep
from producer.status import Status
from shared.errors import JobFailed
from shared.output import json_option, print_json, print_table, say, timeout_option
from shared.states import State


@click.group()
def sweep() -> None:
    """Ask for many pictures at once, and follow them."""


@sweep.command()
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--wait", "and_wait", is_flag=True, help="Wait until all its jobs have ended.")
@click.option("--max-running", metavar="N", type=int, help="How many of its jobs may run at a time.  [any number]")
@timeout_option
@json_option
@terms_options
def create(
    file: Path, and_wait: bool, max_running: int | None, timeout: float | None, as_json: bool, **terms: Any
) -> None:
    """Submit the sweep that FILE describes, and print its id.

    FILE is YAML: `matrix` gives the values of each axis (content, style, any parameter), `base` the parameters that
    are the same for all, `name` what the sweep is called, and `priority`, `device` and so on are as these options,
    which come before the file.
    """
    with Farm() as farm:
        created = farm.sweep(
            file, max_running=max_running, **{name: value for name, value in terms.items() if value is not None}
        )
        statuses = created.statuses()
        for note in dict.fromkeys(note for status in statuses for note in status.notes):
            say(note)
        if and_wait:
            say(f"sweep {created.id}: {len(statuses)} jobs")
            statuses = _follow(created, timeout)
        _report_created(created, statuses, as_json)
        _raise_failed(statuses)


@sweep.command()
@click.argument("sweep_id", metavar="SWEEP")
@json_option
def show(sweep_id: str, as_json: bool) -> None:
    """Show the jobs of SWEEP and how far they are."""
    with Farm() as farm:
        _report(farm.find_sweep(sweep_id), as_json)


@sweep.command()
@click.argument("sweep_id", metavar="SWEEP")
@timeout_option
@json_option
def wait(sweep_id: str, timeout: float | None, as_json: bool) -> None:
    """Wait until all jobs of SWEEP have ended; an embedded farm paints them.

    Exits with 5 if any of them failed or was cancelled.
    """
    with Farm() as farm:
        found = farm.find_sweep(sweep_id)
        statuses = _follow(found, timeout)
        _report(found, as_json, statuses)
        _raise_failed(statuses)


add_commands(sweep, OF_SWEEPS | looks.OF_SWEEPS)


def _follow(followed: Sweep, timeout: float | None) -> list[Status]:
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


def _report_created(created: Sweep, statuses: Sequence[Status], as_json: bool) -> None:
    if as_json:
        print_json(_document(created, statuses))
    else:
        click.echo(created.id)


def _report(shown: Sweep, as_json: bool, statuses: Sequence[Status] | None = None) -> None:
    statuses = shown.statuses() if statuses is None else statuses
    if as_json:
        print_json(_document(shown, statuses))
        return
    rows = [
        (
            status.id[:8],
            *map(_value, status.cell.values()),
            coloured(status.state),
            progress_of(status),
            loss_of(status),
        )
        for status in statuses
    ]
    print_table(("job", *shown.axes, "state", "iteration", "loss"), rows)
    say(", ".join(f"{count} {state}" for state, count in _count(statuses).items()))
    for status in statuses:
        if status.error:
            say(f"{status.id[:8]} {status.state}: {status.error}")


def _document(shown: Sweep, statuses: Sequence[Status]) -> dict[str, object]:
    return {
        "sweep": {"id": shown.id, "name": shown.name, "axes": dict(shown.axes)},
        "counts": {str(state): count for state, count in _count(statuses).items()},
        "jobs": [status.as_json() for status in statuses],
    }


def _count(statuses: Sequence[Status]) -> dict[State, int]:
    return {state: n for state in State if (n := sum(status.state is state for status in statuses))}


def _value(value: object) -> str:
    """An axis value for a table: of a path, its last part."""
    return Path(value).name if isinstance(value, str) else str(value)


def _raise_failed(statuses: Sequence[Status]) -> None:
    unfit = [status for status in statuses if status.state in {State.FAILED, State.CANCELLED}]
    if unfit:
        raise JobFailed(
            f"{len(unfit)} of {len(statuses)} jobs failed or were cancelled: `stylefarm sweep show` says why"
        )
