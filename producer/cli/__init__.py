"""The command line. Commands are imported when they are called, so that `stylefarm --help` answers at once."""

from __future__ import annotations

import errno
import importlib
import os
import signal
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from difflib import get_close_matches
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any, NoReturn

import click

from stylefarm.shared.cli.command_group import CommandGroup
from stylefarm.shared.cli.console import say, write_any_letter
from stylefarm.shared.errors import FarmError, StorageFull
from stylefarm.shared.gc_pause import keep_imports, uncollected

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

INTERRUPTED = 130
STOPPED = (signal.SIGTERM, signal.SIGHUP)


class Stopped(KeyboardInterrupt):
    """The program was told to end by a signal: as by Ctrl-C, running jobs are released first.

    Attributes:
        number: the signal.
    """

    def __init__(self, number: int) -> None:
        super().__init__()
        self.number = signal.Signals(number)


# The module of each command and its line in the help; that of `worker` is in the worker's package.
COMMANDS: Mapping[str, tuple[str, str]] = {
    "init": ("stylefarm.producer.cli.init:init", "Make a folder with a first sweep, a script and sample pictures."),
    "render": ("stylefarm.producer.cli.render:render", "Render one picture and wait for it."),
    "sweep": ("stylefarm.producer.cli.sweep:sweep", "Submit, watch and manage sweeps: many pictures at once."),
    "compare": ("stylefarm.producer.cli.compare:compare_command", "Compare methods by metrics and render time."),
    "job": ("stylefarm.producer.cli.job:job", "Submit, show, wait for, download or manage jobs."),
    "open": ("stylefarm.producer.cli.open:open_command", "Open a result or a contact sheet in the desktop's viewer."),
    "prune": ("stylefarm.producer.cli.delete:prune", "Delete what has ended some time ago, with all that is stored."),
    "train": ("stylefarm.producer.cli.train:train", "Train a model, which then renders pictures in one pass."),
    "model": ("stylefarm.worker.cli.models:model", "List, show, import, export and delete trained models."),
    "dataset": ("stylefarm.producer.cli.dataset:dataset", "Add, list and delete data sets to train with."),
    "worker": ("stylefarm.worker.cli.start:worker", "Start and manage workers."),
    "estimate": ("stylefarm.producer.cli.estimate:estimate", "Estimate time and memory of a picture on this machine."),
    "presets": ("stylefarm.producer.cli.presets:presets", "Show the presets: classic programs and their parameters."),
    "parameters": ("stylefarm.producer.cli.parameters:parameters", "Explain the parameters of a picture."),
    "weights": ("stylefarm.worker.cli.weights:weights", "Download, import and list pretrained weights."),
    "web": ("stylefarm.producer.cli.web:web", "Serve the dashboard and the HTTP API."),
    "token": ("stylefarm.producer.cli.token:token", "Make and revoke tokens for the dashboard and the API."),
    "db": ("stylefarm.producer.cli.db:db", "Prepare the database."),
    "doctor": ("stylefarm.worker.cli.doctor:doctor", "Check the farm: what is wrong, and what to do about it."),
    "completion": ("stylefarm.producer.cli.completion:completion", "Print a shell completion script."),
    "config": ("stylefarm.producer.cli.config:config", "Show the settings and where each comes from."),
}

EPILOG = (
    "Exit codes: 0 fine; 1 doctor has found something wrong; 2 invalid request; 3 not found; 5 a job that was waited"
    " for failed or was cancelled; 8 still pending at the timeout; 69 a service cannot be reached; 74 a disk is full;"
    " 130 interrupted."
)


@contextmanager
def _reader_may_leave() -> Iterator[None]:
    """End the command with 0 when the reader of its output closes it, as in `| head`; click would with 1."""
    try:
        yield
    except BrokenPipeError:
        _drop_output()
        raise click.exceptions.Exit(0) from None


class Commands(CommandGroup):
    """A group whose commands are imported when they are called."""

    def make_context(self, *args: Any, **options: Any) -> click.Context:
        """Parse the arguments; a reader that leaves early is no error."""
        with _reader_may_leave():
            return super().make_context(*args, **options)

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command; a reader that leaves early is no error."""
        with _reader_may_leave():
            return super().invoke(ctx)

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names of the table."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import a command of the table; return None for another name."""
        if cmd_name not in COMMANDS:
            return None
        module, _, name = COMMANDS[cmd_name][0].partition(":")
        with uncollected():
            command: click.Command = getattr(importlib.import_module(module), name)
        keep_imports()
        return command

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """Complete names from the table; click would import every command that fits."""
        from click.shell_completion import CompletionItem

        named = [CompletionItem(name, help=summary) for name, (_, summary) in COMMANDS.items()]
        return [item for item in named if item.value.startswith(incomplete)] + click.Command.shell_complete(
            self, ctx, incomplete
        )

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find a command; suggest similar names of the table, of which click knows only those that are imported."""
        try:
            return super().resolve_command(ctx, args)
        except click.NoSuchCommand as error:
            raise click.NoSuchCommand(error.command_name, possibilities=COMMANDS, ctx=ctx) from None

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the help from the table."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, help_text) for name, (_, help_text) in COMMANDS.items()])


@click.command(cls=Commands, epilog=EPILOG, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="stylefarm")
@click.option("--profile", metavar="NAME", help="Use the settings of [profiles.NAME] in stylefarm.toml.")
def cli(profile: str | None) -> None:
    """Run a render farm for neural style transfer.

    Without configuration it renders on this machine. With STYLEFARM_BROKER_URL, STYLEFARM_DATABASE_URL and
    STYLEFARM_S3_BUCKET set, jobs go to the workers of a farm. With STYLEFARM_URL and STYLEFARM_TOKEN set, it asks a
    farm over HTTP.
    """
    if profile is not None:
        # In the environment, so that the processes of a worker get it, too.
        os.environ["STYLEFARM_PROFILE"] = profile


def main(arguments: list[str] | None = None) -> NoReturn:
    """Run the program `stylefarm`: a command, and its documented exit code."""
    _open_closed_streams()
    write_any_letter()
    _heed_signals()
    try:
        code = _run(arguments)
    except KeyboardInterrupt as error:
        # A signal once more, while it was told that there was one; another Ctrl-C changes nothing.
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        code = _say_interrupted(error)
    # The command has ended. Another Ctrl-C would only interrupt the exit handlers of libraries, with a traceback each.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    keep_imports()
    # Run with -m, CPython ends the process by SIGINT if a Ctrl-C came during `exec`, which dataclasses use, even if it
    # was caught. Evaluating other code makes it forget that.
    eval("None")  # noqa: S307 - a constant
    sys.exit(code)


def _open_closed_streams() -> None:
    """Have the null device stand for standard input, output or error if the caller has closed it (`<&-`)."""
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, Path(os.devnull).open(mode, encoding="utf-8"))  # noqa: SIM115 - open to the end


def _heed_signals() -> None:
    """Turn signals into exceptions, so that what is at hand is put in order; those that are ignored stay ignored."""
    if signal.getsignal(signal.SIGINT) is not signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    for number in STOPPED:
        if signal.getsignal(number) is signal.SIG_DFL:
            signal.signal(number, _stop)


def _stop(number: int, _frame: FrameType | None) -> None:
    # The second one ends the program at once.
    signal.signal(number, signal.SIG_DFL)
    raise Stopped(number)


def _run(arguments: list[str] | None) -> int:
    try:
        result: Any = cli.main(args=arguments, prog_name="stylefarm", standalone_mode=False)
    except click.exceptions.NoArgsIsHelpError as error:
        error.show()
        return error.exit_code
    except click.ClickException as error:
        _say(_sentence(error))
        return error.exit_code
    except FarmError as error:
        _say(error.on_command_line)
        return error.exit_code
    except (KeyboardInterrupt, click.Abort) as error:
        # click makes an Abort of it.
        return _say_interrupted(error if isinstance(error, Stopped) else error.__cause__)
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise
        _drop_output()
        _say(f"{error.filename or 'the output'} cannot be written: the disk is full; free some space")
        return StorageFull.exit_code
    return result if isinstance(result, int) else 0


def _say_interrupted(error: BaseException | None) -> int:
    """Say by what the program was stopped, and return its exit code: that of a signal, or of Ctrl-C."""
    if isinstance(error, Stopped):
        _say(f"stopped by {error.number.name}")
        return 128 + error.number
    _say("interrupted")
    return INTERRUPTED


def _drop_output() -> None:
    """Keep Python's flush at exit from failing if nobody reads the output."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _sentence(error: click.ClickException) -> str:
    """Return click's message in one line, without the usage above it, in the form of our own errors."""
    context = error.ctx if isinstance(error, click.UsageError) else None
    message, remedy = error.format_message(), f" (see {context.command_path} --help)" if context else ""
    if isinstance(error, click.NoSuchOption | click.NoSuchCommand):
        # click's own proposal is left out of its message.
        message, near = error.message, _nearest(error)
        remedy = f": did you mean {near!r}?" if near else remedy
    line = " ".join(message.split()).rstrip(".")
    return line[:1].lower() + line[1:] + remedy


def _nearest(error: click.NoSuchOption | click.NoSuchCommand) -> str | None:
    """Return the most similar of the names that click proposes; the dashes that all options share do not count."""
    wrong = error.option_name if isinstance(error, click.NoSuchOption) else error.command_name
    names = {name.lstrip("-"): name for name in error.possibilities or ()}
    return next((names[name] for name in get_close_matches(wrong.lstrip("-"), names, n=1)), None)


def _say(sentence: str) -> None:
    # If standard error is closed, the exit code still says that the command failed.
    with suppress(OSError):
        say(f"stylefarm: {' '.join(sentence.splitlines())}")
