"""`stylefarm sweep list` and `stylefarm job list`."""

from __future__ import annotations

from datetime import datetime

import click

from stylefarm.producer.cli.datetime_param import DATE_TIME
from stylefarm.producer.cli.marks import tags_filter
from stylefarm.producer.cli.text import colored, loss_of, progress_of
from stylefarm.producer.client.farm import Farm
from stylefarm.producer.views.labels import job_labels
from stylefarm.producer.views.selection import parse_where
from stylefarm.shared.console import list_options, print_list
from stylefarm.shared.db.states import State
from stylefarm.shared.queries.lists import SweepCounts
from stylefarm.shared.schema.documents import ListedSweepDocument
from stylefarm.shared.spec.marks import parse_tags
from stylefarm.shared.text_table import Cell

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
@tags_filter
@limit_option
@list_options
def list_sweeps(tags: tuple[str, ...], limit: int, form: str | None) -> None:
    """List sweeps, newest first, with the number of jobs in each state."""
    with Farm() as farm:
        listed = farm.services.listing.sweeps(limit, parse_tags(tags))
    rows: list[tuple[Cell, ...]] = [
        (
            each.sweep.id[:8],
            each.sweep.name,
            f"{each.sweep.created_at:%Y-%m-%d %H:%M}",
            f"{sum(each.counts.values()):,}",
            ", ".join(f"{each.counts[state]:,} {state}" for state in State if state in each.counts),
            ", ".join(each.sweep.tags),
        )
        for each in listed
    ]
    columns: tuple[str, ...] = ("sweep", "name", "created (UTC)", "jobs", "states", "tags")
    columns, rows = _without_empty_tags(columns, rows)
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
@tags_filter
@limit_option
@click.option("--all", "every", is_flag=True, help="No limit.")
@list_options
def list_jobs(
    states: tuple[str, ...],
    sweep_id: str | None,
    where: tuple[str, ...],
    since: datetime | None,
    until: datetime | None,
    tags: tuple[str, ...],
    limit: int,
    every: bool,
    form: str | None,
) -> None:
    """List jobs, newest first.

    --where filters by any parameter, such as style_weight=10 or content=cat.jpg. Several values of one parameter match
    any of them; several parameters must all match. --tag also finds the jobs of sweeps that have the tag.
    """
    with Farm() as farm:
        found = farm.jobs(
            states=[State(state) for state in states],
            sweep=None if sweep_id is None else farm.find_sweep(sweep_id),
            where=parse_where(where),
            since=since,
            until=until,
            tags=tags,
            limit=None if every else limit,
        )
    rows: list[tuple[Cell, ...]] = [
        (
            status.id[:8],
            f"{status.created_at:%Y-%m-%d %H:%M}",
            "" if status.sweep is None else status.sweep[:8],
            label,
            colored(status.state),
            progress_of(status),
            loss_of(status),
            ", ".join(status.tags),
        )
        for status, label in zip(found, job_labels(found), strict=True)
    ]
    columns: tuple[str, ...] = ("job", "created (UTC)", "sweep", "what", "state", "iteration", "loss", "tags")
    columns, rows = _without_empty_tags(columns, rows)
    print_list(form, "jobs", [status.as_json() for status in found], columns, rows)


def _without_empty_tags(
    columns: tuple[str, ...], rows: list[tuple[Cell, ...]]
) -> tuple[tuple[str, ...], list[tuple[Cell, ...]]]:
    """Return a table without its last column, the tags, where nothing has any."""
    if any(row[-1] for row in rows):
        return columns, rows
    return columns[:-1], [row[:-1] for row in rows]


def _entry(listed: SweepCounts) -> ListedSweepDocument:
    return {
        "id": listed.sweep.id,
        "name": listed.sweep.name,
        "created_at": listed.sweep.created_at.isoformat(),
        "axes": listed.sweep.axes,
        "tags": listed.sweep.tags,
        "note": listed.sweep.note,
        "jobs": sum(listed.counts.values()),
        "counts": {str(state): listed.counts[state] for state in State if state in listed.counts},
    }
