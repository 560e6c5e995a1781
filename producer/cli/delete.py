"""`stylefarm job delete`, `stylefarm sweep delete` and `stylefarm prune`."""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime

import click

from stylefarm.producer.cli.datetime_param import DATE_TIME
from stylefarm.producer.client.farm import Farm
from stylefarm.shared.cli.console import echo, json_option, print_json
from stylefarm.shared.db.records import Deletion
from stylefarm.shared.text import counted


@click.command("delete")
@click.argument("job_ids", metavar="JOB...", nargs=-1, required=True)
@json_option
def delete_jobs(job_ids: tuple[str, ...], as_json: bool) -> None:
    """Delete each JOB with everything that is stored for it: result, snapshots, checkpoint, loss curve.

    All of them are deleted, or none. A running job is refused: cancel it first.
    """
    with Farm() as farm:
        _report(farm.delete([farm.find_job(job_id) for job_id in job_ids]), as_json)


@click.command("delete")
@click.argument("sweep_ids", metavar="SWEEP...", nargs=-1, required=True)
@json_option
def delete_sweeps(sweep_ids: tuple[str, ...], as_json: bool) -> None:
    """Delete each SWEEP with its jobs and everything that is stored for them; jobs that other sweeps share are kept.

    All of them are deleted, or none. A sweep with a running job is refused: cancel it first.
    """
    with Farm() as farm:
        _report(farm.delete([farm.find_sweep(sweep_id) for sweep_id in sweep_ids]), as_json)


@click.command()
@click.option(
    "--older-than", "before", type=DATE_TIME, required=True, help="Ended before: an age such as 30d, or 2026-11-21."
)
@click.option("--dry-run", is_flag=True, help="Delete nothing, and print how much it would be.")
@click.option("--keep-picks", is_flag=True, help="Leave jobs that somebody has picked, with their sweeps.")
@json_option
def prune(before: datetime, dry_run: bool, keep_picks: bool, as_json: bool) -> None:
    """Delete sweeps of which all jobs have ended some time ago, and such jobs of no sweep, with all that is stored.

    What a younger sweep shares is kept. Pictures and weights that no job names any more are deleted, too.
    """
    with Farm() as farm:
        _report(farm.prune(before, dry_run=dry_run, keep_picks=keep_picks), as_json, dry_run=dry_run)


def _report(deleted: Deletion, as_json: bool, *, dry_run: bool = False) -> None:
    if as_json:
        print_json({"deleted": asdict(deleted), "dry_run": dry_run})
        return
    what = [counted(deleted.sweeps, "sweep")] if deleted.sweeps else []
    what.append(counted(deleted.jobs, "job"))
    stored = f"{counted(deleted.objects, 'object')} of {deleted.bytes:,} bytes"
    unnamed = f", {counted(deleted.inputs, 'picture or file of weights')}" if deleted.inputs == 1 else ""
    if deleted.inputs > 1:
        unnamed = f", {deleted.inputs:,} pictures and weights that nothing named"
    kept = f"; {counted(deleted.kept, 'job')} kept for other sweeps" if deleted.kept else ""
    echo(f"{'would delete' if dry_run else 'deleted'} {' and '.join(what)}: {stored}{unnamed}{kept}")


OF_JOBS = {"delete": delete_jobs}
OF_SWEEPS = {"delete": delete_sweeps}
