"""The command `stylefarm sweep create`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import click

from stylefarm.producer.backends.protocol import Forecast
from stylefarm.producer.cli.grouped_options import GroupedCommand
from stylefarm.producer.cli.lists import MOST
from stylefarm.producer.cli.marks import marks_options
from stylefarm.producer.cli.options import terms_options
from stylefarm.producer.cli.streams import NAME, STANDARD, read_standard_input
from stylefarm.producer.cli.sweep_wait import document, follow, raise_failed, say_obstacle
from stylefarm.producer.cli.text import duration
from stylefarm.producer.client.farm import Farm, Sweep
from stylefarm.producer.client.readiness import check_renderer
from stylefarm.producer.grids import Grid, load_grid, parse_grid, parse_settings
from stylefarm.producer.grids.reading import MOST_BYTES
from stylefarm.producer.views.status import Status
from stylefarm.shared.cli.console import confirm, echo, json_option, print_json, print_pairs, say, timeout_option
from stylefarm.shared.db.states import State
from stylefarm.shared.errors import InvalidRequest, StillPending
from stylefarm.shared.settings import load_settings
from stylefarm.shared.spec.marks import parse_marks
from stylefarm.shared.spec.terms import check_limit
from stylefarm.shared.text import counted

YES_ABOVE = 1000


@click.command(cls=GroupedCommand)
@click.argument("file", type=click.Path(path_type=Path), required=False)
@click.option("--set", "axes", metavar="K=V,V", multiple=True, help="Set an axis, replacing the file's. Repeatable.")
@click.option("--name", help="Name of the sweep.  [the file's name]")
@click.option("--dry-run", is_flag=True, help="Only check, count the cells, and estimate the time.")
@click.option(
    "--yes-above",
    metavar="N",
    type=click.IntRange(0, MOST),
    default=YES_ABOVE,
    help=f"Ask before submitting more than N cells.  [{YES_ABOVE}]",
)
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.option(
    "--gpu-hour",
    metavar="PRICE",
    type=click.FloatRange(0, MOST),
    help="With --dry-run: the price of an hour of a worker.",
)
@click.option("--skip-bad", is_flag=True, help="Skip cells whose pictures cannot be used.")
@click.option("--force", is_flag=True, help="Render again what was rendered before.")
@click.option("--wait", "and_wait", is_flag=True, help="Wait until all its jobs have ended.")
@click.option("--max-running", metavar="N", type=int, help="Most jobs of the sweep that run at a time.  [no limit]")
@click.option("--webhook", metavar="URL", help="URL to call when the first job fails, and when all have ended.")
@marks_options
@timeout_option
@json_option
@terms_options
def create(
    file: Path | None,
    axes: tuple[str, ...],
    name: str | None,
    dry_run: bool,
    yes_above: int,
    yes: bool,
    gpu_hour: float | None,
    skip_bad: bool,
    force: bool,
    and_wait: bool,
    max_running: int | None,
    webhook: str | None,
    tags: tuple[str, ...],
    note: str | None,
    timeout: float | None,
    as_json: bool,
    **terms: Any,
) -> None:
    """Submit the sweep that FILE describes, or --set, and print its id.

    FILE is YAML, or - for standard input: `matrix` lists the values of each axis (content, style, any parameter),
    `base` the parameters that all cells share, `name` the sweep's name; `priority`, `device` and so on are the same as
    these options, which override them. See docs/sweeps.md. What was rendered before is not rendered again.
    """
    if timeout is not None and not and_wait:
        raise InvalidRequest("--timeout says how long --wait waits at most: give both, or neither")
    if gpu_hour is not None and not dry_run:
        raise InvalidRequest("--gpu-hour is the price for which --dry-run computes the cost: give both, or neither")
    parse_marks({"tags": tags, "note": note})
    given = {name: value for name, value in terms.items() if value is not None}
    grid = _grid(file, axes, name, max_running, given)
    with Farm() as farm:
        if webhook is not None:
            farm.check_webhook(webhook)
        if dry_run:
            _report_forecast(farm.forecast(grid, skip_bad=skip_bad), gpu_hour, as_json)
            return
        if and_wait:
            check_renderer(farm)
        if not yes:
            _ask(len(grid), yes_above)
        created = farm.sweep(grid, force=force, skip_bad=skip_bad, webhook=webhook, tags=tags, note=note)
        statuses = created.statuses()
        _say_what_became(created, statuses)
        if not all(status.state.final for status in statuses):
            say_obstacle(farm, farm.terms(grid.terms))
        if and_wait:
            say(f"sweep {created.id}: {counted(len(statuses), 'job')}")
            try:
                statuses = follow(created, timeout)
            except StillPending:
                _report_created(created, created.statuses(), as_json)
                raise
        _report_created(created, statuses, as_json)
        raise_failed(statuses)


def _grid(
    file: Path | None, assignments: Sequence[str], name: str | None, max_running: int | None, terms: Mapping[str, Any]
) -> Grid:
    """Return the grid of a file or of axes; options of the command line override the file."""
    axes, settings = parse_settings(assignments), load_settings()
    if file is None and not axes:
        raise InvalidRequest("a sweep is described by a file, or by --set style_weight=1,10,100: give one of the two")
    if file is None:
        grid = parse_grid({"matrix": axes}, settings)
    elif str(file) == STANDARD:
        grid = load_grid(Path(NAME), axes, settings, read_standard_input(MOST_BYTES, "a sweep file"))
    else:
        grid = load_grid(file, axes, settings)
    return replace(
        grid,
        name=grid.name if name is None else name,
        max_running=grid.max_running if max_running is None else check_limit(max_running),
        terms={**grid.terms, **terms},
    )


def _ask(count: int, most: int) -> None:
    if count > most:
        confirm(
            f"Submit {count:,} cells?",
            f"this is {count:,} cells, more than {most:,}, and nobody is here to be asked: give --yes, or a higher"
            " --yes-above",
        )


def _say_what_became(created: Sweep, statuses: Sequence[Status]) -> None:
    for message in (*created.problems, *dict.fromkeys(note for status in statuses for note in status.notes)):
        say(message)
    if created.skipped:
        say(f"{created.skipped} cells are left out, since their pictures cannot be used")
    if created.folded:
        say(created.folded)
    for message in created.kept:
        say(message)
    there = [status for status in statuses if status.id not in created.created]
    done = sum(status.state is State.DONE for status in there)
    if done:
        say(f"{done} of {len(statuses)} are done already, and are not rendered again (--force does)")
    if len(there) > done:
        say(f"{len(there) - done} of {len(statuses)} were submitted before, and are not done yet")


def _report_created(created: Sweep, statuses: Sequence[Status], as_json: bool) -> None:
    if not as_json:
        echo(created.id)
        return
    jobs = [{**status.as_json(), "created": status.id in created.created} for status in statuses]
    print_json({**document(created, statuses), "jobs": jobs, "skipped": created.skipped})


def _report_forecast(found: Forecast, gpu_hour: float | None, as_json: bool) -> None:
    hours = found.machine_hours
    price = None if gpu_hour is None or hours is None else f"{gpu_hour * hours:,.2f} for {duration(hours * 3600)}"
    if as_json:
        priced = {} if gpu_hour is None else {"price": None if hours is None else gpu_hour * hours}
        print_json({"dry_run": {**asdict(found), **priced}})
        return
    for note in found.notes:
        say(note)
    on = "one worker, since none is at hand" if not found.workers else f"{found.workers} worker"
    where = on + ("s" if found.workers > 1 else "")
    print_pairs(
        {
            "cells": f"{found.cells:,}",
            "axes": ", ".join(f"{axis} ({len(values)})" for axis, values in found.axes.items()),
            "left out": f"{found.skipped:,}, for their pictures" if found.skipped else None,
            "there already": f"{found.known:,}",
            "to render": f"{found.new:,}",
            "time": None if found.hours is None else f"{duration(found.hours * 3600)} on {where}",
            "price": price and f"{price} of a worker",
            "taken from": found.basis,
        }
    )
