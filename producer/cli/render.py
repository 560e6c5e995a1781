"""`stylefarm render`: one picture, from files to a file."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Any

import click

from stylefarm.producer.cli.grouped_options import GroupedCommand
from stylefarm.producer.cli.options import spec_options, terms_options
from stylefarm.producer.cli.sweep_wait import say_obstacle
from stylefarm.producer.client.farm import Farm
from stylefarm.producer.client.readiness import check_renderer
from stylefarm.producer.submission.resolver import pictures_of
from stylefarm.producer.terminal.display import live_display
from stylefarm.shared.console import echo_path, json_option, print_json, say
from stylefarm.shared.errors import InvalidRequest
from stylefarm.shared.files import check_writable
from stylefarm.shared.images.encode import suffix_format
from stylefarm.shared.paths import is_there, located
from stylefarm.shared.spec.spec import JobSpec, parse_spec
from stylefarm.shared.spec.terms import split_terms


@click.command(cls=GroupedCommand)
@click.argument("content")
@click.argument("style", nargs=-1)
@click.option("-o", "--output", required=True, type=click.Path(path_type=Path), help="The file to write.")
@click.option("--force", is_flag=True, help="Overwrite the output if it exists, and render again.")
@json_option
@spec_options
@terms_options
def render(content: str, style: tuple[str, ...], output: Path, force: bool, as_json: bool, **parameters: Any) -> None:
    """Render CONTENT in the style of one or several STYLE pictures, and write the result to --output.

    A picture that this farm has rendered before is not rendered again, unless --force is given.
    Presets set the parameters of classic programs: see stylefarm presets list.
    """
    terms, given = split_terms({name: value for name, value in parameters.items() if value is not None})
    written = suffix_format(output)
    if given.setdefault("format", written) != written:
        raise InvalidRequest(
            f"{output} is named as {written}, but format = {given['format']}: leave out one of the two"
        )
    spec = parse_spec({"content": content, **({"style": style} if style else {}), **given})
    check_writable(output, force=force)
    _check_no_input(output, spec)
    with Farm() as farm:
        check_renderer(farm)
        job = farm.submit(spec, force=force, **terms)
        if not job.created:
            say(f"rendered before, by job {job.id}: using that picture; --force renders it again")
        for note in job.status().notes:
            say(note)
        if job.created:
            say_obstacle(farm, farm.terms(terms))
        try:
            with live_display() as watch:
                job.wait(watch=watch)
        except KeyboardInterrupt:
            farm.close()
            then = f"stylefarm job download {job.id} -o {shlex.quote(str(output))}"
            say(f"stopped; go on with: stylefarm job wait {job.id} && {then}")
            raise
        job.fetch().save(output, force=force)
        if as_json:
            print_json({"output": str(output), "job": job.status().as_json()})
        else:
            echo_path(output)


def _check_no_input(output: Path, spec: JobSpec) -> None:
    """Raise InvalidRequest if the output would overwrite a picture or weights that the user gave."""
    for name in (*pictures_of(spec), *filter(None, [spec.weights])):
        given = located(name)
        if is_there(output) and is_there(given) and output.samefile(given):
            raise InvalidRequest(f"-o {output} would overwrite {name}, which it is rendered from: give another -o")
