"""`stylefarm worker list|drain|bench|unbench`: the workers of the whole farm."""

from __future__ import annotations

from collections.abc import Callable

import click

from stylefarm import migrations
from stylefarm.shared.cli.console import json_option
from stylefarm.shared.cli.list_output import Item, ListOutput, list_options
from stylefarm.shared.db.states import WorkerState
from stylefarm.shared.dispatch.workers import WorkerRegistry, WorkerStatus
from stylefarm.shared.services import connect_services
from stylefarm.shared.settings import load_settings


@click.command()
@list_options
def list_workers(output: ListOutput) -> None:
    """List the workers: device, labels, state, jobs."""
    _report(_workers().listed, output)


@click.command()
@click.argument("name", metavar="WORKER")
@json_option
def drain(name: str, as_json: bool) -> None:
    """Drain WORKER: it finishes its job and takes no more, until it is restarted or unbenched."""
    _put(name, WorkerState.DRAINING, "drained by its user", as_json)


@click.command()
@click.argument("name", metavar="WORKER")
@click.option("--reason", default="benched by its user", help="Reason shown in the list.")
@json_option
def bench(name: str, reason: str, as_json: bool) -> None:
    """Bench WORKER: it finishes its job and takes no more, even after a restart."""
    _put(name, WorkerState.BENCHED, reason, as_json)


@click.command()
@click.argument("name", metavar="WORKER")
@json_option
def unbench(name: str, as_json: bool) -> None:
    """Unbench WORKER: it takes jobs again."""
    _put(name, WorkerState.ACTIVE, None, as_json)


COMMANDS = {"list": list_workers, "drain": drain, "bench": bench, "unbench": unbench}


def _workers() -> WorkerRegistry:
    settings = load_settings()
    services = connect_services(settings)
    migrations.prepare(services.engine, embedded=settings.embedded)
    return services.workers


def _put(name: str, state: WorkerState, reason: str | None, as_json: bool) -> None:
    workers = _workers()
    workers.set_state(name, state, reason)
    changed = [listed for listed in workers.listed() if listed.worker.name == name]
    _report(lambda: changed, ListOutput(form="json" if as_json else None))


def _report(read: Callable[[], list[WorkerStatus]], output: ListOutput) -> None:
    columns = ("worker", "device", "labels", "state", "seen", "jobs", "done last hour", "reason")
    output.show("workers", columns, lambda: [Item(entry.document(), _cells(entry)) for entry in read()])


def _cells(entry: WorkerStatus) -> tuple[str, ...]:
    row = entry.worker
    seen = f"{max(0, entry.silent_for):.0f} s ago"
    jobs = ",".join(job_id[:8] for job_id in entry.job_ids)
    done = str(entry.done_last_hour)
    return row.name, row.device, ",".join(row.labels), entry.state, seen, jobs, done, entry.reason or ""
