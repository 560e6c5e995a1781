"""`stylefarm sweep watch` and `stylefarm job watch`: progress, without rendering."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import click
from rich.console import Console
from rich.live import Live
from rich.table import Table
from rich.text import Text

from stylefarm.producer.cli.sweep_text import counts_of, failures_of, numbers, pace_of
from stylefarm.producer.cli.text import colored, duration, loss_of, progress_of
from stylefarm.producer.client.farm import Farm
from stylefarm.producer.client.jobs import failure_of
from stylefarm.producer.reports.summary import Summary, summary
from stylefarm.producer.terminal.display import seconds_left
from stylefarm.producer.views.status import Status
from stylefarm.shared.cli.console import Seconds, echo, print_line, say, timeout_option
from stylefarm.shared.errors import JobFailed, StillPending
from stylefarm.shared.foreign_text import one_line

# Seconds between updates: on a terminal, and where each update is a line.
ON_TERMINAL = 1.0
IN_LINES = 5.0

interval_option = click.option(
    "--interval",
    type=Seconds(min=0.1, max=86_400),
    help=f"Seconds between updates.  [{ON_TERMINAL:g} on a terminal, {IN_LINES:g} elsewhere]",
)
jsonl_option = click.option("--jsonl", is_flag=True, help="Print one JSON object per update.")


@dataclass(frozen=True)
class Look:
    """One update, in each form that it may be printed in, and whether it is the last."""

    table: Table
    line: str
    document: dict[str, Any]
    ended: bool


@click.command("watch")
@click.argument("sweep_id", metavar="SWEEP")
@interval_option
@timeout_option
@jsonl_option
def watch_sweep(sweep_id: str, interval: float | None, timeout: float | None, jsonl: bool) -> None:
    """Watch SWEEP until all its jobs have ended: counts, throughput, time left, the newest failures.

    It only reads: an embedded farm renders while `wait` runs. Exits as `sweep wait` does.
    """
    with Farm() as farm:
        found = farm.find_sweep(sweep_id)
        if not summary(found).ended:
            _say_who_renders(farm, f"stylefarm sweep wait {found.id}")
        _watch(lambda: _of_sweep(summary(found)), interval, timeout, jsonl)
        last = summary(found)
        if last.unfit:
            raise JobFailed(f"{last.unfit} of {last.total} jobs failed or were cancelled")


@click.command("watch")
@click.argument("job_id", metavar="JOB")
@interval_option
@timeout_option
@jsonl_option
def watch_job(job_id: str, interval: float | None, timeout: float | None, jsonl: bool) -> None:
    """Watch JOB until it has ended: state, iterations, loss, time left.

    It only reads: an embedded farm renders while `wait` runs. Exits as `job wait` does.
    """
    with Farm() as farm:
        found = farm.find_job(job_id)
        if not found.done():
            _say_who_renders(farm, f"stylefarm job wait {found.id}")
        _watch(lambda: _of_job(found.status()), interval, timeout, jsonl)
        failed = failure_of(found.status())
        if failed is not None:
            raise failed


def _watch(look: Callable[[], Look], interval: float | None, timeout: float | None, jsonl: bool) -> None:
    """Print updates until the last one. Raises StillPending after `timeout` seconds."""
    console = Console(highlight=False)
    live = console.is_terminal and not jsonl
    pause = interval or (ON_TERMINAL if live else IN_LINES)
    deadline = None if timeout is None else time.monotonic() + timeout
    with _printer(console, live, jsonl) as show:
        while True:
            now = look()
            show(now)
            if now.ended:
                return
            left = pause if deadline is None else min(pause, deadline - time.monotonic())
            if left <= 0:
                raise StillPending("not all has ended in the time given: it goes on")
            time.sleep(left)


@contextmanager
def _printer(console: Console, live: bool, jsonl: bool) -> Iterator[Callable[[Look], None]]:
    if live:
        with Live(console=console, auto_refresh=False) as display:
            yield lambda look: display.update(look.table, refresh=True)
    elif jsonl:
        yield lambda look: print_line(look.document)
    else:
        yield lambda look: echo(f"{datetime.now(UTC):%Y-%m-%d %H:%M:%S}  {look.line}")


def _of_sweep(found: Summary) -> Look:
    table = _pairs({"sweep": found.sweep.name or found.sweep.id, **numbers(found)})
    for job_id, error in failures_of(found.failures):
        table.add_row(Text("failed", style="red"), Text(one_line(f"{job_id}  {error}")))
    left = None if found.seconds_left is None else f"{duration(found.seconds_left)} left"
    line = "  ".join(word for word in (counts_of(found), pace_of(found), left) if word)
    # A line for each update should not repeat lists of jobs.
    document = {name: value for name, value in found.as_json().items() if name not in ("jobs", "left_out")}
    return Look(table, line, document, found.ended)


def _of_job(status: Status) -> Look:
    left = seconds_left(status) if not status.state.final else None
    time_left = None if left is None else f"{duration(left)} left"
    loss = f"loss {loss_of(status)}" if loss_of(status) else None
    table = _pairs({"job": status.title, "iteration": progress_of(status), "loss": loss_of(status), "left": time_left})
    table.add_row("state", colored(status.state))
    line = "  ".join(word for word in (str(status.state), progress_of(status), loss, time_left) if word)
    return Look(table, line, {"job": status.as_json(), "seconds_left": left}, status.state.final)


def _pairs(pairs: dict[str, Any]) -> Table:
    table = Table(box=None, pad_edge=False, show_header=False)
    for name, value in pairs.items():
        if value:
            table.add_row(name, Text(one_line(value)))
    return table


def _say_who_renders(farm: Farm, command: str) -> None:
    if farm.settings.embedded:
        say(f"this farm is embedded: its jobs are rendered while somebody waits for them, as {command} does")
