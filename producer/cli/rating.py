"""`stylefarm job rate`."""

from __future__ import annotations

from typing import Literal

import click

from stylefarm.producer.cli.text import rating_of
from stylefarm.producer.client.farm import Farm
from stylefarm.shared.cli.console import echo, json_option, print_json
from stylefarm.shared.errors import InvalidRequest
from stylefarm.shared.spec.ratings import KEPT, MOST_STARS

STARS = click.IntRange(0, MOST_STARS)


@click.command("rate")
@click.argument("job_id", metavar="JOB")
@click.option("--stars", metavar="N", type=STARS, help=f"Stars, 0 to {MOST_STARS}.")
@click.option("--pick", "flag", flag_value="pick", help="Flag it as a pick.")
@click.option("--reject", "flag", flag_value="reject", help="Flag it as rejected.")
@click.option("--clear", is_flag=True, help="Remove its stars and its flag, but for those that are given.")
@json_option
def rate_job(
    job_id: str, stars: int | None, flag: Literal["pick", "reject"] | None, clear: bool, as_json: bool
) -> None:
    """Say what you think of the picture of JOB, as in the browser; print its rating.

    What is not given stays as it is. Ratings are yours, as the setting `user` names you; stylefarm job list --flag pick
    finds them again.
    """
    if stars is None and flag is None and not clear:
        raise InvalidRequest("no rating is given: give --stars, --pick, --reject or --clear")
    left = None if clear else KEPT
    with Farm() as farm:
        found = farm.find_job(job_id)
        found.rate(stars=left if stars is None else stars, flag=left if flag is None else flag)
        status = found.status()
    if as_json:
        print_json({"job": status.as_json()})
    else:
        echo(rating_of(status) or "not rated")


OF_JOBS = {"rate": rate_job}
