"""The command `stylefarm db`."""

from __future__ import annotations

import click

from stylefarm import migrations
from stylefarm.shared.cli.command_group import CommandGroup
from stylefarm.shared.cli.console import echo, json_option, print_json
from stylefarm.shared.db.connection import address_of, connect
from stylefarm.shared.settings import load_settings


@click.group(cls=CommandGroup)
def db() -> None:
    """Prepare the database."""


@db.command()
@json_option
def upgrade(as_json: bool) -> None:
    """Upgrade the database to the schema of this release."""
    engine = connect(load_settings().database)
    before, after = migrations.upgrade(engine)
    if as_json:
        print_json({"database": address_of(engine), "before": before, "after": after})
    elif before == after:
        echo(f"{address_of(engine)} is at {after} already")
    else:
        echo(f"{address_of(engine)}: from {before or 'nothing'} to {after}")
