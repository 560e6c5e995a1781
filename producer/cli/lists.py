"""`stylefarm sweep list` and `stylefarm job list`."""

from __future__ import annotations

from datetime import datetime

import click

from stylefarm.producer.cli.datetime_param import DATE_TIME
from stylefarm.producer.cli.text import colored, loss_of, progress_of
from stylefarm.producer.client.farm import Farm
from stylefarm.producer.views.labels import job_labels
from stylefarm.producer.views.selection import parse_where
from stylefarm.shared.console import list_options, print_list
from stylefarm.shared.db.states import State
from stylefarm.shared.queries.lists import SweepCounts
from stylefarm.shared.schema.documents import ListedSweepDocument

LIMIT = 20
MOST = 1_000_000

limit_option = click.option(
    "--limit",
    metavar="N",
    type=click.IntRange(1, MOST),
    default=LIMIT,
    help="Maximum number of entries.",
    show_default=True,
)


@click.command("list")
@limit_option
@list_options
def list_sweeps(limit: int, form: str | None) -> None:
    """List sweeps, newest first, with the number of jobs in each state."""
    with Farm() as farm:
        listed = farm.services.listing.sweeps(limit)
    rows = [
        (
            each.sweep.id[:8],
            each.sweep.name,
            f"{each.sweep.created_at:%Y-%m-%d %H:%M}",
            f"{sum(each.counts.values()):,}",
            ", ".join(f"{each.counts[state]:,} {state}" for state in State if state in each.counts),
        )
        for each in listed
    ]
    columns = ("sweep", "name", "created (UTC)", "jobs", "states")
    print_list(form, "sweeps", [_entry(each) for each in listed], columns, rows)


@click.command("list")
@click.option(
    "--state",
    "states",
    type=click.Choice([str(state) for state in State]),
    multiple=True,
    help="Only jobs in this state. Repeatable.",
)
@click.option("--sweep", "sweep_id", metavar="SWEEP", help="Only jobs of that sweep, in the order of its cells.")
@click.option(
    "--where", metavar="PARAM=VALUE", multiple=True, help="Only jobs with this value of a parameter. Repeatable."
)
@click.option("--since", type=DATE_TIME, help="Submitted at or after: 2026-11-21T08:00, or an age such as 2h.")
@click.option("--until", type=DATE_TIME, help="Submitted at or before.")
@limit_option
@click.option("--all", "every", is_flag=True, help="No limit.")
@list_options
def list_jobs(
    states: tuple[str, ...],
    sweep_id: str | None,
    where: tuple[str, ...],
    since: datetime | None,
    until: datetime | None,
    limit: int,
    every: bool,
    form: str | None,
) -> None:
    """List jobs, newest first.

    --where filters by any parameter, such as style_weight=10 or content=cat.jpg. Several values of one parameter match
    any of them; several parameters must all match.
    """
    with Farm() as farm:
        found = farm.jobs(
            states=[State(state) for state in states],
            sweep=None if sweep_id is None else farm.find_sweep(sweep_id),
            where=parse_where(where),
            since=since,
            until=until,
            limit=None if every else limit,
        )
    rows = [
        (
            status.id[:8],
            f"{status.created_at:%Y-%m-%d %H:%M}",
            "" if status.sweep is None else status.sweep[:8],
            label,
            colored(status.state),
            progress_of(status),
            loss_of(status),
        )
        for status, label in zip(found, job_labels(found), strict=True)
    ]
    columns = ("job", "created (UTC)", "sweep", "what", "state", "iteration", "loss")
    print_list(form, "jobs", [status.as_json() for status in found], columns, rows)


def _entry(listed: SweepCounts) -> ListedSweepDocument:
    return {
        "id": listed.sweep.id,
        "name": listed.sweep.name,
        "created_at": listed.sweep.created_at.isoformat(),
        "axes": listed.sweep.axes,
        "jobs": sum(listed.counts.values()),
        "counts": {str(state): listed.counts[state] for state in State if state in listed.counts},
    }
