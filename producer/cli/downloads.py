"""`stylefarm sweep download`, `job download` and `job snapshots`: pictures as files."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click

from stylefarm.producer.cli.lists import MOST
from stylefarm.producer.cli.looking import force_option, where_option
from stylefarm.producer.cli.streams import STANDARD, check_standard_output, write_standard_output
from stylefarm.producer.client.farm import Farm, Job
from stylefarm.producer.client.results import Result
from stylefarm.producer.reports.downloads import Downloaded, download_snapshots, download_sweep
from stylefarm.producer.views.selection import parse_where
from stylefarm.shared.cli.command_group import say_in_vain
from stylefarm.shared.cli.console import echo_path, json_option, print_json, print_table, say
from stylefarm.shared.errors import InvalidRequest, NotFound
from stylefarm.shared.files.atomic import check_writable


@click.command("download")
@click.argument("sweep_id", metavar="SWEEP")
@click.option(
    "-o", "--output", type=click.Path(path_type=Path), required=True, help="Folder; created if it does not exist."
)
@where_option
@click.option("--snapshots", is_flag=True, help="Also download the snapshots, into a folder for each job.")
@force_option
@json_option
def sweep_download(
    sweep_id: str, output: Path, where: tuple[str, ...], snapshots: bool, force: bool, as_json: bool
) -> None:
    """Download every result of SWEEP into a folder, named by pictures and values, and print the file names.

    Files that exist already are not downloaded again: run the command again after an interruption, or for new results.
    """
    with Farm() as farm, _going_on():
        found = farm.find_sweep(sweep_id)
        slices = parse_where(where)
        _report(download_sweep(found, output, where=slices, snapshots=snapshots, force=force), as_json)


@click.command("download")
@click.argument("job_id", metavar="JOB")
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path),
    help="Output file, - for standard output, or folder with --snapshots.  [named by JOB]",
)
@click.option(
    "--snapshot", type=click.IntRange(0, MOST), metavar="N", help="Download the snapshot after N iterations instead."
)
@click.option("--snapshots", is_flag=True, help="Download all snapshots instead, into a folder.")
@force_option
@json_option
def job_download(
    job_id: str, output: Path | None, snapshot: int | None, snapshots: bool, force: bool, as_json: bool
) -> None:
    """Download the result of JOB, and print the file name."""
    if snapshots and snapshot is not None:
        raise InvalidRequest("--snapshot is one of them and --snapshots are all: give one of the two")
    if output is not None and str(output) == STANDARD:
        say_in_vain("force", because="on standard output")
    with Farm() as farm:
        found = farm.find_job(job_id)
        if snapshots:
            with _going_on():
                _report(download_snapshots(found, output or Path(found.id), force=force), as_json)
            return
        to_stream = output is not None and str(output) == STANDARD
        if to_stream:
            check_standard_output(as_json=as_json)
        elif output is not None:
            check_writable(output, force=force)
        result, name = (found.fetch(), found.id) if snapshot is None else _snapshot(found, snapshot)
        if to_stream:
            write_standard_output(result.data)
            return
        written = result.save(output or Path(name + result.suffix), force=force)
        if as_json:
            print_json({"output": str(written), "job": found.status().as_json()})
        else:
            echo_path(written)


@click.command()
@click.argument("job_id", metavar="JOB")
@json_option
def snapshots(job_id: str, as_json: bool) -> None:
    """List the snapshots of JOB."""
    with Farm() as farm:
        found = farm.find_job(job_id)
        stored = [(shot.iteration, shot.stored) for shot in found.snapshots()]
        if as_json:
            rows = [{"iteration": iteration, **vars(one)} for iteration, one in stored]
            print_json({"job": found.id, "snapshots": rows})
            return
        rows_of_text = [(str(iteration), f"{one.bytes:,}", one.key) for iteration, one in stored]
        print_table(("iteration", "bytes", "object"), rows_of_text)


def _snapshot(job: Job, iteration: int) -> tuple[Result, str]:
    """Return the picture after that many steps, and what its file is called."""
    shots = {shot.iteration: shot for shot in job.snapshots()}
    if iteration not in shots:
        known = ", ".join(map(str, shots)) or "none"
        raise NotFound(f"job {job.id} has no snapshot after {iteration} steps: it has {known}")
    return shots[iteration].fetch(), f"{job.id}-{iteration:06}"


@contextmanager
def _going_on() -> Iterator[None]:
    try:
        yield
    except KeyboardInterrupt:
        say("stopped; the same command goes on")
        raise


def _report(done: Downloaded, as_json: bool) -> None:
    if as_json:
        files = [
            {
                "output": str(one.path),
                "job": one.job,
                "cell": one.cell,
                "sha256": one.stored.sha256,
                "written": written,
            }
            for written, group in ((True, done.written), (False, done.kept))
            for one in group
        ]
        print_json({"files": files, "missing": done.missing})
    else:
        for one in sorted([*done.written, *done.kept], key=lambda one: one.path):
            echo_path(one.path)
    missing = f", {done.missing} {'job has' if done.missing == 1 else 'jobs have'} no result (yet)"
    say(f"{len(done.written)} written, {len(done.kept)} there already{missing if done.missing else ''}")


OF_SWEEPS = {"download": sweep_download}
OF_JOBS = {"download": job_download, "snapshots": snapshots}
