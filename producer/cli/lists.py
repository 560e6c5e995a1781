"""`stylefarm sweep list` and `stylefarm job list`."""

from __future__ import annotations

from datetime import datetime

import click

from stylefarm.producer.backends.protocol import ListedSweep
from stylefarm.producer.cli.datetime_param import DATE_TIME
from stylefarm.producer.cli.marks import tags_filter
from stylefarm.producer.cli.rating import STARS
from stylefarm.producer.cli.text import colored, loss_of, progress_of, rating_of
from stylefarm.producer.client.farm import Farm
from stylefarm.producer.views.labels import job_labels
from stylefarm.producer.views.selection import parse_where
from stylefarm.producer.views.status import Status
from stylefarm.shared.cli.list_output import Item, ListOutput, list_options
from stylefarm.shared.cli.text_table import Cell
from stylefarm.shared.db.states import State
from stylefarm.shared.queries.lists import NO_FLAG
from stylefarm.shared.schema.documents import ListedSweepDocument
from stylefarm.shared.spec.marks import parse_tags
from stylefarm.shared.spec.ratings import FLAGS

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
def list_sweeps(tags: tuple[str, ...], limit: int, output: ListOutput) -> None:
    """List sweeps, newest first, with the number of jobs in each state."""
    wanted = parse_tags(tags)
    with Farm() as farm:
        output.show(
            "sweeps",
            ("sweep", "name", "created (UTC)", "jobs", "states", "tags"),
            lambda: [_sweep_item(each) for each in farm.backend.sweeps(MOST if output.sort else limit, wanted)],
            limit,
        )


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
@click.option("--stars", metavar="N", type=STARS, help="Only jobs that you have given N stars or more.")
@click.option(
    "--flag", "flags", type=click.Choice([*FLAGS, NO_FLAG]), multiple=True, help="Only jobs that you have flagged so."
)
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
    stars: int | None,
    flags: tuple[str, ...],
    limit: int,
    every: bool,
    output: ListOutput,
) -> None:
    """List jobs, newest first.

    --where filters by any parameter, such as style_weight=10 or content=cat.jpg. Several values of one parameter match
    any of them; several parameters must all match. --tag also finds the jobs of sweeps that have the tag.
    """
    most = None if every else limit
    with Farm() as farm:
        sweep = None if sweep_id is None else farm.find_sweep(sweep_id)

        def read() -> list[Item]:
            found = farm.jobs(
                states=[State(state) for state in states],
                sweep=sweep,
                where=parse_where(where),
                since=since,
                until=until,
                tags=tags,
                stars=stars,
                flag=flags,
                # Of all, sorted, the first are printed.
                limit=None if output.sort else most,
            )
            return [_job_item(status, label) for status, label in zip(found, job_labels(found), strict=True)]

        columns = ("job", "created (UTC)", "sweep", "what", "state", "iteration", "loss", "rating", "tags")
        output.show("jobs", columns, read, most)


def _sweep_item(listed: ListedSweep) -> Item:
    row: tuple[Cell, ...] = (
        listed.sweep.id[:8],
        listed.sweep.name,
        f"{listed.sweep.created_at:%Y-%m-%d %H:%M}",
        f"{sum(listed.counts.values()):,}",
        ", ".join(f"{listed.counts[state]:,} {state}" for state in State if state in listed.counts),
        ", ".join(listed.sweep.marks.tags),
    )
    return Item(_entry(listed), row)


def _job_item(status: Status, label: str) -> Item:
    row: tuple[Cell, ...] = (
        status.id[:8],
        f"{status.created_at:%Y-%m-%d %H:%M}",
        "" if status.sweep is None else status.sweep[:8],
        label,
        colored(status.state),
        progress_of(status),
        loss_of(status),
        rating_of(status),
        ", ".join(status.tags),
    )
    return Item(status.as_json(), row)


def _entry(listed: ListedSweep) -> ListedSweepDocument:
    return {
        "id": listed.sweep.id,
        "name": listed.sweep.name,
        "created_at": listed.sweep.created_at.isoformat(),
        "axes": {axis: list(values) for axis, values in listed.sweep.axes.items()},
        "tags": list(listed.sweep.marks.tags),
        "note": listed.sweep.marks.note,
        "jobs": sum(listed.counts.values()),
        "counts": {str(state): listed.counts[state] for state in State if state in listed.counts},
    }
