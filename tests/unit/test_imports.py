"""What importing a part of stylefarm brings along, and by which name a module is known."""

from __future__ import annotations

import importlib
import subprocess
import sys
from collections import Counter
from pathlib import Path

import click
import pytest

from stylefarm.producer import cli
from stylefarm.producer.cli.lazy_group import LazyGroup

HEAVY = {"torch", "torchvision", "skimage"}


def imported(statements: str) -> str:
    """What a fresh process that runs these statements prints."""
    return subprocess.run(
        [sys.executable, "-c", statements], capture_output=True, text=True, check=True, timeout=240
    ).stdout


@pytest.mark.parametrize(
    ("statements", "unwanted"),
    [
        ("import stylefarm\nfor name in stylefarm.__all__: getattr(stylefarm, name)", HEAVY),
        ("import stylefarm.producer.cli", {*HEAVY, "pydantic", "sqlalchemy", "celery", "PIL"}),
        # A command that only looks does without what changes the farm, and without decoding pictures.
        (
            "import stylefarm.producer.cli.lists\nwith stylefarm.Farm() as farm: farm.jobs(limit=1)",
            {
                *HEAVY,
                "celery",
                "PIL",
                "stylefarm.shared.store",
                "stylefarm.shared.dispatch",
                "stylefarm.shared.spec.spec",
            },
        ),
        # The rendering process is forked from the one that imports this, and must open its metrics files first.
        ("import stylefarm.worker.tasks", {*HEAVY, "prometheus_client"}),
        ("import stylefarm.worker.cli.start", {*HEAVY, "prometheus_client"}),
        ("import stylefarm.worker.monitoring.server", HEAVY),
    ],
    ids=["the API", "the command line", "lists", "tasks", "worker start", "the metrics server"],
)
def test_what_is_not_used_is_not_imported(statements: str, unwanted: set[str]) -> None:
    """Given a fresh process, if it imports a part, I expect none of the packages that this part can do without."""
    names = set(imported(f"{statements}\nimport sys\nprint(*sys.modules, sep='\\n')").split())
    assert "stylefarm.shared" in names
    assert not names & unwanted


def test_every_module_goes_by_one_name() -> None:
    """Given all modules of the package, if they are imported, I expect none of their files loaded under two names."""
    statements = (
        "import pkgutil, stylefarm, sys, importlib\n"
        "for found in pkgutil.walk_packages(stylefarm.__path__, 'stylefarm.'):\n"
        "    if not found.name.endswith('__main__') and found.name != 'stylefarm.migrations.env':\n"
        "        importlib.import_module(found.name)\n"
        "for name, module in list(sys.modules.items()):\n"
        "    print(name, getattr(module, '__file__', None), sep='\\t')\n"
    )
    root = Path(cli.__file__).resolve().parents[2]
    rows = [line.split("\t") for line in imported(statements).splitlines()]
    files = [str(Path(file).resolve()) for _, file in rows if file != "None"]
    ours = Counter(file for file in files if any(file.startswith(f"{root / part}/") for part in ("shared", "worker")))
    assert len(ours) > 100
    assert [file for file, count in ours.items() if count > 1] == []


def test_every_command_is_where_the_tables_say() -> None:
    """Given the tables of commands that are imported late, I expect commands at each place, with a line of help."""
    later: list[str] = []
    for name, (place, summary) in cli.COMMANDS.items():
        (command,) = commands_at(place)
        assert command.name == name
        assert summary.endswith(".")
        later += command.places if isinstance(command, LazyGroup) else []
    assert len(later) > 5, "job and sweep have more of them elsewhere"
    for place in later:
        assert all(command.get_short_help_str() for command in commands_at(place)), place


def commands_at(place: str) -> list[click.Command]:
    """The command, or the commands by their names, at a "module:name"."""
    module, _, name = place.partition(":")
    found = getattr(importlib.import_module(module), name)
    commands = list(found.values()) if isinstance(found, dict) else [found]
    assert commands, place
    assert all(isinstance(command, click.Command) for command in commands), place
    return commands
