"""The command `stylefarm sweep search`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import click

from stylefarm.producer.cli.sweep_wait import document, say_obstacle
from stylefarm.producer.client.farm import Farm
from stylefarm.producer.client.readiness import check_renderer
from stylefarm.producer.client.search import best, metric_of, search, tried_cells
from stylefarm.producer.grids import read_grid
from stylefarm.producer.grids.search import Search
from stylefarm.producer.terminal.display import live_display
from stylefarm.producer.views.status import Status
from stylefarm.shared.cli.console import echo, json_option, print_json, say
from stylefarm.shared.db.states import State
from stylefarm.shared.errors import InvalidSpec
from stylefarm.shared.settings import load_settings
from stylefarm.shared.text import counted


@click.command("search")
@click.argument("file", type=click.Path(path_type=Path))
@json_option
def search_command(file: Path, as_json: bool) -> None:
    """Search the matrix of FILE for the cell with the best metric, and print the job that has it.

    FILE is a sweep file with a `search` section: the `metric`, its `direction`, the number of `trials`, and how many of
    them run at a time (`batch`). Optuna proposes cells, the farm renders them. If the metric is `preference`, people
    vote in the browser (stylefarm web) for the better pictures, and the command waits for them after each batch. Run
    the command again to continue a search that was interrupted, or that has more trials now.
    """
    grid = read_grid(file, load_settings())
    wanted = grid.search
    if wanted is None:
        raise InvalidSpec(f"{file} has no search: add search: {{metric: loss, trials: 40}}")
    with Farm() as farm:
        check_renderer(farm)
        say_obstacle(farm, farm.terms(grid.terms))
        try:
            with live_display() as watch:
                sweep = search(farm, grid, watch, lambda tried: _tell(tried, wanted), _tell_pruned, _tell_votes)
        except KeyboardInterrupt:
            farm.close()
            say("stopped; the same command goes on")
            raise
        statuses = tried_cells(sweep, wanted)
        found = best(statuses, wanted)
        if as_json:
            print_json({**document(sweep, statuses), "best": found.as_json()})
        else:
            echo(found.id)


def _tell_pruned(status: Status) -> None:
    say(f"job {status.id[:8]} is cancelled: its loss of {status.loss:.4g} at iteration {status.iteration} is too high")


def _tell(tried: Sequence[Status], wanted: Search) -> None:
    if any(status.state is State.DONE for status in tried):
        found = best(tried, wanted)
        cell = ", ".join(f"{axis} = {value}" for axis, value in found.cell.items())
        value = metric_of(found, wanted.metric)
        say(f"{len(tried)} of {wanted.trials} tried, best {wanted.metric} {value:.6g} with {cell}")


def _tell_votes(sweep_id: str, missing: int) -> None:
    say(
        f"{counted(missing, 'picture')} of sweep {sweep_id[:8]} wait for votes: open /sweeps/{sweep_id}?view=vote"
        " in the browser, as served by: stylefarm web"
    )
