"""`stylefarm sweep sheet`, `sweep plot` and `job plot`: what came out, in pictures."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from stylefarm.producer.client.farm import Farm
from stylefarm.producer.reports.export import export_losses, export_results
from stylefarm.producer.reports.loss_files import write_losses
from stylefarm.producer.reports.timelapse import write_timelapse
from stylefarm.producer.sheets.write import write_sheet
from stylefarm.producer.views.selection import parse_where
from stylefarm.shared.console import json_option, print_json

output_option = click.option(
    "-o", "--output", type=click.Path(path_type=Path), required=True, help="The file; its ending tells the format."
)
force_option = click.option("--force", is_flag=True, help="Overwrite what exists.")
linear_option = click.option("--linear", is_flag=True, help="A linear scale instead of a logarithmic one.")
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


@click.command()
@click.argument("sweep_id", metavar="SWEEP")
@output_option
@where_option
@click.option("--overlay", is_flag=True, default=None, help="All jobs in one panel, also of a few.")
@linear_option
@force_option
@json_option
def plot_sweep(
    sweep_id: str, output: Path, where: tuple[str, ...], linear: bool, as_json: bool, **options: Any
) -> None:
    """Plot the losses of the jobs of SWEEP: .png, .svg or, to zoom into, .html."""
    with Farm() as farm:
        found = farm.find_sweep(sweep_id)
        written = write_losses(found, output, where=parse_where(where), log=not linear, **options)
        _print_written([written], as_json)


@click.command()
@click.argument("job_id", metavar="JOB")
@output_option
@linear_option
@force_option
@json_option
def plot_job(job_id: str, output: Path, linear: bool, force: bool, as_json: bool) -> None:
    """Plot the losses of JOB by term: .png, .svg or, to zoom into, .html."""
    with Farm() as farm:
        _print_written([write_losses(farm.find_job(job_id), output, log=not linear, force=force)], as_json)


@click.command()
@click.argument("job_id", metavar="JOB")
@output_option
@click.option("--fps", "frames_per_second", type=float, default=8.0, help="Frames in a second.", show_default=True)
@click.option("--size", type=click.IntRange(16, 8192), help="The longer side in pixels.  [as it was rendered]")
@force_option
@json_option
def timelapse(job_id: str, output: Path, as_json: bool, **options: Any) -> None:
    """Make a film of the snapshots of JOB: .gif, .webp or, where ffmpeg is there, .mp4."""
    with Farm() as farm:
        _print_written([write_timelapse(farm.find_job(job_id), output, **options)], as_json)


@click.command()
@click.argument("sweep_id", metavar="SWEEP")
@output_option
@where_option
@click.option("--losses", is_flag=True, help="A row for each point of the loss curves instead of one for each job.")
@force_option
@json_option
def export(sweep_id: str, output: Path, where: tuple[str, ...], losses: bool, force: bool, as_json: bool) -> None:
    """Write the jobs of SWEEP with their values, metrics and results as a table: .csv, .jsonl or .parquet."""
    with Farm() as farm:
        found = farm.find_sweep(sweep_id)
        write = export_losses if losses else export_results
        _print_written([write(found, output, where=parse_where(where), force=force)], as_json)


def _print_written(paths: list[Path], as_json: bool) -> None:
    if as_json:
        print_json({"output": [str(path) for path in paths]})
    else:
        click.echo("\n".join(map(str, paths)))


OF_SWEEPS = {"sheet": sheet, "plot": plot_sweep, "export": export}
OF_JOBS = {"plot": plot_job, "timelapse": timelapse}
