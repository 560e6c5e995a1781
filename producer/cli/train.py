"""The command `stylefarm train`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import click

from stylefarm.producer.backends.embedded import estimate_training
from stylefarm.producer.cli.grouped_options import GroupedCommand
from stylefarm.producer.cli.marks import marks_options
from stylefarm.producer.cli.options import terms_options, training_options
from stylefarm.producer.cli.sweep_wait import say_obstacle
from stylefarm.producer.cli.text import duration
from stylefarm.producer.client.farm import Farm, Job
from stylefarm.producer.client.readiness import check_renderer
from stylefarm.producer.client.training import resolve_training
from stylefarm.producer.terminal.display import live_display
from stylefarm.shared.cli.console import echo, json_option, print_json, print_pairs, say
from stylefarm.shared.spec.models import TRAINABLE
from stylefarm.shared.spec.terms import split_terms


@click.command(cls=GroupedCommand)
@click.argument("method", metavar="|".join(TRAINABLE))
@click.option("--no-wait", is_flag=True, help="Only queue it, and print the job's id.")
@click.option("--dry-run", is_flag=True, help="Only time a few steps on this machine, and say how long it takes.")
@click.option("--force", is_flag=True, help="Train again what was trained before; replace another model of that name.")
@marks_options
@json_option
@training_options
@terms_options
def train(method: str, no_wait: bool, dry_run: bool, force: bool, as_json: bool, **parameters: Any) -> None:
    """Train a model of METHOD on a data set, and print its name: `render --model NAME` renders with it.

    johnson and ulyanov learn one --style each, cin several; adain and wct learn to take on any style; cyclegan learns
    to translate between --content-set and --style-set. Interrupted, it goes on from its last checkpoint.
    """
    given = {name: value for name, value in parameters.items() if value is not None and value != ()}
    fields = {"method": method, **given}
    with Farm() as farm:
        if dry_run:
            _estimate(farm, fields, as_json=as_json)
            return
        if not no_wait:
            check_renderer(farm)
        job = farm.train(force=force, **fields)
        _say_notes(farm, job, fields)
        if not no_wait:
            _wait(farm, job)
        if as_json:
            print_json({"model": fields["name"], "job": {**job.status().as_json(), "created": job.created}})
        else:
            echo(job.id if no_wait else str(fields["name"]))


def _estimate(farm: Farm, fields: Mapping[str, Any], *, as_json: bool) -> None:
    job, resolver = resolve_training(farm, fields)
    with farm.database.uploaded(resolver):
        found = estimate_training(job.spec, farm.services)
    if as_json:
        print_json({"estimate": found.as_json()})
        return
    for note in job.notes:
        say(note)
    print_pairs(
        {
            "device": found.device,
            "path": found.path,
            "steps": f"{job.spec.iterations:,}",
            "s each": f"{found.step_seconds:.3g}",
            "time": duration(found.seconds),
            "memory": f"{found.bytes / 1e9:.2f} GB, and {found.available / 1e9:.1f} GB are left",
        }
    )


def _say_notes(farm: Farm, job: Job, fields: Mapping[str, Any]) -> None:
    if not job.created:
        before = "trained before" if job.done() else "on its way already"
        say(f"{before}, by job {job.id}: using that model; --force trains it again")
    for note in job.status().notes:
        say(note)
    if job.created:
        say_obstacle(farm, farm.terms(split_terms(dict(fields))[0]))


def _wait(farm: Farm, job: Job) -> None:
    try:
        with live_display() as watch:
            job.wait(watch=watch)
    except KeyboardInterrupt:
        farm.close()
        say(f"stopped; go on with: stylefarm job wait {job.id}")
        raise
    job.result()
