"""`stylefarm render` and `stylefarm job submit`: one picture."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click

from stylefarm.producer.cli.grouped_options import GroupedCommand
from stylefarm.producer.cli.marks import marks_options
from stylefarm.producer.cli.options import spec_options, terms_options
from stylefarm.producer.cli.streams import STANDARD, check_standard_output, pictures_read, write_standard_output
from stylefarm.producer.cli.sweep_wait import say_obstacle
from stylefarm.producer.client.farm import Farm, Job
from stylefarm.producer.client.readiness import check_renderer
from stylefarm.producer.submission.resolver import pictures_of
from stylefarm.producer.terminal.display import live_display
from stylefarm.shared.cli.console import echo, echo_path, json_option, print_json, say
from stylefarm.shared.errors import InvalidRequest
from stylefarm.shared.files.atomic import check_writable
from stylefarm.shared.files.paths import is_there, located
from stylefarm.shared.images.encode import suffix_format
from stylefarm.shared.spec.marks import Marks
from stylefarm.shared.spec.spec import JobSpec, parse_spec
from stylefarm.shared.spec.terms import split_terms

Parameters = Mapping[str, Any]


@click.command(cls=GroupedCommand)
@click.argument("content")
@click.argument("style", nargs=-1)
@click.option(
    "-o", "--output", type=click.Path(path_type=Path), help="The file to write; - is standard output.  [required]"
)
@click.option("--no-wait", is_flag=True, help="Only queue it, and print the job's id; takes no -o.")
@click.option("--force", is_flag=True, help="Overwrite the output if it exists, and render again.")
@marks_options
@json_option
@spec_options
@terms_options
def render(
    content: str,
    style: tuple[str, ...],
    output: Path | None,
    no_wait: bool,
    force: bool,
    as_json: bool,
    **parameters: Any,
) -> None:
    """Render CONTENT in the style of one or several STYLE pictures, and write the result to --output.

    One picture may be -, which is standard input. A picture that this farm has rendered before is not rendered again,
    unless --force is given. Presets set the parameters of classic programs: see stylefarm presets list.
    """
    if no_wait and output is not None:
        raise InvalidRequest(
            "--no-wait writes no file: leave out -o, and fetch the result later with stylefarm job download"
        )
    if no_wait:
        _submit(content, style, parameters, force=force, as_json=as_json)
    elif output is None:
        raise click.UsageError("Missing option '-o' / '--output'.", ctx=click.get_current_context())
    else:
        _render(content, style, output, parameters, force=force, as_json=as_json)


@click.command(cls=GroupedCommand)
@click.argument("content")
@click.argument("style", nargs=-1)
@click.option("--force", is_flag=True, help="Render again what was rendered before.")
@marks_options
@json_option
@spec_options
@terms_options
def submit(content: str, style: tuple[str, ...], force: bool, as_json: bool, **parameters: Any) -> None:
    """Queue CONTENT in the style of one or several STYLE pictures, and print the job's id.

    One picture may be -, which is standard input. The options are those of stylefarm render.
    """
    _submit(content, style, parameters, force=force, as_json=as_json)


OF_JOBS = {"submit": submit}


def _submit(content: str, style: tuple[str, ...], parameters: Parameters, *, force: bool, as_json: bool) -> None:
    terms, given = _split(parameters)
    with _spec(content, style, given) as spec, Farm() as farm:
        job = _submitted(farm, spec, terms, force=force)
        if as_json:
            print_json({"job": {**job.status().as_json(), "created": job.created}})
            return
        if farm.settings.embedded and not job.done():
            say(f"this farm is embedded: it renders while somebody waits, as stylefarm job wait {job.id} does")
        echo(job.id)


def _render(
    content: str, style: tuple[str, ...], output: Path, parameters: Parameters, *, force: bool, as_json: bool
) -> None:
    terms, given = _split(parameters)
    to_stream = str(output) == STANDARD
    if to_stream:
        check_standard_output(as_json=as_json)
    else:
        _agree_on_format(output, given)
    with _spec(content, style, given) as spec:
        if not to_stream:
            check_writable(output, force=force)
            _check_no_input(output, spec)
        with Farm() as farm:
            check_renderer(farm)
            job = _submitted(farm, spec, terms, force=force)
            _wait(farm, job, output)
            result = job.fetch()
            if to_stream:
                write_standard_output(result.data)
                return
            result.save(output, force=force)
            if as_json:
                print_json({"output": str(output), "job": job.status().as_json()})
            else:
                echo_path(output)


def _split(parameters: Parameters) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the terms and the marks that were given, and the parameters of the spec."""
    given = {name: value for name, value in parameters.items() if value is not None}
    marks = {name: given.pop(name) for name in Marks._fields if name in given}
    terms, fields = split_terms(given)
    return {**terms, **marks}, fields


def _agree_on_format(output: Path, given: dict[str, Any]) -> None:
    """Have the format be that of the output's name. Raises InvalidRequest if another one was given."""
    written = suffix_format(output)
    if given.setdefault("format", written) != written:
        raise InvalidRequest(
            f"{output} is named as {written}, but format = {given['format']}: leave out one of the two"
        )


@contextmanager
def _spec(content: str, style: tuple[str, ...], given: Parameters) -> Iterator[JobSpec]:
    with pictures_read({"content": content, **({"style": style} if style else {}), **given}) as fields:
        yield parse_spec(fields)


def _submitted(farm: Farm, spec: JobSpec, terms: Parameters, *, force: bool) -> Job:
    job = farm.submit(spec, force=force, **terms)
    if not job.created:
        say(f"rendered before, by job {job.id}: using that picture; --force renders it again")
    for note in job.status().notes:
        say(note)
    if job.created:
        say_obstacle(farm, farm.terms(split_terms(terms)[0]))
    return job


def _wait(farm: Farm, job: Job, output: Path) -> None:
    try:
        with live_display() as watch:
            job.wait(watch=watch)
    except KeyboardInterrupt:
        farm.close()
        then = f"stylefarm job download {job.id} -o {shlex.quote(str(output))}"
        say(f"stopped; go on with: stylefarm job wait {job.id} && {then}")
        raise


def _check_no_input(output: Path, spec: JobSpec) -> None:
    """Raise InvalidRequest if the output would overwrite a picture, weights or a model that the user gave."""
    for name in (*pictures_of(spec), *filter(None, [spec.weights, spec.model])):
        given = located(name)
        if is_there(output) and is_there(given) and output.samefile(given):
            raise InvalidRequest(f"-o {output} would overwrite {name}, which it is rendered from: give another -o")
