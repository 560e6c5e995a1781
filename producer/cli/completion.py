"""`stylefarm completion`: the script by which a shell completes commands and options."""

from __future__ import annotations

import click
from click.shell_completion import BashComplete, FishComplete, ShellComplete, ZshComplete

PROGRAM = "stylefarm"
SHELLS: dict[str, type[ShellComplete]] = {"bash": BashComplete, "zsh": ZshComplete, "fish": FishComplete}


@click.command()
@click.argument("shell", type=click.Choice(list(SHELLS)))
def completion(shell: str) -> None:
    """Print the completion script for SHELL.

    For bash: eval "$(stylefarm completion bash)" in ~/.bashrc; likewise in ~/.zshrc; for fish:
    stylefarm completion fish > ~/.config/fish/completions/stylefarm.fish
    """
    made = SHELLS[shell](click.get_current_context().find_root().command, {}, PROGRAM, "_STYLEFARM_COMPLETE")
    # Not source(): it starts a bash to check its version, which need not be the bash that this is for.
    click.echo(made.source_template % made.source_vars())  # noqa: TID251 - several lines, all of them our own
