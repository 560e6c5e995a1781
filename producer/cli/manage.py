"""Commands that change what was submitted: pause, resume, retry, reprioritize, of a job and of a sweep."""

from __future__ import annotations

from collections.abc import Callable
from copy import copy

import click

from stylefarm.producer.backends.protocol import Command
from stylefarm.producer.client.farm import Farm, Job, Sweep
from stylefarm.shared.cli.console import echo, json_option, print_json, say
from stylefarm.shared.db.records import JobSelector
from stylefarm.shared.db.states import FINAL
from stylefarm.shared.errors import InvalidRequest
from stylefarm.shared.queue.routes import HIGHEST, LOWEST
from stylefarm.shared.text import counted

PRIORITY = click.IntRange(LOWEST, HIGHEST)

from_checkpoint_option = click.option(
    "--from-checkpoint", is_flag=True, help="Continue from the last checkpoint, if there is one."
)


@click.command()
@click.argument("job_id", metavar="JOB")
@json_option
def pause_job(job_id: str, as_json: bool) -> None:
    """Pause JOB; if it runs, it stops within one heartbeat."""
    _manage_job(job_id, Job.pause, "paused", as_json)


@click.command()
@click.argument("job_id", metavar="JOB")
@json_option
def resume_job(job_id: str, as_json: bool) -> None:
    """Resume JOB: put it back into the queue."""
    _manage_job(job_id, Job.resume, "resumed", as_json)


@click.command()
@click.argument("job_id", metavar="JOB")
@from_checkpoint_option
@json_option
def retry_job(job_id: str, from_checkpoint: bool, as_json: bool) -> None:
    """Render JOB again, after it has ended."""

    def retry(found: Job) -> bool:
        command = Command("retry", from_checkpoint=from_checkpoint)
        result = found.farm.backend.command(JobSelector(job=found.id), command)
        if result.afresh:
            say("the job has no checkpoint: it starts over")
        return result.changed > 0

    _manage_job(job_id, retry, "retried before it has ended", as_json)


@click.command()
@click.argument("job_id", metavar="JOB")
@click.argument("priority", type=PRIORITY)
@json_option
def reprioritize_job(job_id: str, priority: int, as_json: bool) -> None:
    """Change the priority of JOB: PRIORITY is 0 to 9; higher is rendered first."""
    _manage_job(job_id, lambda job: job.reprioritize(priority), "given another priority", as_json)


@click.command()
@click.argument("sweep_id", metavar="SWEEP")
@json_option
def cancel_sweep(sweep_id: str, as_json: bool) -> None:
    """Cancel all jobs of SWEEP that have not ended; those that run stop within one heartbeat."""
    _manage_sweep(sweep_id, Sweep.cancel, "cancelled or asked to stop", as_json)


@click.command()
@click.argument("sweep_id", metavar="SWEEP")
@json_option
def pause_sweep(sweep_id: str, as_json: bool) -> None:
    """Pause all jobs of SWEEP; running ones stop within one heartbeat."""
    _manage_sweep(sweep_id, Sweep.pause, "paused or asked to", as_json)


@click.command()
@click.argument("sweep_id", metavar="SWEEP")
@json_option
def resume_sweep(sweep_id: str, as_json: bool) -> None:
    """Resume the paused jobs of SWEEP: put them back into the queue."""
    _manage_sweep(sweep_id, Sweep.resume, "resumed", as_json)


@click.command()
@click.argument("sweep_id", metavar="SWEEP")
@click.option("--failed", is_flag=True, help="Only failed jobs.")
@from_checkpoint_option
@json_option
def retry_sweep(sweep_id: str, failed: bool, from_checkpoint: bool, as_json: bool) -> None:
    """Render all jobs of SWEEP that have ended again."""

    def retry(found: Sweep) -> int:
        command = Command("retry", failed=failed, from_checkpoint=from_checkpoint)
        result = found.farm.backend.command(JobSelector(sweep=found.id), command)
        if result.afresh:
            start = "it starts" if result.afresh == 1 else "they start"
            say(f"{counted(result.afresh, 'job')} without a checkpoint: {start} over")
        return result.changed

    _manage_sweep(sweep_id, retry, "will be retried", as_json, of_unfinished=False)


@click.command()
@click.argument("sweep_id", metavar="SWEEP")
@click.argument("priority", type=PRIORITY)
@json_option
def reprioritize_sweep(sweep_id: str, priority: int, as_json: bool) -> None:
    """Change the priority of the jobs of SWEEP: PRIORITY is 0 to 9; higher is rendered first."""
    _manage_sweep(sweep_id, lambda sweep: sweep.reprioritize(priority), f"now have priority {priority}", as_json)


def _hidden(command: click.Command) -> click.Command:
    """Return a command for another name of it, which help does not list."""
    other = copy(command)
    other.hidden = True
    return other


OF_JOBS = {
    "pause": pause_job,
    "resume": resume_job,
    "retry": retry_job,
    "reprioritize": reprioritize_job,
    "reprioritise": _hidden(reprioritize_job),
}
OF_SWEEPS = {
    "cancel": cancel_sweep,
    "pause": pause_sweep,
    "resume": resume_sweep,
    "retry": retry_sweep,
    "reprioritize": reprioritize_sweep,
    "reprioritise": _hidden(reprioritize_sweep),
}


def _manage_job(job_id: str, change: Callable[[Job], bool], what: str, as_json: bool) -> None:
    with Farm() as farm:
        found = farm.find_job(job_id)
        if not change(found):
            raise InvalidRequest(f"job {found.id} is {found.status().state}: it cannot be {what}")
        status = found.status()
        if as_json:
            print_json({"job": status.as_json()})
        else:
            echo(f"{status.state}, priority {status.priority}")


def _manage_sweep(
    sweep_id: str, change: Callable[[Sweep], int], what: str, as_json: bool, *, of_unfinished: bool = True
) -> None:
    with Farm() as farm:
        found = farm.find_sweep(sweep_id)
        count = change(found)
        if as_json:
            counts = {str(state): number for state, number in found.counts().items()}
            print_json({"sweep": {"id": found.id}, "jobs": count, "counts": counts})
        else:
            over = ": all of them have ended" if not count and of_unfinished and found.counts().keys() <= FINAL else ""
            echo(f"{count} {'job' if count == 1 else 'jobs'} {what}{over}")
