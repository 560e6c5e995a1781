"""`stylefarm sweep sheet`, `sweep plot` and `job plot`: results as pictures."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from stylefarm.producer.cli.lists import MOST
from stylefarm.producer.client.farm import Farm
from stylefarm.producer.reports.export import export_losses, export_results
from stylefarm.producer.reports.loss_files import write_losses
from stylefarm.producer.reports.timelapse import write_timelapse
from stylefarm.producer.sheets.write import write_sheet
from stylefarm.producer.views.selection import parse_where
from stylefarm.shared.cli.command_group import say_in_vain
from stylefarm.shared.cli.console import confirm, echo_path, json_option, print_json

# So many files are written without being asked for.
MOST_FILES = 10

output_option = click.option(
    "-o", "--output", type=click.Path(path_type=Path), required=True, help="Output file; its suffix sets the format."
)
force_option = click.option("--force", is_flag=True, help="Overwrite existing files.")
linear_option = click.option("--linear", is_flag=True, help="Use a linear scale instead of a logarithmic one.")
where_option = click.option(
    "--where", metavar="AXIS=VALUE", multiple=True, help="Only cells with this value of an axis. Repeatable."
)


@click.command()
@click.argument("sweep_id", metavar="SWEEP")
@output_option
@click.option("--rows", metavar="AXIS[,AXIS]", help="Axis of the rows, and one within it.  [content, ...]")
@click.option("--columns", metavar="AXIS[,AXIS]", help="Axis of the columns, and one within it.  [style, ...]")
@where_option
@click.option("--metric", metavar="NAME", default="loss", help="Metric shown under each cell.", show_default=True)
@click.option("--sort-by", metavar="NAME", help="Rank all results by this metric, best first, instead of a grid.")
@click.option(
    "--top", type=click.IntRange(1, MOST), default=50, help="Number of results in a ranked list.", show_default=True
)
@click.option("--cell", type=click.IntRange(16, 1024), help="Width of a cell in pixels.  [as large as 30 MB allow]")
@click.option(
    "--paper", type=click.Choice(["fit", "a4", "letter"]), default="fit", help="Page size of a PDF.", show_default=True
)
@click.option("--yes", is_flag=True, help=f"Write more than {MOST_FILES} files without asking.")
@force_option
@json_option
def sheet(sweep_id: str, output: Path, where: tuple[str, ...], yes: bool, as_json: bool, **options: Any) -> None:
    """Write the contact sheet of SWEEP: .html, .png, .jpg or .pdf.

    Rows and columns are one of its axes each, or two, the second within the first: up to four axes are on one sheet.
    Select values of the other axes with --where; for those that are left, an HTML file has choosers, a PDF has pages,
    and PNG and JPEG become several files.
    """
    if options["sort_by"] is None:
        say_in_vain("top", because="without --sort-by")
    else:
        say_in_vain("rows", "columns", because="with --sort-by, which ranks the results")
    with Farm() as farm:
        found = farm.find_sweep(sweep_id)
        ask = None if yes else _ask
        _print_written(write_sheet(found, output, where=parse_where(where), ask=ask, **options), as_json)


def _ask(count: int) -> None:
    """Ask before many files are written. Raises InvalidRequest where nobody can be asked."""
    if count > MOST_FILES:
        confirm(
            f"Write {count:,} files?",
            f"the sheet would be {count:,} files, and nobody is here to be asked: give --yes, fewer values by --where,"
            " or a name in .html or .pdf, which is one file",
        )


@click.command()
@click.argument("sweep_id", metavar="SWEEP")
@output_option
@where_option
@click.option("--overlay", is_flag=True, default=None, help="Draw all jobs in one panel, even a few.")
@linear_option
@force_option
@json_option
def plot_sweep(
    sweep_id: str, output: Path, where: tuple[str, ...], linear: bool, as_json: bool, **options: Any
) -> None:
    """Plot the losses of the jobs of SWEEP: .png, .svg, or zoomable .html."""
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
    """Plot the loss terms of JOB: .png, .svg, or zoomable .html."""
    with Farm() as farm:
        _print_written([write_losses(farm.find_job(job_id), output, log=not linear, force=force)], as_json)


@click.command()
@click.argument("job_id", metavar="JOB")
@output_option
@click.option("--fps", "frames_per_second", type=float, default=8.0, help="Frames per second.", show_default=True)
@click.option("--size", type=click.IntRange(16, 8192), help="Longer side in pixels.  [as rendered]")
@force_option
@json_option
def timelapse(job_id: str, output: Path, as_json: bool, **options: Any) -> None:
    """Make an animation of the snapshots of JOB: .gif, .webp, or with ffmpeg .mp4."""
    with Farm() as farm:
        _print_written([write_timelapse(farm.find_job(job_id), output, **options)], as_json)


@click.command()
@click.argument("sweep_id", metavar="SWEEP")
@output_option
@where_option
@click.option("--losses", is_flag=True, help="One row per point of the loss curves instead of one per job.")
@force_option
@json_option
def export(sweep_id: str, output: Path, where: tuple[str, ...], losses: bool, force: bool, as_json: bool) -> None:
    """Export the jobs of SWEEP with their values, metrics and results as a table: .csv, .jsonl or .parquet."""
    with Farm() as farm:
        found = farm.find_sweep(sweep_id)
        write = export_losses if losses else export_results
        _print_written([write(found, output, where=parse_where(where), force=force)], as_json)


def _print_written(paths: list[Path], as_json: bool) -> None:
    if as_json:
        print_json({"output": [str(path) for path in paths]})
    else:
        for path in paths:
            echo_path(path)


OF_SWEEPS = {"sheet": sheet, "plot": plot_sweep, "export": export}
OF_JOBS = {"plot": plot_job, "timelapse": timelapse}
