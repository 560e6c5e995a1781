"""`stylefarm init`: a folder to begin with."""

from __future__ import annotations

import shlex
from pathlib import Path

import click

from stylefarm.producer.starter import make_project
from stylefarm.shared.cli.console import echo_path, json_option, print_json, say
from stylefarm.shared.errors import InvalidRequest


@click.command()
@click.argument("folder", metavar="DIR", type=click.Path())
@json_option
def init(folder: str, as_json: bool) -> None:
    """Write a commented sweep file, a script and two sample pictures into DIR.

    Nothing is overwritten.
    """
    if not folder:
        raise InvalidRequest("DIR is empty: name a folder, as in: stylefarm init first")
    written = make_project(Path(folder))
    if as_json:
        print_json({"output": [str(path) for path in written]})
        return
    for path in written:
        echo_path(path)
    say(f"next: stylefarm sweep create {shlex.quote(str(Path(folder, 'sweep.yaml')))} --wait")
