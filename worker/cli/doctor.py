"""The command `stylefarm doctor`."""

from __future__ import annotations

import click
from rich.text import Text

from stylefarm.shared.cli.console import json_option, print_json, print_table
from stylefarm.shared.services import connect_services
from stylefarm.shared.settings import load_settings
from stylefarm.worker.monitoring.doctor import Health, examine

COLORS = {Health.FINE: "green", Health.WARNING: "yellow", Health.WRONG: "red"}


@click.command()
@json_option
def doctor(as_json: bool) -> int:
    """Check every part of the farm from this machine: what is wrong, and what to do about it.

    Exits with 1 if something is wrong; warnings do not count.
    """
    findings = list(examine(connect_services(load_settings())))
    if as_json:
        print_json({"findings": [{**vars(finding), "health": str(finding.health)} for finding in findings]})
    else:
        rows = [
            (finding.what, Text(str(finding.health), style=COLORS[finding.health]), finding.words, finding.remedy)
            for finding in findings
        ]
        print_table(("part", "health", "what was found", "what to do"), rows)
    return int(any(finding.health is Health.WRONG for finding in findings))
