"""`stylefarm compare`, which is `stylefarm sweep compare` too."""

from __future__ import annotations

from pathlib import Path

import click

from stylefarm.producer.cli.looking import force_option, where_option
from stylefarm.producer.client.farm import Farm
from stylefarm.producer.reports.comparison import compare
from stylefarm.producer.reports.comparison_files import SPREADS, table, write_comparison
from stylefarm.producer.views.metrics import NOT_VALIDATED
from stylefarm.producer.views.selection import parse_where
from stylefarm.shared.cli.command_group import say_in_vain
from stylefarm.shared.cli.console import json_option, print_json, print_table, say


@click.command("compare")
@click.argument("sweep_ids", metavar="SWEEP [SWEEP ...]", nargs=-1, required=True)
@click.option(
    "--by", metavar="AXIS", help="Group by an axis, a parameter, or sweep.  [method, or the first that differs]"
)
@click.option("--over", metavar="AXIS", help="Also tell the values of an axis or a parameter apart, and plot over it.")
@where_option
@click.option(
    "--metric",
    metavar="NAME",
    default="gram",
    help="Metric to plot over the render time, or over an axis.",
    show_default=True,
)
@click.option(
    "-o", "--output", type=click.Path(path_type=Path), help="Also write a file: .csv, .md, .png, .svg or .html."
)
@force_option
@json_option
def compare_command(
    sweep_ids: tuple[str, ...],
    by: str | None,
    over: str | None,
    where: tuple[str, ...],
    metric: str,
    output: Path | None,
    force: bool,
    as_json: bool,
) -> None:
    """Compare methods, or the values of an axis, over one or several sweeps, by metrics and render time.

    A plot shows one metric over the render time, or with --over over the values of an axis; .csv and .md contain the
    table, .html both.
    """
    if output is None:
        say_in_vain("metric", "force", because="without -o")
    with Farm() as farm:
        sweeps = [farm.find_sweep(sweep_id) for sweep_id in sweep_ids]
        found = compare(sweeps, by=by, over=over, where=parse_where(where))
    written = None if output is None else write_comparison(found, output, metric=metric, force=force)
    if as_json:
        print_json({"output": written and str(written), **found.as_json(), "note": NOT_VALIDATED})
        return
    head, *rows = table(found)
    print_table(head, rows)
    say(f"{SPREADS} {NOT_VALIDATED}")
    if written is not None:
        say(f"written: {written}")
