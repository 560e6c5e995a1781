"""The command `stylefarm job`."""

from __future__ import annotations

from datetime import datetime

import click

from stylefarm.producer.cli.lazy_group import LazyGroup
from stylefarm.producer.cli.lists import list_jobs
from stylefarm.producer.cli.logs import logs
from stylefarm.producer.cli.text import loss_of, progress_of, rating_of
from stylefarm.producer.client.farm import Farm, Job
from stylefarm.producer.client.jobs import failure_of
from stylefarm.producer.views.status import Status
from stylefarm.shared.cli.console import echo, json_option, print_json, print_pairs, say, timeout_option
from stylefarm.shared.cli.list_output import EntryOutput, entry_options
from stylefarm.shared.db.states import State
from stylefarm.shared.errors import InvalidRequest, StillPending

MORE = (
    "stylefarm.producer.cli.manage:OF_JOBS",
    "stylefarm.producer.cli.marks:OF_JOBS",
    "stylefarm.producer.cli.rating:OF_JOBS",
    "stylefarm.producer.cli.delete:OF_JOBS",
    "stylefarm.producer.cli.watch:watch_job",
    "stylefarm.producer.cli.render:OF_JOBS",
    "stylefarm.producer.cli.downloads:OF_JOBS",
    "stylefarm.producer.cli.looking:OF_JOBS",
)


@click.group(cls=LazyGroup, more=MORE)
def job() -> None:
    """Submit, show, wait for, download or manage jobs."""


@job.command()
@click.argument("job_id", metavar="JOB")
@entry_options
@json_option
def show(job_id: str, output: EntryOutput, as_json: bool) -> None:
    """Show everything about JOB."""
    with Farm() as farm:
        found = farm.find_job(job_id)
        if output:
            output.show_entry(found.status().as_json(), "job")
        elif as_json:
            _print_document(found)
        else:
            _print_words(found)


@job.command()
@click.argument("job_id", metavar="JOB")
@timeout_option
@json_option
def wait(job_id: str, timeout: float | None, as_json: bool) -> None:
    """Wait until JOB has ended; an embedded farm renders it meanwhile. Says how a paused job goes on.

    Exits with 5 if it failed or was cancelled, and with 8 on timeout; --json prints its object all the same.
    """
    # Imported here, since only waiting needs rich's progress bars.
    from stylefarm.producer.terminal.display import live_display

    with Farm() as farm:
        found = farm.find_job(job_id)
        try:
            with live_display() as watch:
                status = found.wait(timeout, watch)
        except KeyboardInterrupt:
            farm.close()
            say(f"stopped; go on with: stylefarm job wait {found.id}")
            raise
        except StillPending:
            if as_json:
                _print_document(found)
            raise
        if as_json:
            _print_document(found)
        else:
            echo(status.state)
        failed = failure_of(status)
        if failed is not None:
            raise failed


@job.command()
@click.argument("job_id", metavar="JOB")
@json_option
def cancel(job_id: str, as_json: bool) -> None:
    """Cancel JOB; if it runs, it stops within one heartbeat."""
    with Farm() as farm:
        found = farm.find_job(job_id)
        if not found.cancel():
            raise InvalidRequest(f"job {found.id} is {found.status().state} already: it cannot be cancelled")
        status = found.status()
        if as_json:
            print_json({"job": status.as_json()})
        else:
            echo("cancelled" if status.state is State.CANCELLED else "asked to stop")


job.add_command(list_jobs)
job.add_command(logs)


def _print_words(shown: Job) -> None:
    status = shown.status()
    picture = None if status.result_key is None else f"{status.result_bytes:,} bytes at {status.result_key}"
    print_pairs(
        {
            "job": status.id,
            "sweep": status.sweep,
            "state": status.state,
            "priority": status.priority,
            "device": status.device if status.device != "auto" else None,
            "label": status.label or None,
            "content": status.content,
            "style": status.style,
            "iteration": progress_of(status),
            "loss": loss_of(status) or None,
            "seconds": _seconds(status),
            "attempt": status.attempt or None,
            "worker": status.worker,
            "result": picture,
            "error": status.error,
            "warning": status.warning,
            "rating": rating_of(status) or None,
            "tags": ", ".join(status.tags) or None,
            "user's note": status.note,
        }
    )
    for note in status.notes:
        echo(f"note  {note}")
    echo()
    echo("parameters")
    print_pairs({f"  {name}": _shown(value) for name, value in status.spec.items()})
    echo()
    echo("events (UTC)")
    for event in shown.farm.backend.history(shown.id).events:
        echo(f"  {datetime.fromisoformat(event['at']):%Y-%m-%d %H:%M:%S}  {event['state']:<9}  {event['reason']}")


def _shown(value: object) -> object:
    if isinstance(value, dict):
        return ", ".join(f"{name}={weight:g}" for name, weight in value.items())
    return ", ".join(map(str, value)) if isinstance(value, list) else value


def _print_document(shown: Job) -> None:
    history = shown.farm.backend.history(shown.id)
    losses = list(shown.losses().rows())
    snapshots = [shot.stored.key for shot in shown.snapshots()]
    told = {"attempts": history.attempts, "events": history.events}
    document = {**told, "losses": losses, "snapshots": snapshots}
    print_json({"job": shown.status().as_json(), **document})


def _seconds(status: Status) -> float | None:
    if status.started_at is None or status.finished_at is None:
        return None
    return round((status.finished_at - status.started_at).total_seconds(), 2)
