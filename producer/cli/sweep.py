"""`stylefarm sweep ...`"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import click

from producer.cli import downloads, looks
from producer.cli.compare import compare_command
from producer.cli.create import create
from producer.cli.following import count_states, document, follow, raise_failed
from producer.cli.search import search_command
from producer.cli.steer import OF_SWEEPS, add_commands
from producer.cli.webhook import webhook
from producer.cli.words import coloured, loss_of, progress_of
from producer.farm import Farm, Sweep
from producer.status import Status
from shared.output import json_option, print_json, print_table, say, timeout_option


@click.group()
def sweep() -> None:
    """Ask for many pictures at once, and follow them."""


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
        statuses = follow(found, timeout)
        _report(found, as_json, statuses)
        raise_failed(statuses)


sweep.add_command(create)
sweep.add_command(search_command)
sweep.add_command(compare_command)
sweep.add_command(webhook)
add_commands(sweep, OF_SWEEPS | downloads.OF_SWEEPS | looks.OF_SWEEPS)


def _report(shown: Sweep, as_json: bool, statuses: Sequence[Status] | None = None) -> None:
    statuses = shown.statuses() if statuses is None else statuses
    if as_json:
        print_json(document(shown, statuses))
        return
    rows = [
        (
            status.id[:8],
            *(_value(status.cell.get(axis, "")) for axis in shown.axes),
            coloured(status.state),
            progress_of(status),
            loss_of(status),
        )
        for status in statuses
    ]
    print_table(("job", *shown.axes, "state", "iteration", "loss"), rows)
    say(", ".join(f"{count} {state}" for state, count in count_states(statuses).items()))
    for status in statuses:
        if status.error:
            say(f"{status.id[:8]} {status.state}: {status.error}")


def _value(value: object) -> str:
    """An axis value for a table: of a path, its last part."""
    return Path(value).name if isinstance(value, str) else str(value)
