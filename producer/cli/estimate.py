"""The command `stylefarm estimate`."""

from __future__ import annotations

from typing import Any

import click

from stylefarm.producer.backends.embedded import estimate as estimated
from stylefarm.producer.cli.grouped_options import GroupedCommand
from stylefarm.producer.cli.options import spec_options
from stylefarm.producer.cli.streams import pictures_read
from stylefarm.producer.cli.text import duration
from stylefarm.producer.client.farm import Farm
from stylefarm.producer.submission.resolver import SpecResolver
from stylefarm.shared.cli.console import json_option, print_json, print_pairs, print_table, say
from stylefarm.shared.spec.spec import parse_spec


@click.command(cls=GroupedCommand)
@click.argument("content")
@click.argument("style", nargs=-1)
@json_option
@spec_options
def estimate(content: str, style: tuple[str, ...], as_json: bool, **parameters: Any) -> None:
    """Estimate the time and memory of rendering CONTENT in the style of STYLE on this machine.

    A few iterations are timed; the memory is computed. A picture that cannot fit is refused, with the size that can.
    """
    given = {name: value for name, value in parameters.items() if value is not None}
    fields = {"content": content, **({"style": style} if style else {}), **given}
    with pictures_read(fields) as read, Farm() as farm:
        resolver = SpecResolver(farm.services)
        job = resolver.resolve(parse_spec(read))
        found = estimated(job.spec, resolver.picture, farm.settings)
    if as_json:
        print_json({"estimate": found.as_json()})
        return
    for note in job.notes:
        say(note)
    print_pairs(
        {
            "device": found.device,
            "path": found.path,
            "time": duration(found.seconds),
            "memory": f"{found.bytes / 1e9:.2f} GB, and {found.available / 1e9:.1f} GB are left",
        }
    )
    columns = ("scale", "iterations", "s each", "memory", "way")
    rows = [
        (
            f"{scale.width} x {scale.height}",
            str(scale.iterations),
            f"{scale.iteration_seconds:.3g}",
            f"{scale.bytes / 1e9:.2f} GB",
            scale.way,
        )
        for scale in found.scales
    ]
    print_table(columns, rows)
