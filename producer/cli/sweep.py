"""The command `stylefarm sweep`."""

from __future__ import annotations

from datetime import datetime

import click

from stylefarm.producer.cli.datetime_param import DATE_TIME
from stylefarm.producer.cli.lazy_group import LazyGroup
from stylefarm.producer.cli.lists import list_sweeps
from stylefarm.producer.cli.sweep_text import MANY, report
from stylefarm.producer.cli.sweep_wait import follow, raise_failed
from stylefarm.producer.client.farm import Farm
from stylefarm.producer.reports.summary import summary
from stylefarm.shared.cli.console import json_option, print_json, print_line, timeout_option
from stylefarm.shared.cli.list_output import EntryOutput, entry_options
from stylefarm.shared.errors import StillPending

MORE = (
    "stylefarm.producer.cli.manage:OF_SWEEPS",
    "stylefarm.producer.cli.marks:OF_SWEEPS",
    "stylefarm.producer.cli.delete:OF_SWEEPS",
    "stylefarm.producer.cli.webhook:webhook",
    "stylefarm.producer.cli.watch:watch_sweep",
    "stylefarm.producer.cli.create:create",
    "stylefarm.producer.cli.search:search_command",
    "stylefarm.producer.cli.compare:compare_command",
    "stylefarm.producer.cli.downloads:OF_SWEEPS",
    "stylefarm.producer.cli.looking:OF_SWEEPS",
)


@click.group(cls=LazyGroup, more=MORE)
def sweep() -> None:
    """Submit, watch and manage sweeps: many pictures at once."""


@sweep.command()
@click.argument("sweep_id", metavar="SWEEP")
@click.option("--jobs", "every", is_flag=True, help="List all jobs, even more than 100.")
@entry_options
@json_option
def show(sweep_id: str, every: bool, output: EntryOutput, as_json: bool) -> None:
    """Show SWEEP: jobs by state, throughput, failures, and its first jobs."""
    with Farm() as farm:
        found = farm.find_sweep(sweep_id)
        if output:
            output.show_entry(summary(found, jobs=None if every else MANY).as_json())
        else:
            report(found, as_json=as_json, every=every)


@sweep.command()
@click.argument("sweep_id", metavar="SWEEP")
@timeout_option
@json_option
def wait(sweep_id: str, timeout: float | None, as_json: bool) -> None:
    """Wait until all jobs of SWEEP have ended; an embedded farm renders them meanwhile.

    Exits with 5 if any of them failed or was cancelled, and with 8 on timeout; --json prints its object all the same.
    """
    with Farm() as farm:
        found = farm.find_sweep(sweep_id)
        try:
            statuses = follow(found, timeout)
        except StillPending:
            if as_json:
                report(found, as_json=True)
            raise
        report(found, as_json=as_json)
        raise_failed(statuses)


@sweep.command()
@click.argument("sweep_id", metavar="SWEEP")
@click.option("--since", "cursor", type=DATE_TIME, help="Cursor of an earlier answer.  [none: all jobs]")
@click.option("--jsonl", is_flag=True, help="Print only the changes, one per line.")
def changes(sweep_id: str, cursor: datetime | None, jsonl: bool) -> None:
    """Print which jobs of SWEEP have changed since a cursor, and the next cursor, as one JSON object.

    This is fast for sweeps of any size. A job may be listed again without a change.
    """
    with Farm() as farm:
        found = farm.find_sweep(sweep_id).changes(cursor)
        entries = [{**change._asdict(), "updated_at": change.updated_at.isoformat()} for change in found.jobs]
        if jsonl:
            for entry in entries:
                print_line(entry)
        else:
            print_json({"changes": entries, "cursor": found.cursor.isoformat()})


sweep.add_command(list_sweeps)
