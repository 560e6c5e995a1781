"""The command line. Commands are imported when they are called, so that `stylefarm --help` answers at once."""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Mapping
from typing import Any, NoReturn

import click

from shared.errors import FarmError

INTERRUPTED = 130

# Each command's place and its line in the help; the place of `worker` is the worker's side of the house.
COMMANDS: Mapping[str, tuple[str, str]] = {
    "render": ("producer.cli.render:render", "Paint one picture and wait for it."),
    "sweep": ("producer.cli.sweep:sweep", "Ask for many pictures at once, and follow them."),
    "job": ("producer.cli.job:job", "Look at one job, wait for it, download it, cancel it."),
    "worker": ("worker.cli:worker", "Paint what is queued."),
    "db": ("producer.cli.db:db", "Prepare the database."),
    "config": ("producer.cli.config:config", "Show the settings, and where each comes from."),
}

EPILOG = (
    "Exit codes: 0 fine; 2 invalid request; 3 not found; 5 a job that was waited for failed or was cancelled; 8 still"
    " pending at the timeout; 69 a service cannot be reached; 74 a disk is full; 130 interrupted."
)


class Commands(click.Group):
    """A group whose commands are imported when they are called."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        module, _, name = COMMANDS[cmd_name][0].partition(":")
        command: click.Command = getattr(importlib.import_module(module), name)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, help_text) for name, (_, help_text) in COMMANDS.items()])


@click.command(cls=Commands, epilog=EPILOG, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="stylefarm")
def cli() -> None:
    """A render farm for neural style transfer.

    Without any configuration it paints on this machine. With STYLEFARM_BROKER_URL, STYLEFARM_DATABASE_URL and
    STYLEFARM_S3_BUCKET, jobs go to the workers of a farm.
    """


def main(arguments: list[str] | None = None) -> NoReturn:
    """The program `stylefarm`: runs a command, and ends with its documented exit code."""
    try:
        sys.exit(_run(arguments))
    except BrokenPipeError:
        # Whoever read our output has seen enough; Python's own flush at exit must not fail over it.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(0)


def _run(arguments: list[str] | None) -> int:
    try:
        result: Any = cli.main(args=arguments, prog_name="stylefarm", standalone_mode=False)
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except FarmError as error:
        _say(str(error))
        return error.exit_code
    except (KeyboardInterrupt, click.Abort):
        _say("interrupted")
        return INTERRUPTED
    return result if isinstance(result, int) else 0


def _say(sentence: str) -> None:
    click.echo(f"stylefarm: {sentence}", err=True)
