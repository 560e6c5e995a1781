"""`stylefarm completion`: the script by which a shell completes commands and options."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

import click
from click.shell_completion import BashComplete, FishComplete, ShellComplete, ZshComplete

from stylefarm.shared.cli.console import echo_path, say
from stylefarm.shared.errors import InvalidRequest
from stylefarm.shared.files.atomic import make_folder, write_atomically
from stylefarm.shared.files.small import read_small

PROGRAM = "stylefarm"
MOST_BYTES = 16 << 20


@dataclass(frozen=True)
class Shell:
    """A shell: what makes its script, the file in the user's home that it reads at its start, and a line for it.

    Without a line, the file is the script itself.
    """

    complete: type[ShellComplete]
    file: str
    line: str = ""


SHELLS = {
    "bash": Shell(BashComplete, ".bashrc", 'eval "$(stylefarm completion bash)"'),
    "zsh": Shell(ZshComplete, ".zshrc", 'eval "$(stylefarm completion zsh)"'),
    "fish": Shell(FishComplete, ".config/fish/completions/stylefarm.fish"),
}


@click.command()
@click.argument("shell", type=click.Choice(list(SHELLS)), required=False)
@click.option("--install", is_flag=True, help="Have the shell read the script at its start.")
def completion(shell: str | None, install: bool) -> None:
    """Print the completion script for SHELL, or --install it.

    Without SHELL, for the one that $SHELL names. For bash, --install adds a line to ~/.bashrc, for zsh to ~/.zshrc; for
    fish it writes ~/.config/fish/completions/stylefarm.fish.
    """
    name = shell or Path(os.environ.get("SHELL", "")).name
    if name not in SHELLS:
        raise InvalidRequest(f"for which shell? name one of {', '.join(SHELLS)}")
    if install:
        _install(name)
    else:
        click.echo(_script(name))  # noqa: TID251 - several lines, all of them our own


def _script(name: str) -> str:
    made = SHELLS[name].complete(click.get_current_context().find_root().command, {}, PROGRAM, "_STYLEFARM_COMPLETE")
    # Not source(): it starts a bash to check its version, which need not be the bash that this is for.
    return made.source_template % made.source_vars()


def _install(name: str) -> None:
    shell = SHELLS[name]
    file = Path.home() / shell.file
    before = _content(file)
    if not shell.line:
        make_folder(file.parent)
        after = f"{_script(name)}\n".encode()
    elif shell.line.encode() in before.splitlines():
        after = before
    else:
        after = before + (b"" if before.endswith(b"\n") or not before else b"\n") + f"{shell.line}\n".encode()
    if after == before:
        say(f"{file} has it already")
        return
    write_atomically(file, after, force=True)
    echo_path(file)
    say("open another terminal to use it")


def _content(file: Path) -> bytes:
    try:
        return read_small(file, MOST_BYTES) if file.exists() else b""
    except OSError as error:
        raise InvalidRequest(
            f"{file} cannot be read ({error.strerror}): mend it, or add the script by hand, which the command prints"
            " without --install"
        ) from None
