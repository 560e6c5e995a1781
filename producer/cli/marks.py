"""`stylefarm job tag` and `stylefarm sweep tag`, and the options by which submissions are tagged."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import click

from stylefarm.producer.client.farm import Farm
from stylefarm.shared.cli.console import echo, json_option, print_json, print_pairs

tags_filter = click.option("--tag", "tags", multiple=True, help="Only those with this tag. Repeatable: all must match.")
remove_option = click.option("--remove", metavar="TAG", multiple=True, help="Tag to remove. Repeatable.")
note_option = click.option("--note", help="Text to keep with it; an empty one removes it.")


def marks_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options by which a submission is tagged."""
    command = click.option("--note", help="Text to keep with it.  [none]")(command)
    return click.option("--tag", "tags", multiple=True, help="Tag to find it by. Repeatable.  [none]")(command)


@click.command("tag")
@click.argument("job_id", metavar="JOB")
@click.argument("tags", metavar="[TAG]...", nargs=-1)
@remove_option
@note_option
@json_option
def tag_job(job_id: str, tags: tuple[str, ...], remove: tuple[str, ...], note: str | None, as_json: bool) -> None:
    """Add each TAG to JOB, by which stylefarm job list --tag finds it; print all that it has."""
    with Farm() as farm:
        found = farm.find_job(job_id)
        found.tag(*tags, remove=remove, note=note)
        status = found.status()
    if as_json:
        print_json({"job": status.as_json()})
    else:
        _print(status.tags, status.note)


@click.command("tag")
@click.argument("sweep_id", metavar="SWEEP")
@click.argument("tags", metavar="[TAG]...", nargs=-1)
@remove_option
@note_option
@json_option
def tag_sweep(sweep_id: str, tags: tuple[str, ...], remove: tuple[str, ...], note: str | None, as_json: bool) -> None:
    """Add each TAG to SWEEP, by which it and its jobs are found in lists with --tag; print all that it has."""
    with Farm() as farm:
        found = farm.find_sweep(sweep_id)
        found.tag(*tags, remove=remove, note=note)
    if as_json:
        print_json({"sweep": found.as_json()})
    else:
        _print(found.tags, found.note)


def _print(tags: Sequence[str], note: str | None) -> None:
    if note is None:
        echo(", ".join(tags) or "no tags")
    else:
        print_pairs({"tags": ", ".join(tags) or None, "note": note})


OF_JOBS = {"tag": tag_job}
OF_SWEEPS = {"tag": tag_sweep}
