"""`stylefarm sweep sheet`: what came out, in pictures."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from producer.farm import Farm
from producer.sheets.selection import parse_where
from producer.sheets.write import write_sheet
from shared.output import json_option, print_json

output_option = click.option(
    "-o", "--output", type=click.Path(path_type=Path), required=True, help="The file; its ending tells the format."
)
force_option = click.option("--force", is_flag=True, help="Overwrite what exists.")
where_option = click.option(
    "--where", metavar="AXIS=VALUE", multiple=True, help="Only this value of an axis; again for another value or axis."
)


@click.command()
@click.argument("sweep_id", metavar="SWEEP")
@output_option
@click.option("--rows", metavar="AXIS", help="The axis from top to bottom.  [content]")
@click.option("--columns", metavar="AXIS", help="The axis from left to right.  [style]")
@where_option
@click.option("--metric", metavar="NAME", default="loss", help="The number under each cell.", show_default=True)
@click.option("--sort-by", metavar="NAME", help="A metric: one ranked list instead of a grid, the closest first.")
@click.option("--top", type=click.IntRange(min=1), default=50, help="How many of a ranked list.", show_default=True)
@click.option("--cell", type=click.IntRange(16, 1024), help="Pixels across a cell.  [as many as 30 MB allow]")
@force_option
@json_option
def sheet(sweep_id: str, output: Path, where: tuple[str, ...], as_json: bool, **options: Any) -> None:
    """Write the contact sheet of SWEEP: .html, .png, .jpg or .pdf.

    Rows and columns are two of its axes. Of the others, --where takes a slice; what is left is paged: an HTML file has
    a chooser for each axis, a PDF has pages, and of PNG and JPEG there are several files.
    """
    with Farm() as farm:
        found = farm.find_sweep(sweep_id)
        _print_written(write_sheet(found, output, where=parse_where(where), **options), as_json)


def _print_written(paths: list[Path], as_json: bool) -> None:
    if as_json:
        print_json({"output": [str(path) for path in paths]})
    else:
        click.echo("\n".join(map(str, paths)))


OF_SWEEPS = {"sheet": sheet}
